"""The GPU view: every GPU of every machine, and below them what holds the memory of the selected one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.panel import panel_lines
from quarterdeck.tui.gpus.scene import Scene, letters, orphans
from quarterdeck.tui.gpus.summary import Summary, summary_line
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.widgets.gpu_table import GpusState, GpuTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.copying.doing import Copyable

SMALLEST_PANEL = 6
PANEL = 12
"""Lines that the panel gets before cards are drawn instead of rows."""
TABLE, PANEL_NAME = "the GPUs", "the selected GPU"
HINTS = (("back", "fleet"), ("help", "help"), ("open", "open"), ("sort", "sort"), ("filter", "filter"))
WITH_ORPHAN = (HINTS[0], ("end_orphan", "end the orphan"), *HINTS[1:])


class GpusScreen(ListingScreen):
    """The GPU view."""

    where = "gpus"
    BINDINGS = bindings("gpus")
    filter_hint = "filter: h100  !idle  gpu>80  mem<20GiB  user:ana  trouble:hot"

    def __init__(self, state: GpusState) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = GpuTable(state)
        self._panel = LinesBlock(id="panel", height=0)
        self._status = StatusLine()
        self._frame: Frame | None = None
        self._heights = (-1, -1)

    def compose(self) -> ComposeResult:
        """Summary, GPUs, the selected one's memory, status."""
        yield from (self._summary, self._table, self._panel, self._status)

    @property
    def table(self) -> GpuTable:
        """The GPUs."""
        return self._table

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        scene = Scene(frame.fleet, letters(frame.fleet.hosts), Moment(frame.now, frame.unix))
        room = self.room.height - 2 - self.typing
        self._table.show(scene, room if self.alone == TABLE else room - PANEL)
        table = self._table
        summary = Summary(table.entries, sum(len(host.gpus) for host in frame.fleet.hosts), table.order, table.needle)
        self._summary.show([summary_line(summary, frame.now, self.room.width)])
        self._give_room(room)
        self.draw_selected()

    @property
    def panes(self) -> tuple[str, ...]:
        """The GPUs, and who holds the memory of the selected one."""
        return (TABLE, PANEL_NAME) if self._table.entry is not None else (TABLE,)

    def _give_room(self, room: int) -> None:
        """The panel gets what the GPUs leave, and its least where they don't fit; nothing where there is no room for both."""
        least = SMALLEST_PANEL if room >= SMALLEST_PANEL * 2 and self._table.entry is not None else 0
        table = max(1, min(self._table.length, room - least)) if least else room
        heights = {"": (table, room - table), TABLE: (room, 0), PANEL_NAME: (0, room)}[self.alone]
        if heights != self._heights:
            self._heights = heights
            self._table.styles.height, self._panel.styles.height = heights
            self._table.display = heights[0] > 0

    def draw_selected(self) -> None:
        """What follows the selection: the panel and the status line."""
        frame, entry = self._frame, self._table.entry
        if frame is None:
            return
        if entry is not None and self._heights[1] > 0:
            scene = Scene(frame.fleet, letters(frame.fleet.hosts), Moment(frame.now, frame.unix))
            self._panel.show(panel_lines(entry, scene, max(1, self.room.width), self._heights[1]))
        else:
            self._panel.show([])
        hints = WITH_ORPHAN if entry is not None and orphans(entry.gpu) else HINTS
        self._status.show_status(self.status_of(frame, hints))

    # ---- commands

    def to_copy(self) -> Sequence[Copyable]:
        """Its UUID, and more of it."""
        from quarterdeck.tui.copying.what import of_gpu

        return of_gpu(*self._table.entry) if self._table.entry is not None else ()

    def document(self) -> object | None:
        """The machines with all their GPUs."""
        from quarterdeck.tui.saving.documents import of_hosts

        return of_hosts(self.console_app)

    def open_selected(self) -> None:
        """The page of the selected GPU."""
        entry = self._table.entry
        if entry is None:
            self.console_app.say("there is no GPU to open")
        else:
            from quarterdeck.tui.screens.gpu import GpuScreen

            self.app.push_screen(GpuScreen(entry.key))

    def do_back(self) -> None:
        """Clear the filter, else back to the fleet."""
        if not self.clear_filter():
            self.app.pop_screen()

    def do_previous_gpu(self) -> None:
        """The GPU before."""
        self._table.step(-1)
        self.draw_selected()

    def do_next_gpu(self) -> None:
        """The GPU after."""
        self._table.step(1)
        self.draw_selected()

    def do_end_orphan(self) -> None:
        """Ask whether to end an orphan on the selected GPU."""
        from quarterdeck.tui.gpus.orphans import ask

        ask(self.console_app, self._table.entry, self._frame.unix if self._frame else 0.0)
