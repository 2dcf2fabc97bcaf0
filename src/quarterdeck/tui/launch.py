"""Where the command line enters the console. Importing this imports nothing of the terminal library."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.tui.contract import MakeEngine, Prepare


def launch(
    fleet: FleetConfig,
    *,
    make_engine: MakeEngine,
    prepare: Prepare | None = None,
    problems: Sequence[str] = (),
    looking_for: str = "",
) -> int:
    """Run the console until it ends; the exit status. See `quarterdeck.tui.app.ConsoleApp` for the arguments.

    Until the first frame nothing becomes garbage, but imports make so many objects that looking for it takes a tenth of
    the start-up; so that waits. What lives then lives to the end, and is never looked at again.
    """
    gc.disable()
    from quarterdeck.tui.app import ConsoleApp

    app = ConsoleApp(
        fleet,
        make_engine=make_engine,
        prepare=prepare,
        problems=problems,
        looking_for=looking_for,
        on_started=_collect_garbage,
    )
    app.run()
    return app.return_code or 0


def _collect_garbage() -> None:
    gc.freeze()
    gc.enable()
