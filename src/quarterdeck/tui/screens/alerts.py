"""What is wrong and what happened: alerts with their causes, and the time line of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.alerts import lines
from quarterdeck.tui.alerts.timeline import sidebar
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import MUTED, STRONG, Line, Run, spread
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.widgets.alert_table import AlertsState, AlertTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.copying.doing import Copyable

_HINTS = (
    ("back", "fleet"),
    ("help", "help"),
    ("acknowledge", "acknowledge"),
    ("silence", "silence"),
    ("open", "endpoint"),
    ("other_list", "events"),
)
_EVENT_HINTS = (
    ("back", "fleet"),
    ("help", "help"),
    ("filter", "filter"),
    ("open", "endpoint"),
    ("other_list", "alerts"),
)
ALERT = "the selected alert"
_LEAST_TABLE, _MOST_DETAILS, _LEAST_RECENT, _EMPTY_TABLE = 4, 14, 6, 6


class AlertsScreen(ListingScreen):
    """Alerts, and below them the selected one in full; or the time line."""

    where = "alerts"
    BINDINGS = bindings("alerts")

    def __init__(self, state: AlertsState) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = AlertTable(state)
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
        self._table.show(frame)
        self._summary.show([self._title(frame)])
        self.draw_selected()

    def _title(self, frame: Frame) -> Line:
        width = self.room.width
        seen, fleet = self._table, frame.fleet
        line = lines.summary(fleet.alerts, width)
        if seen.timeline:
            line = Line(spread((Run("  Events  ", STRONG), Run(seen.order.words, MUTED)), (), width), "head")
        if not self.needle.strip():
            return line
        from quarterdeck.tui.sieve import summed_up

        return summed_up(line, self.needle, seen.count, len(fleet.happenings if seen.timeline else fleet.alerts), width)

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

    @property
    def filter_hint(self) -> str:  # type: ignore[override]
        """Of the list that is seen."""
        if self._table.timeline:
            return "filter: vllm  !mac  topic:state,restart  age<10m"
        return "filter: vllm  !mac  severity:critical  state:open  for>10m"

    # ---- commands

    def to_copy(self) -> Sequence[Copyable]:
        """The alert in full, or the event."""
        from quarterdeck.tui.copying.what import of_alert, of_happening

        alert, happening = self._table.alert, self._table.happening
        if alert is not None:
            return of_alert(alert, self.console_app.moment[1])
        return of_happening(happening) if happening is not None else ()

    def document(self) -> object | None:
        """Alerts, silences and what happened."""
        from quarterdeck.tui.saving.documents import of_alerts

        return of_alerts(self.console_app)

    def do_back(self) -> None:
        """Clear the filter, else back to the fleet."""
        if not self.clear_filter():
            self.app.pop_screen()

    def do_other_list(self) -> None:
        """Alerts or events."""
        self.close_prompt()
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
