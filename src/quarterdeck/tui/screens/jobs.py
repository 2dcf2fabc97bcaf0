"""The jobs: what was asked for, from here or elsewhere, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.model.job import Job
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.jobs.lines import details, summary
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.widgets.job_table import JobsState, JobTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.copying.doing import Copyable

HINTS = (("back", "fleet"), ("help", "help"), ("cancel_job", "cancel"), ("resume_job", "resume"), ("log", "log"))
TABLE, JOB = "the jobs", "the selected job"
_DETAILS = 10


class JobsScreen(ListingScreen):
    """The jobs, and below them the selected one in full."""

    where = "jobs"
    BINDINGS = bindings("jobs")
    filter_hint = "filter: qwen3  !done  state:failed  action:pull  left>10m"

    def __init__(self, state: JobsState) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = JobTable(state)
        self._details = LinesBlock(id="details", height=0)
        self._status = StatusLine()
        self._frame: Frame | None = None

    def compose(self) -> ComposeResult:
        """Summary, jobs, the selected one, status."""
        yield from (self._summary, self._table, self._details, self._status)

    @property
    def table(self) -> JobTable:
        """The jobs."""
        return self._table

    def shows_job(self, job: Job) -> bool:
        """All of them."""
        return True

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._table.show(frame)
        line = summary(frame.fleet.jobs, self.room.width)
        if self.needle.strip():
            from quarterdeck.tui.sieve import summed_up

            line = summed_up(line, self.needle, self._table.count, len(frame.fleet.jobs), self.room.width)
        self._summary.show([line])
        self.draw_selected()

    @property
    def panes(self) -> tuple[str, ...]:
        """The jobs, and the selected one in full."""
        return (TABLE, JOB) if self._table.selected is not None else (TABLE,)

    def draw_selected(self) -> None:
        """What follows the selection."""
        frame, job = self._frame, self._table.selected
        if frame is None:
            return
        table = min(len(frame.fleet.jobs) + 1, max(4, self.room.height // 2))
        room = self.room.height - 2 - self.typing - table
        most = {"": min(_DETAILS, room), TABLE: 0, JOB: self.room.height - 2 - self.typing}[self.alone]
        lines = details(job, self.room.width, frame.unix, most) if job is not None and most > 2 else []
        self._table.display = self.alone != JOB
        if self._details.styles.height is None or self._details.size.height != len(lines):
            self._details.styles.height = len(lines)
        self._details.show(lines)
        self._status.show_status(self.status_of(frame, HINTS))

    # ---- commands

    def to_copy(self) -> Sequence[Copyable]:
        """The command that asks for the same, and how it went."""
        from quarterdeck.tui.copying.what import of_job

        return of_job(self._table.selected) if self._table.selected is not None else ()

    def document(self) -> object | None:
        """The jobs, as `quarterdeck jobs --json`."""
        from quarterdeck.tui.saving.documents import of_jobs

        return of_jobs(self.console_app)

    def do_cancel_job(self) -> None:
        """Stop the selected job."""
        from quarterdeck.tui.jobs.doing import cancel

        cancel(self.console_app, self._table.selected)

    def do_resume_job(self) -> None:
        """Begin it again."""
        from quarterdeck.tui.jobs.doing import resume

        resume(self.console_app, self._table.selected)

    def open_selected(self) -> None:
        """What it did."""
        self.do_log()

    def do_back(self) -> None:
        """Clear the filter, else back to the fleet."""
        if not self.clear_filter():
            self.app.pop_screen()

    def do_log(self) -> None:
        """What it did."""
        job = self._table.selected
        if job is None:
            self.console_app.say("there is no job")
            return
        from quarterdeck.tui.screens.log import open_job_log

        open_job_log(self.console_app, job)
