"""The jobs: what was asked for, from here or elsewhere, and how far it is."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.message import Message

from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.model.job import Job
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.jobs.lines import details, header, row_line, summary
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, STRONG, Line, Run
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock, LinesView
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("Esc", "fleet"), ("?", "help"), ("x", "cancel"), ("R", "resume"), ("l", "log"))
_EMPTY = ("Nothing was asked for yet.", "a on an endpoint or model shows what can be done; P pulls a model.")
_DETAILS = 10


class JobTable(LinesView):
    """One row a job, under a line of titles."""

    class Opened(Message):
        """A job was double-clicked."""

    class Selected(Message):
        """Another job was selected with the mouse."""

    def __init__(self) -> None:
        super().__init__(id="jobs")
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self.chosen: str | None = None
        self._at = 0

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Those shown."""
        return self._frame.fleet.jobs

    @property
    def selected(self) -> Job | None:
        """The selected one."""
        return self.jobs[self._at] if self.jobs else None

    def show(self, frame: Frame) -> None:
        """Show a snapshot; what was selected stays selected wherever it moves."""
        self._frame = frame
        places = {job.id: place for place, job in enumerate(self.jobs)}
        self._at = places.get(self.chosen or "", min(self._at, max(0, len(self.jobs) - 1)))
        self.set_length(len(self.jobs) + 1)
        self.update_lines()

    def select(self, place: int) -> None:
        """Select the row at ``place``, or the nearest there is."""
        if not self.jobs:
            return
        self._at = max(0, min(place, len(self.jobs) - 1))
        self.chosen = self.jobs[self._at].id
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
        if not self.jobs:
            if 2 <= y < 2 + len(_EMPTY):
                return Line((Run(f"  {_EMPTY[y - 2]}", STRONG if y == 2 else MUTED),))
            return EMPTY_LINE
        if y == 0:
            return header(width)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.jobs):
            return EMPTY_LINE
        return row_line(self.jobs[place], width, self._frame.unix, selected=place == self._at)

    def on_click(self, event: events.Click) -> None:
        """Select; a double click opens."""
        place = event.y - 1 + self.scroll_offset.y
        if event.y and place < len(self.jobs):
            self.select(place)
            self.post_message(self.Opened() if event.chain == 2 else self.Selected())


class JobsScreen(ConsoleScreen):
    """The jobs, and below them the selected one in full."""

    where = "jobs"
    BINDINGS = bindings("jobs")
    AUTO_FOCUS = ""

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

    def shows_job(self, job: Job) -> bool:
        """All of them."""
        return True

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._summary.show([summary(frame.fleet.jobs, self.room.width)])
        self._table.show(frame)
        self.draw_selected()

    def draw_selected(self) -> None:
        """What follows the selection."""
        frame, job = self._frame, self._table.selected
        if frame is None:
            return
        room = self.room.height - 2 - min(len(frame.fleet.jobs) + 1, max(4, self.room.height // 2))
        lines = details(job, self.room.width, frame.unix, min(_DETAILS, room)) if job is not None and room > 2 else []
        if self._details.styles.height is None or self._details.size.height != len(lines):
            self._details.styles.height = len(lines)
        self._details.show(lines)
        self._status.show_status(self.status_of(frame, HINTS))

    # ---- commands

    def do_back(self) -> None:
        """Back to the fleet."""
        self.app.pop_screen()

    do_leave = do_back

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
        """The first job."""
        self._move(-(1 << 20))

    def do_bottom(self) -> None:
        """The last one."""
        self._move(1 << 20)

    def _move(self, by: int) -> None:
        self._table.move(by)
        self.draw_selected()

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

    def on_job_table_selected(self) -> None:
        """Click."""
        self.draw_selected()

    def on_job_table_opened(self) -> None:
        """Double click."""
        self.do_open()

    def do_log(self) -> None:
        """What it did."""
        job = self._table.selected
        if job is None:
            self.console_app.say("there is no job")
            return
        from quarterdeck.tui.screens.log import open_job_log

        open_job_log(self.console_app, job)
