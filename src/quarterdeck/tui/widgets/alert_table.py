"""Alerts, or what happened, as a table."""

from __future__ import annotations

from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.happening import Happening
from quarterdeck.tui.alerts import lines
from quarterdeck.tui.alerts.timeline import event_line, matches
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, Line, Run, cut
from quarterdeck.tui.widgets.selection import RowsView


class AlertTable(RowsView):
    """One row an alert, or one a happening, under a line of titles."""

    def __init__(self) -> None:
        super().__init__(id="alerts")
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self.timeline = False
        """Whether it shows what happened, the newest on top, instead of alerts."""
        self.needle = ""
        self.happenings: tuple[Happening, ...] = ()
        self._chosen: object = None

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

    def chosen(self) -> None:
        """On top of the time line: whatever comes next, not this one."""
        self._chosen = self._identity(self._at) if self._at or not self.timeline else None

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
            return Line(cut((Run(f"   {'time':<11}{'where':<14}what", MUTED),), width), "head")
        if place >= self.count:
            return EMPTY_LINE
        selected = place == self._at
        line = event_line(self.happenings[place], width - 2, self._frame.unix)
        return Line((Run("▌ " if selected else "  ", "accent"), *line.runs), "selected" if selected else "")
