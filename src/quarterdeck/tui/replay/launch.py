"""Where the command line enters the console on a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.config.keymap import Wish
    from quarterdeck.engine.recording.player import Player


def launch(player: Player, keys: tuple[Wish, ...] = (), problems: tuple[str, ...] = ()) -> int:
    """Run it until it ends; the exit status. ``keys``: other ones for commands; ``problems`` stand in a banner."""
    from quarterdeck.tui.replay.app import ReplayApp

    app = ReplayApp(player, keys=keys, problems=problems)
    app.run()
    return app.return_code or 0
