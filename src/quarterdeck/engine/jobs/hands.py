"""What somebody who carries out a job has: a way to tell how far it is, a log, and the news that it is to stop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.format import printable
from quarterdeck.model.job import Job, JobState, Progress

WRITE_EVERY_S = 0.25
"""The record is written no more often for progress alone; also how often it is looked whether to stop."""
_LAST_WORDS_WITHIN_S = 600.0


class Failed(Exception):  # noqa: N818  (it is an end, in words)
    """The job can't be done; the message says why, and after a line break what to try."""


class Hands:
    """The record of one job while it is carried out. Only its worker writes it."""

    def __init__(self, job: Job, folder: JobFolder, *, wall: Callable[[], float] = time.time) -> None:
        """Writes nothing yet."""
        self.job = job
        self.stopping = asyncio.Event()
        """Set when somebody asked for it to stop."""
        self.parting = "cancelled"
        """What is said of it where it is cancelled: what was left behind."""
        self._folder = folder
        self._wall = wall
        self._written: Job | None = None

    @property
    def folder(self) -> JobFolder:
        """Where the others are."""
        return self._folder

    def report(self, progress: Progress) -> None:
        """How far it is. The share never goes back, whatever is told."""
        before = self.job.progress
        shares = [share for share in (before.fraction, progress.fraction) if share is not None]
        kept = replace(progress, fraction=max(shares, default=None))
        if progress.completed is None and before.completed is not None:
            kept = replace(kept, completed=before.completed, total=before.total)
        if kept.phase and kept.phase != before.phase:
            self.log(kept.phase)
        self.job = replace(self.job, progress=kept)

    def log(self, text: str) -> None:
        """A line in the job's log."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._wall()))
        with contextlib.suppress(OSError, ValueError):  # a full disk stops no job
            for line in text.splitlines() or [""]:
                sys.stdout.write(f"{when}  {printable(line, 2000)}\n")
            sys.stdout.flush()

    def becomes(self, state: JobState, **changes: object) -> None:
        """Another state, written at once where that can be."""
        self.job = replace(self.job, state=state, **changes)  # type: ignore[arg-type]
        self._write()

    def _write(self) -> bool:
        if self.job == self._written:
            return True
        try:
            self._folder.write(self.job)
        except FileNotFoundError:  # somebody deleted the job's folder: there is nowhere to write any more
            return True
        except OSError:
            return False
        self._written = self.job
        return True

    async def attend(self) -> None:
        """Write what is new, and see whether to stop, until cancelled."""
        while True:
            self._write()
            if self._folder.cancelled(self.job.id):
                self.stopping.set()
            await asyncio.sleep(WRITE_EVERY_S)

    async def finish(self, state: JobState, words: str) -> None:
        """The end. On a full disk it is tried again for minutes: a job without a result is told to be dead."""
        self.job = replace(self.job, state=state, words=words, ended=self._wall())
        self.log(f"{state.value}: {words}" if words else state.value)
        deadline = time.monotonic() + _LAST_WORDS_WITHIN_S
        while not self._write() and time.monotonic() < deadline:  # noqa: ASYNC110  (no event tells of room on a disk)
            await asyncio.sleep(1.0)
