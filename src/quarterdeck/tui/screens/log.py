"""A log that is followed: the newest line stays in view until somebody looks back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.engine.logs import Follower, LogSource, of_endpoint, of_file
from quarterdeck.errors import UsageError
from quarterdeck.format import printable
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import MUTED, STRONG, WARN, Line, Run, spread
from quarterdeck.tui.log.lines import log_lines, matching, note
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.screens.filtering import FilteringScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.model.job import Job
    from quarterdeck.tui.app import ConsoleApp
    from quarterdeck.tui.copying.doing import Copyable

HINTS = (
    ("back", "back"),
    ("filter", "search"),
    ("next_hit earlier_hit", "next, previous"),
    ("follow", "follow"),
    ("bottom", "newest"),
)


def open_log(app: ConsoleApp, endpoint: str) -> None:
    """Follow the log of the server that becomes an endpoint, or say why that can't be."""
    try:
        source = of_endpoint(app.watched, endpoint)
    except UsageError as error:
        app.say(printable(". ".join(part for part in (error.message, error.hint) if part), 300), 12.0)
        return
    app.push_screen(LogScreen(source))


def open_job_log(app: ConsoleApp, job: Job) -> None:
    """Follow what a job did."""
    from quarterdeck.engine.jobs.folder import JobFolder

    title = f"job {job.id}: {job.order.action} {job.order.about}"
    app.push_screen(LogScreen(of_file(title, JobFolder().log_path(job.id)), job.id))


class LogScreen(FilteringScreen, PageScreen):
    """A log."""

    where = "log"
    BINDINGS = bindings("log")
    filter_hint = "search; n and N go to the next and the previous"

    def __init__(self, source: LogSource, job: str = "") -> None:
        """``job``: the id of the job whose log it is."""
        super().__init__()
        self._job = job
        self._head = LinesBlock(id="title", height=1)
        self._page = LinesBlock(id="log")
        self._status = StatusLine()
        self._follower = Follower(source)
        self._task_following: asyncio.Task[None] | None = None
        self._following = True
        self._shown: tuple[int, int, str, str] = (-1, 0, "", "")
        self._starts: list[int] = []
        """Where on the page each line of the log begins."""
        self._needle = ""
        self._hit: int | None = None

    def compose(self) -> ComposeResult:
        """Title, log, status."""
        yield from (self._head, self._page, self._status)

    @property
    def page(self) -> LinesBlock:
        """The log."""
        return self._page

    def on_mount(self) -> None:
        """From now on it is followed."""
        super().on_mount()
        self._task_following = asyncio.get_running_loop().create_task(self._follower.run())
        self.set_interval(0.5, self.refresh_log)

    async def on_unmount(self) -> None:
        """Nobody reads it any more."""
        if self._task_following is not None:
            self._task_following.cancel()
            await asyncio.wait({self._task_following}, timeout=1.0)

    def shows_job(self, job: Job) -> bool:
        """Whether it is its log."""
        return job.id == self._job

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        self.refresh_log()
        self._status.show_status(self.status_of(frame, HINTS))

    def refresh_log(self) -> None:
        """Draw what came."""
        width = max(1, self.room.width - 1)
        follower = self._follower
        shown = (follower.came, width, self._needle, follower.ended)
        if shown != self._shown:
            self._shown = shown
            self._page.show(self._lines(width))
            if self._following:
                self.call_after_refresh(self._to_end)
        self._head.show([self._title(self.room.width)])

    def _lines(self, width: int) -> list[Line]:
        follower = self._follower
        dropped = follower.came - len(follower.lines)
        lines = [note(f"{dropped} lines before are no longer kept")] if dropped else []
        self._starts = []
        for text in follower.lines:
            self._starts.append(len(lines))
            lines += log_lines(text, width, self._needle)
        if follower.ended:
            lines.append(note(follower.ended))
        elif not follower.lines:
            lines.append(note("nothing was written yet"))
        return lines

    def _title(self, width: int) -> Line:
        left = [Run(f"  {printable(self._follower.source.title, 120)}", STRONG)]
        if self._needle:
            hits = matching(list(self._follower.lines), self._needle)
            left.append(Run(f"   /{printable(self._needle, 40)}  {len(hits)} lines", WARN))
        state = "following " if self._following else f"not following; {self.console_app.keys_of('follow')} follows "
        return Line(spread(left, (Run(state, MUTED),), width), "head")

    def _to_end(self) -> None:
        if self._following and self.is_attached:
            self._page.scroll_to(y=self._page.max_scroll_y, animate=False, immediate=True)

    def _scroll(self, lines: int) -> None:
        super()._scroll(lines)
        self._following = lines > 0 and self._page.scroll_offset.y >= self._page.max_scroll_y
        self.refresh_log()

    # ---- commands

    def to_copy(self) -> Sequence[Copyable]:
        """The line that was searched for, the lines in view, all that are kept."""
        from quarterdeck.tui.copying.doing import Copyable

        kept = list(self._follower.lines)
        top, bottom = self._page.scroll_offset.y, self._page.scroll_offset.y + self._page.size.height
        shown = [kept[at] for at, line in enumerate(self._starts) if at < len(kept) and top <= line < bottom]
        hit = [Copyable("the line found", kept[self._hit])] if self._hit is not None and self._hit < len(kept) else []
        lines = Copyable("the lines in view", "\n".join(shown))
        return (*hit, lines, Copyable("all lines that are kept", "\n".join(kept)))

    def document(self) -> object | None:
        """What was read of it."""
        return {"log": self._follower.source.title, "lines": list(self._follower.lines)}

    def open_selected(self) -> None:
        """There is nothing in a log that could be opened."""
        self.console_app.say(f"a line can't be opened; {self.console_app.keys_of('filter')} searches")

    def do_follow(self) -> None:
        """Follow, or stand still."""
        self._following = not self._following
        self._to_end()
        self.refresh_log()

    def do_back(self) -> None:
        """End the search, else go back."""
        if self.typing:
            self.close_prompt()
        elif self._needle:
            self.set_needle("")
        else:
            self.app.pop_screen()

    def do_leave(self) -> None:
        """Go back."""
        self.app.pop_screen()

    @property
    def needle(self) -> str:
        """What is searched for."""
        return self._needle

    def set_needle(self, needle: str) -> None:
        """Search for something else."""
        self._needle = needle.strip()
        self._hit = None
        self.refresh_log()

    def close_prompt(self) -> None:
        """It is typed: to the newest line that has it."""
        if self.typing:
            super().close_prompt()
            self.do_earlier_hit()

    def do_next_hit(self) -> None:
        """The next line that has it."""
        self._go(1)

    def do_earlier_hit(self) -> None:
        """The line before that has it."""
        self._go(-1)

    def _go(self, by: int) -> None:
        hits = matching(list(self._follower.lines), self._needle)
        if not hits:
            if self._needle:
                self.console_app.say(f"{printable(self._needle, 40)!r} is not in the log")
            return
        self._following = False
        after = [hit for hit in hits if self._hit is None or (hit - self._hit) * by > 0]
        self._hit = (after[0] if by > 0 else after[-1]) if after else (hits[0] if by > 0 else hits[-1])
        self._page.scroll_to(
            y=max(0, self._starts[self._hit] - self._page.size.height // 2), animate=False, immediate=True
        )
        self.refresh_log()
