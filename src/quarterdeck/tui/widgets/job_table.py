"""The jobs as a table."""

from __future__ import annotations

from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.job import Job
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.jobs.lines import header, row_line
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, STRONG, Line, Run
from quarterdeck.tui.widgets.selection import RowsView

_EMPTY = ("Nothing was asked for yet.", "a on an endpoint or model shows what can be done; P pulls a model.")


class JobTable(RowsView):
    """One row a job, under a line of titles."""

    def __init__(self) -> None:
        super().__init__(id="jobs")
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self._chosen: str | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Those shown."""
        return self._frame.fleet.jobs

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.jobs)

    @property
    def selected(self) -> Job | None:
        """The selected one."""
        return self.jobs[self._at] if self.jobs else None

    def show(self, frame: Frame) -> None:
        """Show a snapshot; what was selected stays selected wherever it moves."""
        self._frame = frame
        places = {job.id: place for place, job in enumerate(self.jobs)}
        self._at = places.get(self._chosen or "", min(self._at, max(0, self.count - 1)))
        self.set_length(self.count + 1)
        self.update_lines()

    def chosen(self) -> None:
        """This one, whatever is begun meanwhile."""
        self._chosen = self.jobs[self._at].id

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        width = self.scrollable_content_region.width
        if not self.jobs:
            if 2 <= y < 2 + len(_EMPTY):
                return Line((Run(f"  {_EMPTY[y - 2]}", STRONG if y == 2 else MUTED),))
            return EMPTY_LINE
        if y == 0:
            return header(width)
        place = y - 1 + self.scroll_offset.y
        if place >= self.count:
            return EMPTY_LINE
        return row_line(self.jobs[place], width, self._frame.unix, selected=place == self._at)
