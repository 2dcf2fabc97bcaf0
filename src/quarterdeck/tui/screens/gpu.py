"""One GPU, in full."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.detail.charts import WINDOWS, Look
from quarterdeck.tui.gpus.page import Page, gpu_page
from quarterdeck.tui.gpus.scene import Entry, Key, Scene, letters, orphans
from quarterdeck.tui.lines import MUTED, Line, Run
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("Esc", "back"), ("↓", "scroll"), ("w", "window"), ("← →", "cursor"), ("?", "help"))
WITH_ORPHAN = (HINTS[0], ("x", "end the orphan"), *HINTS[1:])
_SEEN = 6
"""So many lines of the charts in view are enough to see the cursor move."""


class GpuScreen(PageScreen):
    """The page of one GPU."""

    where = "gpu"
    BINDINGS = bindings("gpu")

    def __init__(self, gpu: Key) -> None:
        super().__init__()
        self.gpu = gpu
        self._page = LinesBlock(id="page")
        self._status = StatusLine()
        self._look = Look()
        self._shown: Page | None = None
        self._entry: Entry | None = None
        self._unix = 0.0

    def compose(self) -> ComposeResult:
        """The page and the status line."""
        yield from (self._page, self._status)

    @property
    def page(self) -> LinesBlock:
        """The lines."""
        return self._page

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        found = (Entry(host, gpu) for host in frame.fleet.hosts for gpu in host.gpus)
        self._entry = next((entry for entry in found if entry.key == self.gpu), None)
        self._unix = frame.unix
        self._shown = None
        if self._entry is None:
            self._page.show([Line((Run("  This GPU is no longer watched.", MUTED),))])
        else:
            scene = Scene(frame.fleet, letters(frame.fleet.hosts), Moment(frame.now, frame.unix))
            self._shown = gpu_page(self._entry, scene, self._look, max(1, self.room.width - 1))
            self._page.show(self._shown.lines)
        hints = WITH_ORPHAN if self._entry is not None and orphans(self._entry.gpu) else HINTS
        self._status.show_status(self.status_of(frame, hints))

    def do_window(self) -> None:
        """The next window of the charts."""
        self._look = self._look._replace(window=(self._look.window + 1) % len(WINDOWS))
        self._bring_charts()

    def do_earlier(self) -> None:
        """The time cursor one column back."""
        self._move_cursor(-1)

    def do_later(self) -> None:
        """The time cursor one column forward."""
        self._move_cursor(1)

    def do_top(self) -> None:
        """The first line; where the time cursor stands, the beginning of the window."""
        if self._look.cursor is None:
            super().do_top()
        else:
            self._move_cursor(-(1 << 20))

    def do_bottom(self) -> None:
        """The last line; where the time cursor stands, the end of the window."""
        if self._look.cursor is None:
            super().do_bottom()
        else:
            self._move_cursor(1 << 20)

    def do_back(self) -> None:
        """Take the time cursor away; without one, go back."""
        if self._look.cursor is None:
            super().do_back()
        else:
            self._look = self._look._replace(cursor=None)
            self.console_app.redraw()

    def _move_cursor(self, by: int) -> None:
        """Columns to the right; the first time, the cursor appears at the end of the window."""
        plot = self._shown.plot if self._shown is not None else None
        if plot is None:
            self.console_app.say("there is nothing to draw a chart of yet")
            return
        axis, cursor = plot.axis, plot.cursor
        place = axis.cells - 1 if cursor is None else min(max(0, cursor + by), axis.cells - 1)
        self._look = self._look._replace(cursor=axis.middle(place))
        self._bring_charts()

    def _bring_charts(self) -> None:
        """Draw them, and scroll to them where none of them is in view."""
        self.console_app.redraw()
        if self._shown is None or self._shown.plot is None:
            return
        top, window = self.page.scroll_offset.y, self.page.size.height
        if not self._shown.charts < top + window - _SEEN or top >= len(self._shown.lines):
            self._scroll(self._shown.charts - top)

    def do_end_orphan(self) -> None:
        """Ask whether to end an orphan on this GPU."""
        from quarterdeck.tui.gpus.orphans import ask

        ask(self.console_app, self._entry, self._unix)
