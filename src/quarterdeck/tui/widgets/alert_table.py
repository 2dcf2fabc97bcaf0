"""Alerts, or what happened, as a table."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.happening import Happening
from quarterdeck.tui.alerts import lines, timeline
from quarterdeck.tui.columns import RowsState, in_order, title_at
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, Line, Run, empty_block
from quarterdeck.tui.widgets.selection import Remembering, RowsView


class AlertsState:
    """What the view of alerts remembers: which list is seen, and how each of the two is."""

    def __init__(self) -> None:
        """As it is when the view is first opened."""
        self.timeline = False
        """Whether what happened is seen instead of alerts."""
        self.alerts: RowsState[object] = RowsState(lines.ORDERS)
        self.events: RowsState[object] = RowsState(timeline.ORDERS)

    @property
    def seen(self) -> RowsState[object]:
        """Of the list that is seen."""
        return self.events if self.timeline else self.alerts


class AlertTable(Remembering, RowsView):
    """One row an alert, or one a happening, under a line of titles."""

    def __init__(self, both: AlertsState) -> None:
        super().__init__(both.seen, id="alerts")
        self._both = both
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self.alerts: list[Alert] = []
        """Those shown."""
        self.happenings: list[Happening] = []

    @property
    def timeline(self) -> bool:
        """Whether it shows what happened instead of alerts."""
        return self._both.timeline

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
        self._find_rows()
        identities = [self._identity(place) for place in range(self.count)]
        if self.state.selected in identities:
            self._at = identities.index(self.state.selected)
        self._at = max(0, min(self._at, self.count - 1))
        self.set_length(self.count + 1)
        self.update_lines()

    def _find_rows(self) -> None:
        """What the filter keeps, sorted."""
        fleet = self._frame.fleet
        self.said = ""
        alerts, happenings = list(fleet.alerts), list(fleet.happenings)
        if self.needle.strip():
            from quarterdeck.tui.sieve import sieved

            if self.timeline:
                events = sieved(happenings, self.needle, "events", self._frame)
                happenings, self.said = events.rows, events.said
            else:
                kept = sieved(alerts, self.needle, "alerts", self._frame)
                alerts, self.said = kept.rows, kept.said
        self.alerts = alerts if self.timeline else in_order(alerts, self.order)
        self.happenings = in_order(reversed(happenings), self.order) if self.timeline else happenings

    def _identity(self, place: int) -> object:
        if self.timeline:
            return self.happenings[place]
        alert = self.alerts[place]
        return alert.key, alert.raised_at

    def turn(self) -> None:
        """Show the other list, as it was left."""
        self._both.timeline = not self.timeline
        self.state, self._at = self._both.seen, 0
        self._restored = False
        self.show(self._frame)
        self.scroll_to(y=self.state.top, animate=False, immediate=True)
        self.call_after_refresh(self.restore)  # once more: the other list may leave it another height

    def change(self) -> None:
        """Sort or filter otherwise."""
        self.show(self._frame)
        self.keep_in_view()

    def chosen(self) -> None:
        """On top of the time line: whatever comes next, not this one."""
        newest = self.timeline and not self._at and self.order.id == "time" and not self.order.turned
        self.state.selected = None if newest else self._identity(self._at)

    def resized(self) -> None:
        """The first size is the moment to scroll to where one was."""
        self.restore()
        self.keep_in_view()

    def order_at(self, x: int) -> str:
        """By the titles."""
        width = self.scrollable_content_region.width
        if self.timeline:
            return timeline.TITLES.get(title_at(timeline.header(width, self.order), x), "")
        subject = lines.subject_width(self.alerts, width)
        return lines.TITLES.get(title_at(lines.header(width, subject, self.order), x), "")

    # ---- drawing

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        width = self.scrollable_content_region.width
        if not self.count:
            return self._nothing(y)
        place = y - 1 + self.scroll_offset.y
        if self.timeline:
            return self._event_at(y, place, width)
        subject = lines.subject_width(self.alerts, width)
        if y == 0:
            return lines.header(width, subject, self.order)
        if place >= self.count:
            return EMPTY_LINE
        return lines.row_line(self.alerts[place], width, self._frame.unix, subject, selected=place == self._at)

    def _nothing(self, y: int) -> Line:
        """What an empty list says."""
        fleet = self._frame.fleet
        told: Sequence[str] = ("nothing has happened yet",) if self.timeline else lines.NOTHING
        if self.needle.strip() and (fleet.happenings if self.timeline else fleet.alerts):
            told = (f"no {'event' if self.timeline else 'alert'} matches the filter", "Esc clears it")
        block = empty_block(told, self.full_width)
        return block[y] if y < len(block) else EMPTY_LINE

    def _event_at(self, y: int, place: int, width: int) -> Line:
        if y == 0:
            return timeline.header(width, self.order)
        if place >= self.count:
            return EMPTY_LINE
        selected = place == self._at
        line = timeline.event_line(self.happenings[place], width - 2, self._frame.unix)
        return Line((Run("▌ " if selected else "  ", "accent"), *line.runs), "selected" if selected else "")
