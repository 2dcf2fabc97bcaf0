"""The folder of jobs: one folder each, with its record, its log, and the lock that its worker holds while it lives.

Whether a worker lives is told by its lock, which the system lets go however it ends; so a killed one is found at once, and no process
id has to be trusted.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from quarterdeck.config.fleet import JobSettings
from quarterdeck.engine.jobs.record import from_json, to_json
from quarterdeck.engine.jobs.spawning import spawn_worker
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.job import Job, JobState

_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
"""Without what is mistaken for something else when it is read aloud."""
_LENGTH = 5
_MOST_BYTES = 256 * 1024
_LEFT_WITHIN_S, _LOOK_EVERY_S = 5.0, 0.02
RECORD, LOG, LOCK, CANCEL = "job.json", "log.txt", "lock", "cancel"

Spawn = Callable[[Path, int], None]
"""Starts the worker of a job's folder; the number is the descriptor of the lock that it inherits."""


def jobs_path() -> Path:
    """The user's folder of jobs."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / "jobs"


class JobFolder:
    """Makes, reads, cancels and resumes jobs. Several may be at it at once, in several processes."""

    def __init__(
        self, path: Path | None = None, *, wall: Callable[[], float] = time.time, spawn: Spawn | None = None
    ) -> None:
        """Nothing is read or written yet. ``spawn`` stands in for starting a detached process."""
        self.path = path or jobs_path()
        self._wall = wall
        self._spawn = spawn or spawn_worker

    # ---- asking for something

    def create(self, job: Job, settings: JobSettings | None = None) -> Job:
        """Write ``job`` (its id is made here) and start its worker; the one that does the same already, where there is one.

        Raises QuarterdeckError where the folder can't be written.
        """
        try:
            with self._alone():
                for other in self.read_all():
                    if not other.state.ended and _same(other, job):
                        return other
                self._prune(settings or JobSettings())
                made = replace(job, id=self._new_id(), state=JobState.QUEUED, created=self._wall())
                self._folder(made.id).mkdir(mode=0o700)
                try:
                    self._begin(made)
                except BaseException:
                    shutil.rmtree(self._folder(made.id), ignore_errors=True)
                    raise
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return made

    def cancel(self, identity: str) -> Job:
        """Ask the worker to stop. Raises UsageError where there is no such job, or it has ended."""
        job = self.read(identity)
        if job.state.ended:
            raise UsageError(f"job {job.id} has ended: it is {job.state.value}")
        try:
            (self._folder(job.id) / CANCEL).touch(0o600)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return job

    def resume(self, identity: str) -> Job:
        """Begin a job again that did not end well. Raises UsageError where that can't be."""
        try:
            with self._alone():
                job = self.read(identity)
                if not job.state.ended or job.state is JobState.DONE:
                    raise UsageError(
                        f"job {job.id} is {job.state.value}", hint="Only what failed, was cancelled or died is resumed."
                    )
                again = next((other for other in self.read_all() if not other.state.ended and _same(other, job)), None)
                if again is not None:
                    raise UsageError(f"job {again.id} does the same already")
                with contextlib.suppress(FileNotFoundError):
                    (self._folder(job.id) / CANCEL).unlink()
                queued = replace(
                    job,
                    state=JobState.QUEUED,
                    started=None,
                    ended=None,
                    words="",
                    worker=None,
                    attempts=job.attempts + 1,
                )
                try:
                    self._begin(queued)
                except BaseException:
                    with contextlib.suppress(OSError):
                        self.write(job)
                    raise
        except OSError as error:
            raise _unwritable(self.path, error) from None
        return queued

    def _begin(self, job: Job) -> None:
        """Write the record and start the worker, which holds the lock from its first moment on."""
        folder = self._folder(job.id)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _locked(descriptor, job.id)
            self.write(job)
            self._spawn(folder, descriptor)
        finally:
            os.close(descriptor)

    # ---- reading

    def read(self, identity: str) -> Job:
        """The job of that id, or of the only id that begins so. Raises UsageError."""
        found = [name for name in self._ids() if name == identity] or [
            name for name in self._ids() if identity and name.startswith(identity)
        ]
        if len(found) != 1:
            raise UsageError(
                f"{len(found) or 'no'} job{'s begin' if len(found) > 1 else ' is called'} {identity[:40]!r}",
                hint="`quarterdeck jobs --all` lists them.",
            )
        return self.read_one(found[0])

    def read_all(self) -> list[Job]:
        """Every job: those that go on first, then the newest."""
        return ordered([self.read_one(name) for name in self._ids()])

    def read_one(self, identity: str) -> Job:
        """The job whose folder is called ``identity``; DEAD where nobody is at it though it has not ended. Never raises."""
        job = from_json(identity, self._record(identity))
        if not job.state.ended and not self.is_held(identity):
            job = from_json(identity, self._record(identity))  # it may have ended between the two looks
            if not job.state.ended:
                return replace(job, state=JobState.DEAD, words="its worker is gone and left no result")
        return job

    def stamps(self) -> dict[str, int]:
        """The id of every job, and when its record was last written (nanoseconds); to see cheaply what changed."""
        found = {}
        for name in self._ids():
            with contextlib.suppress(OSError):
                found[name] = (self.path / name / RECORD).stat().st_mtime_ns
        return found

    def log_path(self, identity: str) -> Path:
        """The file in which a job's worker writes what it does."""
        return self._folder(identity) / LOG

    def cancelled(self, identity: str) -> bool:
        """Whether somebody asked for it to stop."""
        return (self._folder(identity) / CANCEL).exists()

    def _record(self, identity: str) -> object:
        try:
            with (self._folder(identity) / RECORD).open("rb") as file:
                return json.loads(file.read(_MOST_BYTES))
        except (OSError, ValueError, RecursionError):
            return None

    def _ids(self) -> list[str]:
        try:
            return [entry.name for entry in os.scandir(self.path) if _is_id(entry.name)]
        except OSError:
            return []

    def is_held(self, identity: str) -> bool:
        """Whether its worker lives: it holds the lock."""
        try:
            descriptor = os.open(self._folder(identity) / LOCK, os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:  # no descriptors left, perhaps: that is no sign of its worker's end
            return True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    # ---- writing

    def write(self, job: Job) -> None:
        """Put the record in place of the one before, whole or not at all. Raises OSError."""
        path = self._folder(job.id) / RECORD
        fresh = path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(to_json(job), file)
        fresh.replace(path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else makes or resumes a job meanwhile."""
        for folder in (self.path.parent, self.path):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _prune(self, settings: JobSettings) -> None:
        oldest = self._wall() - settings.keep
        for job in self.read_all():
            ended = job.ended or job.created or self._touched(job.id)
            if job.state.ended and ended < oldest and not self.is_held(job.id):
                shutil.rmtree(self._folder(job.id), ignore_errors=True)

    def _touched(self, identity: str) -> float:
        """When something last changed in the folder of a job whose record doesn't tell."""
        try:
            return self._folder(identity).stat().st_mtime
        except OSError:
            return self._wall()

    def _new_id(self) -> str:
        taken = set(self._ids())
        while True:
            made = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
            if made not in taken:
                return made

    def _folder(self, identity: str) -> Path:
        if not _is_id(identity):
            raise UsageError(f"{identity[:40]!r} is no id of a job")
        return self.path / identity


def _is_id(name: str) -> bool:
    return len(name) == _LENGTH and all(character in _ALPHABET for character in name)


def _same(one: Job, other: Job) -> bool:
    """Whether two jobs do the same to the same thing."""
    first, second = one.order, other.order
    alike = (first.action, first.model, dict(first.options)) == (second.action, second.model, dict(second.options))
    if one.url is not None or other.url is not None:
        return alike and one.url == other.url
    return alike and (first.target, one.fleet) == (second.target, other.fleet)


def ordered(jobs: list[Job]) -> list[Job]:
    """Those that go on first, then the newest."""
    return sorted(jobs, key=lambda job: (job.state.ended, -job.created, job.id))


def _unwritable(path: Path, error: OSError) -> QuarterdeckError:
    return QuarterdeckError(
        f"nothing was done: {path} can't be written ({error.strerror or type(error).__name__})",
        hint="Jobs are kept there. XDG_STATE_HOME says where that is.",
    )


def _locked(descriptor: int, identity: str) -> None:
    """Take the lock of a job; the worker of its last attempt may still be on its way out. Raises UsageError."""
    deadline = time.monotonic() + _LEFT_WITHIN_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise UsageError(f"the worker of job {identity} has not ended yet", hint="Try again later.") from None
            time.sleep(_LOOK_EVERY_S)
        else:
            return
