"""One GPU, in full."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.charts import WINDOWS
from quarterdeck.tui.gpus.page import page_lines
from quarterdeck.tui.gpus.scene import Entry, Key, Scene, letters
from quarterdeck.tui.lines import MUTED, Line, Run
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("Esc", "back"), ("↓", "scroll"), ("w", "window"), ("x", "end an orphan"), ("?", "help"))


class GpuScreen(PageScreen):
    """The page of one GPU."""

    where = "gpu"
    BINDINGS = bindings("gpu")

    def __init__(self, gpu: Key) -> None:
        super().__init__()
        self.gpu = gpu
        self._page = LinesBlock(id="page")
        self._status = StatusLine()
        self._window = 1
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
        if self._entry is None:
            self._page.show([Line((Run("  This GPU is no longer watched.", MUTED),))])
        else:
            scene = Scene(frame.fleet, letters(frame.fleet.hosts), Moment(frame.now, frame.unix))
            self._page.show(page_lines(self._entry, scene, self._window, max(1, self.room.width - 1)))
        app = self.console_app
        started = app.engine is not None
        status = Status(frame.fleet, app.interval, paused=app.paused, started=started, notice=app.notice, hints=HINTS)
        self._status.show_status(status)

    def do_window(self) -> None:
        """The next window of the charts."""
        self._window = (self._window + 1) % len(WINDOWS)
        self.console_app.redraw()

    def do_end_orphan(self) -> None:
        """Ask whether to end an orphan on this GPU."""
        from quarterdeck.tui.gpus.orphans import ask

        ask(self.console_app, self._entry, self._unix)
