"""Watching jobs from the command line: a progress bar on a terminal, plain lines on a pipe."""

from __future__ import annotations

import asyncio
import os
import sys
import unicodedata
from collections.abc import Sequence

from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.format import printable
from quarterdeck.model.job import Job
from quarterdeck.report.jobs import far, line

LOOK_EVERY_S = 0.25
STEP = 0.1
"""On a pipe a line is written at every tenth of the way, and when the phase changes."""
_BAR, _SHORT_BAR, _NAME = 24, 8, 30


async def wait_for(ids: Sequence[str], *, quiet: bool = False) -> list[Job]:
    """The jobs once all have ended; meanwhile their progress goes to stderr unless ``quiet``. Interrupted, they go on."""
    folder = JobFolder()
    ids = list(dict.fromkeys(ids))
    shower = _Bars() if sys.stderr.isatty() else _Lines()
    jobs: list[Job] = []
    try:
        while True:
            jobs = [await asyncio.to_thread(folder.read, identity) for identity in ids]
            if not quiet:
                shower.show(jobs)
            if all(job.state.ended for job in jobs):
                return jobs
            await asyncio.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        going = [job.id for job in jobs if not job.state.ended] or ids
        goes, them = ("goes", "it") if len(going) == 1 else ("go", "them")
        sys.stderr.write(
            f"\n{', '.join(going)} {goes} on. `quarterdeck jobs watch {' '.join(going)}` follows {them}, "
            f"`quarterdeck jobs cancel {' '.join(going)}` stops {them}.\n"
        )
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
    """A bar a job, drawn over when something changed."""

    def __init__(self) -> None:
        self._drawn: list[str] = []

    def show(self, jobs: Sequence[Job]) -> None:
        """Draw over what was drawn before."""
        columns, rows = _size()
        over = all(job.state.ended for job in jobs)  # the last words are never drawn over, so they need not fit
        lines = [line(job) for job in jobs] if over else _fitting(jobs, columns, rows)
        if lines == self._drawn:
            return
        # A terminal that became narrower has broken the old lines into several.
        height = sum(max(1, -(-_cells(old) // columns)) for old in self._drawn)
        up = f"\x1b[{height}A\r" if height else ""
        sys.stderr.write(up + "".join(f"{text}\x1b[K\n" for text in lines) + "\x1b[J")
        sys.stderr.flush()
        self._drawn = lines


def _fitting(jobs: Sequence[Job], columns: int, rows: int) -> list[str]:
    """A line a job; where they don't fit the screen, those that go on first, and how many more there are."""
    room = max(1, rows - 2)
    if len(jobs) <= room:
        return [bar_line(job, columns) for job in jobs]
    first = sorted(jobs, key=lambda job: job.state.ended)[:room]
    return [*(bar_line(job, columns) for job in first), _cut(f"… and {len(jobs) - room} more", columns - 1)]


def bar_line(job: Job, width: int) -> str:
    """A job in one line of less than ``width`` cells."""
    room = max(1, width - 1)
    if job.state.ended:
        return _cut(line(job), room)
    phase = printable(job.progress.phase)
    facts = "  ".join(far(job)) or phase or job.state.value
    length = _BAR if room >= _BAR + len(facts) + 20 else _SHORT_BAR
    done = round(min(1.0, max(0.0, job.progress.fraction or 0.0)) * length)
    bar = "━" * done + "─" * (length - done)
    name = _cut(printable(job.order.about), min(_NAME, max(8, room - length - len(facts) - 4)))
    return _cut("  ".join([name, bar, facts, *([phase] if phase and phase != facts else [])]), room)


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cut(text: str, width: int) -> str:
    """At most ``width`` cells of it."""
    if _cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if _cells(kept + character) > width - 1:
            break
        kept += character
    return kept + "…"


def _size() -> tuple[int, int]:
    """Columns and lines of the terminal."""
    try:
        found = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24
