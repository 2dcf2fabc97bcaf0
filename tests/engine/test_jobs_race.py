"""Several who are at the same jobs at once: nothing is begun twice, and no job has two workers."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

from jobs import Workers, job, order
from quarterdeck.engine.jobs.folder import CANCEL, LOCK, JobFolder
from quarterdeck.errors import UsageError
from quarterdeck.model.job import JobState


def run_worker(path: Path, descriptor: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "quarterdeck.engine.jobs.worker", str(path), str(descriptor)]
    return subprocess.run(command, pass_fds=(descriptor,), capture_output=True, text=True, timeout=60, check=False)


def test_no_job_has_two_workers(tmp_path: Path) -> None:
    workers = Workers()
    folder = JobFolder(tmp_path, spawn=workers)
    made = folder.create(job())  # one holds its lock
    own = os.open(folder.path / made.id / LOCK, os.O_RDWR)
    other = os.open(folder.path / made.id / "job.json", os.O_RDONLY)
    for descriptor in (own, other):
        ran = run_worker(folder.path / made.id, descriptor)
        assert ran.returncode == 2
        assert "another worker" in ran.stderr
        os.close(descriptor)
    assert folder.read(made.id) == made
    workers.dies(made.id)


def _asks(path: Path, start: Barrier, stop: Barrier, told: multiprocessing.Queue[str]) -> None:
    workers = Workers()
    folder = JobFolder(path, spawn=workers)
    start.wait()
    ids = [folder.create(job(order(model=name))).id for name in "abc"]
    told.put(json.dumps([ids, workers.started]))
    stop.wait()  # the workers it started live until all have asked


def test_consoles_that_race_begin_nothing_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, stop, told = context.Barrier(6), context.Barrier(7), context.Queue()
    consoles = [context.Process(target=_asks, args=(tmp_path, start, stop, told)) for _ in range(6)]
    for console in consoles:
        console.start()
    answers = [json.loads(told.get(timeout=60)) for _ in consoles]
    states = {one.id: one.state for one in JobFolder(tmp_path).read_all()}
    stop.wait()
    for console in consoles:
        console.join()
    assert len({tuple(ids) for ids, _ in answers}) == 1, "all got the same jobs"
    begun = [identity for _, started in answers for identity in started]
    assert sorted(begun) == sorted(states)
    assert set(states.values()) == {JobState.QUEUED}


def test_two_who_resume_at_once_begin_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = Workers()
    made = JobFolder(tmp_path, spawn=workers).create(job())
    workers.dies(made.id)
    start, stop, told = context.Barrier(4), context.Barrier(5), context.Queue()
    consoles = [context.Process(target=_resumes, args=(tmp_path, made.id, start, stop, told)) for _ in range(4)]
    for console in consoles:
        console.start()
    started = [told.get(timeout=60) for _ in consoles]
    stop.wait()
    for console in consoles:
        console.join()
    assert sum(started) == 1
    assert not (tmp_path / made.id / CANCEL).exists()
    assert JobFolder(tmp_path).read(made.id).attempts == 2


def _resumes(path: Path, identity: str, start: Barrier, stop: Barrier, told: multiprocessing.Queue[int]) -> None:
    workers = Workers()
    start.wait()
    with contextlib.suppress(UsageError):
        JobFolder(path, spawn=workers).resume(identity)
    told.put(len(workers.started))
    stop.wait()
