"""The GPU view: every GPU of every machine, and below them what holds the memory of the selected one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.gpus.panel import panel_lines
from quarterdeck.tui.gpus.scene import ORDERS, Scene, letters, orphans
from quarterdeck.tui.gpus.summary import Summary, summary_line
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.widgets.gpu_table import GpuTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.widgets.prompt import FilterPrompt

SMALLEST_PANEL = 6
PANEL = 12
"""Lines that the panel gets before cards are drawn instead of rows."""
HINTS = (("Esc", "fleet"), ("?", "help"), ("Enter", "open"), ("s", "sort"), ("/", "filter"))
WITH_ORPHAN = (HINTS[0], ("x", "end the orphan"), *HINTS[1:])


class GpusScreen(ConsoleScreen):
    """The GPU view."""

    where = "gpus"
    BINDINGS = bindings("gpus")
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = GpuTable()
        self._panel = LinesBlock(id="panel", height=0)
        self._status = StatusLine()
        self._prompt: FilterPrompt | None = None
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
        room = self.room.height - 2 - self._typing
        self._table.show(scene, room - PANEL)
        table = self._table
        summary = Summary(table.entries, sum(len(host.gpus) for host in frame.fleet.hosts), table.order, table.needle)
        self._summary.show([summary_line(summary, frame.now, self.room.width)])
        self._give_room(room)
        self._draw_selected()

    def _give_room(self, room: int) -> None:
        """The panel gets what the GPUs leave, and its least where they don't fit; nothing where there is no room for both."""
        least = SMALLEST_PANEL if room >= SMALLEST_PANEL * 2 and self._table.entry is not None else 0
        table = max(1, min(self._table.length, room - least)) if least else room
        heights = (table, room - table)
        if heights != self._heights:
            self._heights = heights
            self._table.styles.height, self._panel.styles.height = heights

    def _draw_selected(self) -> None:
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

    @property
    def _typing(self) -> bool:
        return self._prompt is not None and self._prompt.display

    # ---- commands

    def do_open(self) -> None:
        """The page of the selected GPU."""
        entry = self._table.entry
        if self._typing:
            self._close_prompt()
        elif entry is None:
            self.console_app.say("there is no GPU to open")
        else:
            from quarterdeck.tui.screens.gpu import GpuScreen

            self.app.push_screen(GpuScreen(entry.key))

    def do_back(self) -> None:
        """Clear the filter, else back to the fleet."""
        if self._typing or self._table.needle:
            self._close_prompt()
            if self._prompt is not None:
                self._prompt.value = ""
            self._set_filter("")
        else:
            self.app.pop_screen()

    def do_leave(self) -> None:
        """Back to the fleet."""
        self.app.pop_screen()

    def do_up(self) -> None:
        """The row above."""
        self._table.move(-1)
        self._draw_selected()

    def do_down(self) -> None:
        """The row below."""
        self._table.move(1)
        self._draw_selected()

    def do_previous_gpu(self) -> None:
        """The GPU before."""
        self._table.move(0, -1)
        self._draw_selected()

    def do_next_gpu(self) -> None:
        """The GPU after."""
        self._table.move(0, 1)
        self._draw_selected()

    def do_page_up(self) -> None:
        """A window up."""
        self._table.page(-1)
        self._draw_selected()

    def do_page_down(self) -> None:
        """A window down."""
        self._table.page(1)
        self._draw_selected()

    def do_top(self) -> None:
        """The first GPU."""
        self._table.to_end(last=False)
        self._draw_selected()

    def do_bottom(self) -> None:
        """The last GPU."""
        self._table.to_end(last=True)
        self._draw_selected()

    def do_sort(self) -> None:
        """The next order."""
        order = ORDERS[(ORDERS.index(self._table.order) + 1) % len(ORDERS)]
        self._table.change(order=order)
        self.console_app.say(f"GPUs {order.label}")

    def do_end_orphan(self) -> None:
        """Ask whether to end an orphan on the selected GPU."""
        from quarterdeck.tui.gpus.orphans import ask

        ask(self.console_app, self._table.entry, self._frame.unix if self._frame else 0.0)

    # ---- the filter

    def do_filter(self) -> None:
        """Ask for a filter, which works while it is typed."""
        if self._prompt is None:
            from quarterdeck.tui.widgets.prompt import FilterPrompt

            self._prompt = FilterPrompt()
            self._prompt.placeholder = "filter: machine, GPU, model, process, user or trouble; !word drops it"
            self.mount(self._prompt, before=self._status)
        else:
            self._prompt.display = True
            self.set_focus(self._prompt)
        self.console_app.redraw()

    def takes_text(self, character: str) -> bool:
        """What was typed before the prompt had the keys."""
        if self._prompt is None or not self._typing:
            return False
        self._prompt.take(character)
        return True

    def _set_filter(self, needle: str) -> None:
        if needle != self._table.needle:
            self._table.change(needle=needle)
            self.console_app.redraw()

    def _close_prompt(self) -> None:
        if self._prompt is not None and self._typing:
            self.set_focus(None)
            self._prompt.display = False
            self.console_app.redraw()

    def on_input_changed(self, event: object) -> None:
        """The filter is being typed."""
        self._set_filter(str(getattr(event, "value", "")))

    def on_gpu_table_opened(self) -> None:
        """Double click."""
        self.do_open()

    def on_gpu_table_selected(self) -> None:
        """Click."""
        self._draw_selected()
