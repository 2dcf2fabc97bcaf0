"""One GPU, in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.charts import Plot
from quarterdeck.tui.gpus.page import Page, gpu_page
from quarterdeck.tui.gpus.scene import Entry, Key, Scene, letters, orphans
from quarterdeck.tui.lines import MUTED, Line, Run
from quarterdeck.tui.screens.charting import ChartingScreen
from quarterdeck.tui.visits import Place
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.copying.doing import Copyable

HINTS = (("back", "back"), ("down", "scroll"), ("window", "window"), ("earlier later", "cursor"), ("help", "help"))
WITH_ORPHAN = (HINTS[0], ("end_orphan", "end the orphan"), *HINTS[1:])
_SEEN = 6
"""So many lines of the charts in view are enough to see the cursor move."""


class GpuScreen(ChartingScreen):
    """The page of one GPU."""

    where = "gpu"
    BINDINGS = bindings("gpu")

    def __init__(self, gpu: Key) -> None:
        super().__init__()
        self.gpu = gpu
        self._page = LinesBlock(id="page")
        self._status = StatusLine()
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

    @property
    def place(self) -> Place:
        """This GPU."""
        return self.where, self.gpu

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

    @property
    def charts(self) -> Plot | None:
        """The charts that are drawn."""
        return self._shown.plot if self._shown is not None else None

    def bring_charts(self) -> None:
        """Draw them, and scroll to them where none of them is in view."""
        self.console_app.redraw()
        if self._shown is None or self._shown.plot is None:
            return
        top, window = self.page.scroll_offset.y, self.page.size.height
        if not self._shown.charts < top + window - _SEEN or top >= len(self._shown.lines):
            self._scroll(self._shown.charts - top)

    def to_copy(self) -> Sequence[Copyable]:
        """Its UUID, and more of it."""
        from quarterdeck.tui.copying.what import of_gpu

        return of_gpu(*self._entry) if self._entry is not None else ()

    def document(self) -> object | None:
        """Its machine, with it alone."""
        from quarterdeck.tui.saving.documents import of_hosts

        return of_hosts(self.console_app, self._entry) if self._entry is not None else None

    def do_end_orphan(self) -> None:
        """Ask whether to end an orphan on this GPU."""
        from quarterdeck.tui.gpus.orphans import ask

        ask(self.console_app, self._entry, self._unix)
