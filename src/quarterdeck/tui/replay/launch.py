"""Where the command line enters the console on a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.engine.recording.player import Player


def launch(player: Player) -> int:
    """Run it until it ends; the exit status."""
    from quarterdeck.tui.replay.app import ReplayApp

    app = ReplayApp(player)
    app.run()
    return app.return_code or 0
