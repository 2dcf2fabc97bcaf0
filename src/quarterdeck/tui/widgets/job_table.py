"""The jobs as a table."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.job import Job
from quarterdeck.tui.columns import RowsState, in_order, title_at
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.jobs.lines import IN_TURN, ORDERS, TITLES, header, row_line
from quarterdeck.tui.lines import EMPTY_LINE, Line, empty_block
from quarterdeck.tui.widgets.selection import Remembering, RowsView

_FILTERED = ("no job matches the filter", "Esc clears it")
_EMPTY = ("Nothing was asked for yet.", "a on an endpoint or model shows what can be done; P pulls a model.")


class JobsState(RowsState[str]):
    """What the view of jobs remembers."""

    def __init__(self) -> None:
        """As it is when the view is first opened."""
        super().__init__(ORDERS, IN_TURN)


class JobTable(Remembering, RowsView):
    """One row a job, under a line of titles."""

    def __init__(self, state: JobsState) -> None:
        super().__init__(state, id="jobs")
        self.state: JobsState
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self.jobs: list[Job] = []
        """Those shown."""

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
        self.jobs = in_order(self._kept(), self.order)
        places = {job.id: place for place, job in enumerate(self.jobs)}
        self._at = places.get(self.state.selected or "", min(self._at, max(0, self.count - 1)))
        self.set_length(self.count + 1)
        self.update_lines()

    def chosen(self) -> None:
        """This one, whatever is begun meanwhile."""
        self.state.selected = self.jobs[self._at].id

    def change(self) -> None:
        """Sort or filter otherwise."""
        self.show(self._frame)
        self.keep_in_view()

    def _kept(self) -> Sequence[Job]:
        """What the filter keeps."""
        fleet = self._frame.fleet
        self.said = ""
        if not self.needle.strip():
            return fleet.jobs
        from quarterdeck.tui.sieve import sieved

        kept = sieved(fleet.jobs, self.needle, "jobs", self._frame)
        self.said = kept.said
        return kept.rows

    def resized(self) -> None:
        """The first size is the moment to scroll to where one was."""
        self.restore()
        self.keep_in_view()

    def order_at(self, x: int) -> str:
        """By the titles."""
        return TITLES.get(title_at(header(self.scrollable_content_region.width, self.order), x), "")

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        width = self.scrollable_content_region.width
        if not self.jobs:
            filtered = self.needle.strip() and self._frame.fleet.jobs
            block = empty_block(_FILTERED if filtered else _EMPTY, self.full_width)
            return block[y] if y < len(block) else EMPTY_LINE
        if y == 0:
            return header(width, self.order)
        place = y - 1 + self.scroll_offset.y
        if place >= self.count:
            return EMPTY_LINE
        return row_line(self.jobs[place], width, self._frame.unix, selected=place == self._at)
