"""Where the command line enters the console. Importing this imports nothing of the terminal library."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.contract import EngineLike, MakeEngine, Prepare

YOUNG = 20_000
"""So many new objects are looked through for garbage at one time. Polls in flight hold more than Python's 700, and leave no cycles."""
NEWS_S = 60.0
"""How long the status line tells what went wrong beside the console."""


def launch(
    fleet: FleetConfig,
    *,
    make_engine: MakeEngine,
    prepare: Prepare | None = None,
    problems: Sequence[str] = (),
    looking_for: str = "",
    beside: Callable[[EngineLike, Callable[[str], None]], None] | None = None,
    tour: bool = False,
    first_run: bool = False,
) -> int:
    """Run the console until it ends; the exit status. See `quarterdeck.tui.app.ConsoleApp` for the arguments.

    ``beside`` is called when the engine runs, with it and with what puts news into the status line. ``tour``: begin one then.
    ``first_run``: then show new users where the help is.

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
        on_started=lambda: _started(app, beside, tour=tour, first_run=first_run),
    )
    app.run()
    return app.return_code or 0


def _started(
    app: ConsoleApp,
    beside: Callable[[EngineLike, Callable[[str], None]], None] | None,
    *,
    tour: bool,
    first_run: bool,
) -> None:
    gc.freeze()
    gc.set_threshold(YOUNG)
    gc.enable()
    if tour:
        app.do_tour()
    if first_run:
        from quarterdeck.tui.first_run import begin

        begin(app)
    if beside is not None and app.engine is not None:
        beside(app.engine, lambda text: app.say(text, NEWS_S))
