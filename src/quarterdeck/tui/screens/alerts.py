"""What is wrong and what happened: alerts with their causes, and the time line of the fleet."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.tui.alerts import lines
from quarterdeck.tui.alerts.timeline import sidebar
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import MUTED, STRONG, Line, Run, spread
from quarterdeck.tui.screens.base import RowsScreen
from quarterdeck.tui.screens.filtering import FilteringScreen
from quarterdeck.tui.widgets.alert_table import AlertTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

_HINTS = (
    ("Esc", "fleet"),
    ("?", "help"),
    ("a", "acknowledge"),
    ("z", "silence"),
    ("Enter", "endpoint"),
    ("Tab", "events"),
)
_EVENT_HINTS = (("Esc", "fleet"), ("?", "help"), ("/", "filter"), ("Enter", "endpoint"), ("Tab", "alerts"))
ALERT = "the selected alert"
_LEAST_TABLE, _MOST_DETAILS, _LEAST_RECENT, _EMPTY_TABLE = 4, 14, 6, 6


class AlertsScreen(FilteringScreen, RowsScreen):
    """Alerts, and below them the selected one in full; or the time line."""

    where = "alerts"
    BINDINGS = bindings("alerts")
    filter_hint = "filter: topic, place or word; !word drops it"

    def __init__(self) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = AlertTable()
        self._recent = LinesBlock(id="recent", height=0)
        self._details = LinesBlock(id="details", height=0)
        self._status = StatusLine()
        self._frame: Frame | None = None
        self._heights: tuple[int | str, int, int] = ("1fr", 0, 0)

    def compose(self) -> ComposeResult:
        """Summary, rows, what happened lately, the selected one, status."""
        yield from (self._summary, self._table, self._recent, self._details, self._status)

    @property
    def table(self) -> AlertTable:
        """The alerts, or what happened."""
        return self._table

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._summary.show([self._title(frame)])
        self._table.show(frame)
        self.draw_selected()

    def _title(self, frame: Frame) -> Line:
        width = self.room.width
        if not self._table.timeline:
            return lines.summary(frame.fleet.alerts, width)
        kept = f"{len(self._table.happenings)} of {len(frame.fleet.happenings)}" if self.needle else ""
        right = (Run(f"/{self.needle}  {kept} ", MUTED),) if self.needle else ()
        return Line(spread((Run("  Events  ", STRONG), Run("the newest on top", MUTED)), right, width), "head")

    def draw_selected(self) -> None:
        """What follows the selection."""
        frame, alert = self._frame, self._table.alert
        if frame is None:
            return
        if self.alone:
            self._draw_alone(frame)
            return
        room = self.room.height - 2 - self.typing - max(_LEAST_TABLE, min(self._table.count + 1, self.room.height // 3))
        width = self.room.width
        shown = lines.details(alert, width, frame.unix, min(_MOST_DETAILS, room)) if alert and room > 2 else []
        free = self.room.height - 2 - self.typing - len(shown) - self._table.count - 2
        recent = 0 if self._table.timeline or free < _LEAST_RECENT else free
        self._give_room(self._table.count + 2 if recent and self._table.count else "1fr", recent, len(shown))
        self._recent.show(sidebar(frame.fleet.happenings, width, recent, frame.unix) if recent else [])
        self._details.show(shown)
        self._draw_status(frame)

    @property
    def panes(self) -> tuple[str, ...]:
        """The table, and the selected alert in full."""
        table = "what happened" if self._table.timeline else "the alerts"
        return (table, ALERT) if self._table.alert is not None else (table,)

    def _draw_alone(self, frame: Frame) -> None:
        """One pane has all the room."""
        alert, room = self._table.alert, self.room.height - 2 - self.typing
        whole = alert is not None and self.alone == ALERT
        self._give_room(0 if whole else "1fr", 0, room if whole else 0)
        self._details.show(lines.details(alert, self.room.width, frame.unix, room) if whole and alert else [])
        self._draw_status(frame)

    def _draw_status(self, frame: Frame) -> None:
        hints = _EVENT_HINTS if self._table.timeline else _HINTS
        self._status.show_status(self.status_of(frame, hints))

    def _give_room(self, table: int | str, recent: int, details: int) -> None:
        if table == "1fr" and recent:  # no alerts: what the table says of that takes a few lines
            table = _EMPTY_TABLE
            recent = max(0, self.room.height - 2 - self.typing - details - _EMPTY_TABLE)
        heights = (table, recent, details)
        if heights != self._heights:
            self._heights = heights
            for widget, height in zip((self._table, self._recent, self._details), heights, strict=True):
                widget.styles.height = height
            self._table.display = table != 0

    # ---- the filter, of what happened

    @property
    def needle(self) -> str:
        """The filter in force."""
        return self._table.needle

    def set_needle(self, needle: str) -> None:
        """Another filter."""
        self._table.needle = needle

    def do_filter(self) -> None:
        """Filters what happened; alerts are few."""
        if not self._table.timeline:
            self._table.turn()
        super().do_filter()

    # ---- commands

    def do_back(self) -> None:
        """Clear the filter, else back to the fleet."""
        if not self.clear_filter():
            self.app.pop_screen()

    def do_other_list(self) -> None:
        """Alerts or events."""
        self._table.turn()
        self.console_app.redraw()

    def open_selected(self) -> None:
        """The page of the endpoint, or the GPUs, that it is about."""
        alert, happening, app = self._table.alert, self._table.happening, self.console_app
        name = alert.endpoint if alert is not None else happening.subject if happening is not None else None
        if name is not None and any(view.name == name for view in app.fleet.endpoints):
            app.open_endpoint(name)
        elif alert is not None and alert.host is not None:
            app.do_view_gpus()
        else:
            app.say("there is nothing to open" if name is None else f"{name} is no endpoint of this fleet")

    def do_acknowledge(self) -> None:
        """Say that it was seen."""
        from quarterdeck.tui.alerts.doing import acknowledge

        acknowledge(self.console_app, self._table.alert)

    def do_silence(self) -> None:
        """Tell nobody for a while."""
        from quarterdeck.tui.alerts.doing import silence

        silence(self.console_app, self._table.alert, self._frame.unix if self._frame else 0.0)
