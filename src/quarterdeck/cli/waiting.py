"""Watching jobs from the command line: a progress bar on a terminal, plain lines on a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.format import printable
from quarterdeck.model.job import Job
from quarterdeck.report.jobs import far, line

LOOK_EVERY_S = 0.25
STEP = 0.1
"""On a pipe a line is written at every tenth of the way, and when the phase changes."""
_BAR = 24


async def wait_for(ids: Sequence[str], *, quiet: bool = False) -> list[Job]:
    """The jobs once all have ended; meanwhile their progress goes to stderr unless ``quiet``. Interrupted, they go on."""
    folder = JobFolder()
    shower = _Bars() if sys.stderr.isatty() else _Lines()
    try:
        while True:
            jobs = [await asyncio.to_thread(folder.read, identity) for identity in ids]
            if not quiet:
                shower.show(jobs)
            if all(job.state.ended for job in jobs):
                return jobs
            await asyncio.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        if not quiet:
            sys.stderr.write("\nThe job goes on; `quarterdeck jobs` shows it, `quarterdeck jobs cancel` stops it.\n")
        raise


class _Lines:
    """A line at each step."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, str, int]] = {}

    def show(self, jobs: Sequence[Job]) -> None:
        """Say what is new."""
        for job in jobs:
            step = int((job.progress.fraction or 0.0) / STEP)
            now = (job.state.value, job.progress.phase if not job.state.ended else "", step)
            if self._said.get(job.id) != now:
                self._said[job.id] = now
                sys.stderr.write(line(job) + "\n")
        sys.stderr.flush()


class _Bars:
    """A bar a job, drawn over."""

    def __init__(self) -> None:
        self._drawn = 0

    def show(self, jobs: Sequence[Job]) -> None:
        """Draw over what was drawn before."""
        width = _columns()
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        sys.stderr.write(up + "".join(f"\r\x1b[K{bar_line(job, width)}\n" for job in jobs))
        sys.stderr.flush()
        self._drawn = len(jobs)


def bar_line(job: Job, width: int) -> str:
    """A job in one line of at most ``width`` cells."""
    if job.state.ended:
        return printable(line(job), max(10, width - 1))
    done = round((job.progress.fraction or 0.0) * _BAR)
    bar = "━" * done + "─" * (_BAR - done)
    facts = "  ".join(far(job)) or job.progress.phase or job.state.value
    room = max(8, width - _BAR - len(facts) - 6)
    return f"{printable(job.order.about, room):<{min(room, 30)}}  {bar}  {facts}"[: max(10, width - 1)]


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 80
