"""The fleet: the table, the machines under it, and the status line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.model.fleet import EndpointView, is_well
from quarterdeck.tui.cells import Moment, reason_text, says_why
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import beside, shortened
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.widgets.fleet_table import FleetTable, empty_lines
from quarterdeck.tui.widgets.gpu_strip import GpuStrip
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import Banner, StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.acting.choices import Target

SMALLEST_PREVIEW = 10
"""Lines that must be free before the selected endpoint is shown in full under the table."""
PREVIEW_FROM_WIDTH = 100
EVENTS_FROM_WIDTH, EVENTS_WIDTH = 170, 60
"""What happened stands at the right of the preview, where the terminal is wide."""
TABLE, PAGE = "the endpoints", "the selected endpoint"
HINTS = (
    ("help", "help"),
    ("act", "act"),
    ("filter", "filter"),
    ("open", "open"),
    ("view_gpus", "GPUs"),
    ("view_models", "models"),
    ("view_chat", "chat"),
    ("view_alerts", "alerts"),
    ("view_jobs", "jobs"),
    ("sort", "sort"),
    ("leave", "quit"),
)


class FleetScreen(ActingScreen, ListingScreen):
    """The top view."""

    where = "fleet"
    BINDINGS = bindings("fleet")
    filter_hint = "filter: qwen3  !vllm  state:down,stale  kv>90%  wait>0  host:gpu-1"

    def __init__(self, problems: tuple[str, ...] = (), of_theme: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._banner = Banner(problems, of_theme) if problems or of_theme else None
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
        self._table.display = self.alone != PAGE
        self._strip.display = not self.alone
        self._table.show(frame)
        room = self.room.height - 1 - self.typing - (self._banner.size.height if self._banner else 0)
        if self.alone:
            self._make_room(room + 1 if self.alone == PAGE else 0)
        else:
            height = self._strip.show_hosts(frame.fleet.hosts, len(self._table.rows), room, frame.now)
            self._make_room(room - height - len(self._table.rows) - 2)
        self.draw_selected()

    @property
    def panes(self) -> tuple[str, ...]:
        """The endpoints, and the selected one's page."""
        return (TABLE, PAGE) if self._table.rows else (TABLE,)

    def _make_room(self, free: int) -> None:
        """Give what the table leaves to the selected endpoint's page, where that is worth it."""
        self._free = free
        fits = free >= SMALLEST_PREVIEW and self.room.width >= PREVIEW_FROM_WIDTH and bool(self._table.rows)
        wanted = self.alone == PAGE or (fits and not self.alone)
        if wanted and self._preview is None:
            self._preview = LinesBlock(id="preview")
            self._preview.styles.scrollbar_size_vertical = 0
            self.mount(self._preview, after=self._table)
        if self._preview is not None:
            self._preview.display = wanted
        height: int | str = len(self._table.rows) + 2 if wanted and not self.alone else "1fr"
        if height != self._table_height:
            self._table_height = height
            self._table.styles.height = height

    def draw_selected(self) -> None:
        """What follows the selection: the page under the table, and the status line."""
        view = self._table.selected_view if self.console_app.engine is not None else None  # no more is known yet
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
        view = self._table.selected_view
        if view is None or view.state is None or is_well(view) or (self._preview is not None and self._preview.display):
            return ""
        if says_why(view, self._table.layout_now):
            return ""
        return f"{view.name}: {reason_text(view)}" if view.reason else ""

    # ---- commands

    def document(self) -> object | None:
        """All endpoints and machines, as `quarterdeck status --json`."""
        from quarterdeck.tui.saving.documents import of_fleet

        return of_fleet(self.console_app)

    def open_selected(self) -> None:
        """Open the selected endpoint."""
        from quarterdeck.model.models import ModelReading

        row = self._table.selected_row
        if row is None:
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
        return not self.typing

    def do_mark(self) -> None:
        """Mark the row."""
        self._table.mark()
        self.draw_selected()

    def do_back(self) -> None:
        """Take the marks away, else clear the filter."""
        if self._table.marked and not self.typing:
            self._table.marked.clear()
            self._table.update_lines()
            self._draw_status()
        else:
            self.clear_filter()

    def do_leave(self) -> None:
        """Quit."""
        self.console_app.do_quit()

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

    # ---- mouse

    def on_selection_view_acted_on(self) -> None:
        """Right click."""
        self.draw_selected()
        self.act_on(self._table.pointed_at)
