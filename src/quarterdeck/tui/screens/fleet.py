"""The fleet: the table, the machines under it, and the status line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment, reason_text, says_why
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import beside, shortened
from quarterdeck.tui.rows import ORDERS
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.widgets.fleet_table import FleetTable, empty_lines
from quarterdeck.tui.widgets.gpu_strip import GpuStrip
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import Banner, StatusLine

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.tui.acting.choices import Target
    from quarterdeck.tui.widgets.prompt import FilterPrompt

SMALLEST_PREVIEW = 10
"""Lines that must be free before the selected endpoint is shown in full under the table."""
PREVIEW_FROM_WIDTH = 100
EVENTS_FROM_WIDTH, EVENTS_WIDTH = 170, 60
"""What happened stands at the right of the preview, where the terminal is wide."""
HINTS = (
    ("?", "help"),
    ("a", "act"),
    ("/", "filter"),
    ("Enter", "open"),
    ("2", "GPUs"),
    ("3", "models"),
    ("5", "alerts"),
    ("6", "jobs"),
    ("s", "sort"),
    ("q", "quit"),
)


class FleetScreen(ActingScreen):
    """The top view."""

    where = "fleet"
    BINDINGS = bindings("fleet")
    AUTO_FOCUS = ""

    def __init__(self, problems: tuple[str, ...] = (), of_theme: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._banner = Banner(problems, of_theme) if problems or of_theme else None
        self._prompt: FilterPrompt | None = None
        self._table = FleetTable()
        self._strip = GpuStrip()
        self._status = StatusLine()
        self._preview: LinesBlock | None = None
        self._table_height: int | str = "1fr"
        self._frame: Frame | None = None
        self._free = 0

    def compose(self) -> ComposeResult:
        """Table, machines, status; a banner on top where the fleet file is wrong."""
        if self._banner is not None:
            yield self._banner
        yield from (self._table, self._strip, self._status)

    @property
    def table(self) -> FleetTable:
        """The table."""
        return self._table

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._table.empty = empty_lines(self.console_app.welcome, self.room.width, filtered=bool(self._table.needle))
        self._table.show(frame)
        room = self.room.height - 1 - self._typing - (self._banner.size.height if self._banner else 0)
        height = self._strip.show_hosts(frame.fleet.hosts, len(self._table.rows), room, frame.now)
        self._make_room(room - height - len(self._table.rows) - 2)
        self._draw_selected()

    def _make_room(self, free: int) -> None:
        """Give what the table leaves to the selected endpoint's page, where that is worth it."""
        self._free = free
        wanted = free >= SMALLEST_PREVIEW and self.room.width >= PREVIEW_FROM_WIDTH and bool(self._table.rows)
        if wanted and self._preview is None:
            self._preview = LinesBlock(id="preview")
            self._preview.styles.scrollbar_size_vertical = 0
            self.mount(self._preview, after=self._table)
        if self._preview is not None:
            self._preview.display = wanted
        height: int | str = len(self._table.rows) + 2 if wanted else "1fr"
        if height != self._table_height:
            self._table_height = height
            self._table.styles.height = height

    def _draw_selected(self) -> None:
        """What follows the selection: the page under the table, and the status line."""
        view = self._table.selected_view
        if self._preview is not None and self._preview.display and view is not None and self._frame is not None:
            from quarterdeck.tui.detail.preview import detail_lines

            moment = Moment(self._frame.now, self._frame.unix)
            width = max(1, self.room.width - 1)
            events = EVENTS_WIDTH if width >= EVENTS_FROM_WIDTH and self._frame.fleet.happenings else 0
            lines = shortened(detail_lines(view, moment, width - events), self._free - 1, "Enter shows them")
            if events:
                from quarterdeck.tui.alerts.timeline import sidebar

                latest = sidebar(self._frame.fleet.happenings, events - 1, self._free - 1, self._frame.unix)
                lines = beside(lines, latest, width - events + 1)
            self._preview.show(lines)
        self._draw_status()

    @property
    def _typing(self) -> bool:
        return self._prompt is not None and self._prompt.display

    def _draw_status(self) -> None:
        if self._frame is None:
            return
        status = self.status_of(self._frame, HINTS)._replace(
            needle=self._table.needle,
            shown=self._table.shown_endpoints,
            about=self._about(),
            marked=len(self._table.marked),
        )
        self._status.show_status(status)

    def _about(self) -> str:
        """What is wrong with the selected endpoint, where the table can't say it."""
        from quarterdeck.model.verdict import is_well

        view = self._table.selected_view
        if view is None or view.state is None or is_well(view) or (self._preview is not None and self._preview.display):
            return ""
        if says_why(view, self._table.layout_now):
            return ""
        return f"{view.name}: {reason_text(view)}" if view.reason else ""

    # ---- commands

    def do_open(self) -> None:
        """Open the selected endpoint."""
        from quarterdeck.model.models import ModelReading

        row = self._table.selected_row
        if self._typing:  # Enter was pressed before the prompt had the keys
            self._close_prompt()
        elif row is None:
            self.console_app.say("there is nothing to open")
        elif isinstance(row.part, ModelReading):
            from quarterdeck.tui.screens.model import ModelScreen

            self.app.push_screen(ModelScreen(row.view.name, row.part.id))
        else:
            self.console_app.open_endpoint(row.view.name)

    @property
    def endpoint_view(self) -> EndpointView | None:
        """The selected one."""
        return self._table.selected_view

    @property
    def targets(self) -> list[Target]:
        """What is marked, else what is selected."""
        from quarterdeck.tui.acting.choices import targets_of

        return targets_of(self._table.acted_on)

    def hold_selection(self) -> None:
        """The row on top is selected until somebody chooses; it is another one when something graver happens."""
        self._table.hold()

    @property
    def takes_keys(self) -> bool:
        """Not while a filter is typed."""
        return not self._typing

    def do_mark(self) -> None:
        """Mark the row."""
        self._table.mark()
        self._draw_selected()

    def do_back(self) -> None:
        """Take the marks away, else clear the filter."""
        if self._table.marked and not self._typing:
            self._table.marked.clear()
            self._table.update_lines()
            self._draw_status()
            return
        self._close_prompt()
        if self._prompt is not None:
            self._prompt.clear()
        self._set_filter("")

    def do_leave(self) -> None:
        """Quit."""
        self.console_app.do_quit()

    def do_up(self) -> None:
        """Select the row above."""
        self._table.move(-1)
        self._draw_selected()

    def do_down(self) -> None:
        """Select the row below."""
        self._table.move(1)
        self._draw_selected()

    def do_page_up(self) -> None:
        """Select a row one window above."""
        self._table.page(-1)
        self._draw_selected()

    def do_page_down(self) -> None:
        """Select a row one window below."""
        self._table.page(1)
        self._draw_selected()

    def do_top(self) -> None:
        """Select the first row."""
        self._table.select(0)
        self._draw_selected()

    def do_bottom(self) -> None:
        """Select the last row."""
        self._table.select(len(self._table.rows) - 1)
        self._draw_selected()

    def do_unfold(self) -> None:
        """Show what is below the endpoint."""
        self._fold(opened=True)

    def do_fold(self) -> None:
        """Hide it."""
        self._fold(opened=False)

    def do_toggle(self) -> None:
        """One or the other."""
        view = self._table.selected_view
        self._fold(opened=view is not None and view.name not in self._table.opened)

    def _fold(self, *, opened: bool) -> None:
        view = self._table.selected_view
        if view is not None and not self._table.fold(opened) and opened and view.name not in self._table.opened:
            self.console_app.say(f"{view.name} has told of no models yet")
        self.console_app.redraw()

    def do_sort(self) -> None:
        """The next order."""
        order = ORDERS[(ORDERS.index(self._table.order) + 1) % len(ORDERS)]
        self._table.change(order=order)
        self.console_app.say(f"sorted {order.label}" if order.id == "name" else order.label)

    def do_filter(self) -> None:
        """Ask for a filter, which works while it is typed."""
        if self._prompt is None:
            from quarterdeck.tui.widgets.prompt import FilterPrompt

            self._prompt = FilterPrompt()
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
            self._set_filter(self._prompt.text)  # news of the last keys may still be under way
            self.set_focus(None)
            self._prompt.display = False
            self.console_app.redraw()

    def on_input_changed(self, event: object) -> None:
        """The filter is being typed."""
        self._set_filter(str(getattr(event, "value", "")))

    on_fleet_table_opened = do_open  # a double click

    def on_fleet_table_acted_on(self) -> None:
        """Right click."""
        self._draw_selected()
        self.act_on(self._table.pointed_at)

    on_fleet_table_selected = _draw_selected  # a click
