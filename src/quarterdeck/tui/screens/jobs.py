"""The jobs: what was asked for, from here or elsewhere, and how far it is."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.model.job import Job
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.jobs.lines import details, summary
from quarterdeck.tui.screens.base import RowsScreen
from quarterdeck.tui.widgets.job_table import JobTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("Esc", "fleet"), ("?", "help"), ("x", "cancel"), ("R", "resume"), ("l", "log"))
TABLE, JOB = "the jobs", "the selected job"
_DETAILS = 10


class JobsScreen(RowsScreen):
    """The jobs, and below them the selected one in full."""

    where = "jobs"
    BINDINGS = bindings("jobs")

    def __init__(self) -> None:
        super().__init__()
        self._summary = LinesBlock(id="summary", height=1)
        self._table = JobTable()
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
        self._summary.show([summary(frame.fleet.jobs, self.room.width)])
        self._table.show(frame)
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
        room = self.room.height - 2 - min(len(frame.fleet.jobs) + 1, max(4, self.room.height // 2))
        most = {"": min(_DETAILS, room), TABLE: 0, JOB: self.room.height - 2}[self.alone]
        lines = details(job, self.room.width, frame.unix, most) if job is not None and most > 2 else []
        self._table.display = self.alone != JOB
        if self._details.styles.height is None or self._details.size.height != len(lines):
            self._details.styles.height = len(lines)
        self._details.show(lines)
        self._status.show_status(self.status_of(frame, HINTS))

    # ---- commands

    def do_cancel_job(self) -> None:
        """Stop the selected job."""
        from quarterdeck.tui.jobs.doing import cancel

        cancel(self.console_app, self._table.selected)

    def do_resume_job(self) -> None:
        """Begin it again."""
        from quarterdeck.tui.jobs.doing import resume

        resume(self.console_app, self._table.selected)

    def do_open(self) -> None:
        """What it did."""
        self.do_log()

    def do_log(self) -> None:
        """What it did."""
        job = self._table.selected
        if job is None:
            self.console_app.say("there is no job")
            return
        from quarterdeck.tui.screens.log import open_job_log

        open_job_log(self.console_app, job)
