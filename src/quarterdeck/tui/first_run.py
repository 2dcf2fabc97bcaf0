"""A line above the status line at a user's first starts: where help is. It goes at the first key, which does what it does.

Nothing of this is imported or read before the first frame; what is remembered is read when the engine runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.tui import remembered
from quarterdeck.tui.commands import keys_shown
from quarterdeck.tui.lines import ACCENT, FAINT, MUTED, Line, Run, width_of
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.keys.keymap import KeyTable
    from quarterdeck.tui.screens.base import ConsoleScreen

STARTS = 3
"""So often it is shown, unless somebody opens the help before."""
KEY = "first_hints"
"""Under it is remembered how often it was shown; `STARTS` where somebody knows the help."""
PARTS = (("help", "keys and states"), ("act", "acts"), ("filter", "filters"), ("palette", "commands"))
"""Commands and what they are for, what matters most first."""
TOUR = ("quarterdeck tour", "shows around")


def begin(app: ConsoleApp) -> None:
    """Show the hint on the screen that is seen, unless this user has seen it often enough, knows the help or takes the tour."""
    shown = times_shown()
    screen = app.in_view
    if shown >= STARTS or screen is None or app.tour is not None:
        return
    app.first_run = FirstRun(app, screen)
    remembered.put(KEY, shown + 1)  # where that can't be written, it is shown again


def times_shown() -> int:
    """How often it was shown; 0 where what is remembered makes no sense."""
    found = remembered.get(KEY)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def hint_line(width: int, where: str, keys: KeyTable | None = None) -> Line:
    """As many of the parts as ``width`` has room for, each with the first of its keys on the screen ``where``."""
    parts = [(keys_shown(command, where, keys).partition(" ")[0], told) for command, told in PARTS]
    runs: list[Run] = []
    for key, told in (*parts, TOUR):
        if not key:
            continue
        part = [Run(" · " if runs else " ", FAINT), Run(key, ACCENT), Run(f" {told}", MUTED)]
        if (key, told) == TOUR and width_of([*runs, *part]) > width:
            part.pop()  # its name says enough
        if width_of([*runs, *part]) > width:
            break
        runs += part
    return Line(tuple(runs), "selected")


class HintLine(LinesBlock):
    """The line."""

    def __init__(self, where: str, keys: KeyTable | None) -> None:
        """``where``: the screen it stands on; ``keys``: those in force, where some are others."""
        super().__init__(id="first-hint", height=1)
        self._where, self._keys = where, keys

    def resized(self) -> None:
        """As many parts as have room now."""
        self.show([hint_line(self.full_width, self._where, self._keys)])


class FirstRun:
    """The hint of one console, from when it is shown."""

    def __init__(self, app: ConsoleApp, screen: ConsoleScreen) -> None:
        """It stands on ``screen``, which is seen."""
        self._app = app
        self._screen: ConsoleScreen | None = screen
        self._line = HintLine(screen.where, app.key_table)
        below = screen.query(StatusLine)
        screen.mount(self._line, before=below.first() if below else None)

    def taken(self, screen: ConsoleScreen) -> int:
        """Lines that it takes of a screen."""
        return int(screen is self._screen)

    def pressed(self) -> None:
        """Somebody has pressed a key: it goes."""
        if self._screen is not None:
            self._screen = None
            self._line.remove()
            self._app.redraw()

    def helped(self) -> None:
        """Somebody has opened the help: it isn't shown again."""
        self.pressed()
        remembered.put(KEY, STARTS)
