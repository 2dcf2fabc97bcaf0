"""A page to read: a title, and lines that are made for the width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.app import ComposeResult

from quarterdeck.format import printable
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import MUTED, STRONG, Line, Run, spread
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("back", "back"), ("up down", "scroll"), ("help", "help"))


class ReadingScreen(PageScreen):
    """The page."""

    where = "reading"
    BINDINGS = bindings("reading")

    def __init__(self, title: str, make: Callable[[int], Sequence[Line]]) -> None:
        """``make`` gives the lines for a width in cells."""
        super().__init__()
        self._title, self._make = title, make
        self._width = 0
        self._head = LinesBlock(id="title", height=1)
        self._page = LinesBlock(id="page")
        self._status = StatusLine()

    def compose(self) -> ComposeResult:
        """Title, page, status."""
        yield from (self._head, self._page, self._status)

    @property
    def page(self) -> LinesBlock:
        """The lines that scroll."""
        return self._page

    def draw(self, frame: Frame) -> None:
        """The lines are made once for each width: what they tell of has ended."""
        width = self.room.width
        if width != self._width:
            self._width = width
            title = spread((Run(f"  {printable(self._title, 160)}", STRONG),), (Run("Esc goes back ", MUTED),), width)
            self._head.show([Line(title, "head")])
            self._page.show(self._make(max(1, width - 1)))
        self._status.show_status(self.status_of(frame, HINTS))
