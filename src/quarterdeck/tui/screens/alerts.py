"""What is wrong and what happened: alerts with their causes, and the time line of the fleet."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.widget import Widget

from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.happening import Happening
from quarterdeck.tui.alerts import lines
from quarterdeck.tui.alerts.timeline import event_line, matches
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, STRONG, Line, Run, cut, spread
from quarterdeck.tui.screens.filtering import FilteringScreen
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock, LinesView
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
_LEAST_TABLE, _MOST_DETAILS = 4, 14


class AlertTable(LinesView):
    """One row an alert, or one a happening, under a line of titles."""

    def __init__(self) -> None:
        super().__init__(id="alerts")
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self.timeline = False
        """Whether it shows what happened, the newest on top, instead of alerts."""
        self.needle = ""
        self.happenings: tuple[Happening, ...] = ()
        self._chosen: object = None
        self._at = 0

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those shown."""
        return self._frame.fleet.alerts

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.happenings) if self.timeline else len(self.alerts)

    @property
    def alert(self) -> Alert | None:
        """The selected one."""
        return self.alerts[self._at] if not self.timeline and self.alerts else None

    @property
    def happening(self) -> Happening | None:
        """The selected one."""
        return self.happenings[self._at] if self.timeline and self.happenings else None

    def show(self, frame: Frame) -> None:
        """Show a snapshot; what was selected stays selected wherever it moves."""
        self._frame = frame
        self.happenings = tuple(one for one in reversed(frame.fleet.happenings) if matches(one, self.needle))
        identities = [self._identity(place) for place in range(self.count)]
        if self._chosen in identities:
            self._at = identities.index(self._chosen)
        self._at = max(0, min(self._at, self.count - 1))
        self.set_length(self.count + 1)
        self.update_lines()

    def _identity(self, place: int) -> object:
        if self.timeline:
            return self.happenings[place]
        alert = self.alerts[place]
        return alert.key, alert.raised_at

    def turn(self) -> None:
        """Show the other list."""
        self.timeline = not self.timeline
        self._chosen, self._at = None, 0
        self.scroll_to(y=0, animate=False, immediate=True)
        self.show(self._frame)

    def select(self, place: int) -> None:
        """Select the row at ``place``, or the nearest there is."""
        if not self.count:
            return
        self._at = max(0, min(place, self.count - 1))
        self._chosen = self._identity(self._at) if self._at or not self.timeline else None
        top, window = self.scroll_offset.y, max(1, self.size.height - 1)
        if not top <= self._at < top + window:
            self.scroll_to(y=max(0, self._at - window // 2), animate=False, immediate=True)
        self.update_lines()

    def move(self, by: int) -> None:
        """Select another row."""
        self.select(self._at + by)

    def page(self, pages: int) -> None:
        """Move by windows."""
        self.move(pages * max(1, self.size.height - 2))

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        width = self.scrollable_content_region.width
        if not self.count:
            if self.timeline:
                said = "nothing that fits the filter" if self.needle else "nothing has happened yet"
                return Line((Run(f"  {said}", MUTED),)) if y == 2 else EMPTY_LINE
            return lines.nothing(y)
        place = y - 1 + self.scroll_offset.y
        if self.timeline:
            return self._event_at(y, place, width)
        subject = lines.subject_width(self.alerts, width)
        if y == 0:
            return lines.header(width, subject)
        if place >= self.count:
            return EMPTY_LINE
        return lines.row_line(self.alerts[place], width, self._frame.unix, subject, selected=place == self._at)

    def _event_at(self, y: int, place: int, width: int) -> Line:
        if y == 0:
            return Line(cut((Run("   time      where         what", MUTED),), width), "head")
        if place >= self.count:
            return EMPTY_LINE
        selected = place == self._at
        line = event_line(self.happenings[place], width - 2, self._frame.unix)
        return Line((Run("▌ " if selected else "  ", "accent"), *line.runs), "selected" if selected else "")

    def on_click(self, event: events.Click) -> None:
        """Select."""
        if event.y:
            self.select(event.y - 1 + self.scroll_offset.y)
            self.app.call_later(self.screen.draw_selected)  # type: ignore[attr-defined]


class AlertsScreen(FilteringScreen):
    """Alerts, and below them the selected one in full; or the time line."""

    where = "alerts"
    BINDINGS = bindings("alerts")
    AUTO_FOCUS = ""
    filter_hint = "filter: topic, place or word; !word drops it"

    def __init__(self) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = AlertTable()
        self._details = LinesBlock(id="details", height=0)
        self._status = StatusLine()
        self._frame: Frame | None = None

    def compose(self) -> ComposeResult:
        """Summary, rows, the selected one, status."""
        yield from (self._summary, self._table, self._details, self._status)

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
        room = self.room.height - 2 - self.typing - max(_LEAST_TABLE, min(self._table.count + 1, self.room.height // 3))
        width = self.room.width
        shown = lines.details(alert, width, frame.unix, min(_MOST_DETAILS, room)) if alert and room > 2 else []
        if self._details.styles.height is None or self._details.size.height != len(shown):
            self._details.styles.height = len(shown)
        self._details.show(shown)
        app = self.console_app
        status = Status(
            frame.fleet,
            interval=app.interval,
            paused=app.paused,
            started=app.engine is not None,
            notice=app.notice,
            read_only=app.read_only,
            hints=_EVENT_HINTS if self._table.timeline else _HINTS,
        )
        self._status.show_status(status)

    # ---- the filter, of what happened

    @property
    def needle(self) -> str:
        """The filter in force."""
        return self._table.needle

    def set_needle(self, needle: str) -> None:
        """Another filter."""
        self._table.needle = needle

    @property
    def above_prompt(self) -> Widget:
        """The status line."""
        return self._status

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

    def do_leave(self) -> None:
        """Back to the fleet."""
        self.app.pop_screen()

    def do_other_list(self) -> None:
        """Alerts or events."""
        self._table.turn()
        self.console_app.redraw()

    def do_up(self) -> None:
        """The row above."""
        self._move(-1)

    def do_down(self) -> None:
        """The row below."""
        self._move(1)

    def do_page_up(self) -> None:
        """A window up."""
        self._table.page(-1)
        self.draw_selected()

    def do_page_down(self) -> None:
        """A window down."""
        self._table.page(1)
        self.draw_selected()

    def do_top(self) -> None:
        """The first row."""
        self._move(-(1 << 20))

    def do_bottom(self) -> None:
        """The last row."""
        self._move(1 << 20)

    def _move(self, by: int) -> None:
        self._table.move(by)
        self.draw_selected()

    def do_open(self) -> None:
        """The page of the endpoint, or the GPUs, that it is about."""
        if self.typing:
            self.close_prompt()
            return
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
