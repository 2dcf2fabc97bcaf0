"""Three models to two servers at once: whoever asked is killed, the downloads go on, and another sees them end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs import ended
from pull_server import BIG, FAST, MODEL, NEVER, SECOND, server
from quarterdeck.demo.pulling import Fault, Trouble
from quarterdeck.engine.audit import audit_path, read
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.model.job import Job, JobState

SOME, ENOUGH = 20e9, 5e9
"""Bytes a second: a download takes long enough to be seen."""
CONSOLE = """
import signal, sys
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.model.job import Job, Order
folder = JobFolder()
for url in sys.argv[1:3]:
    for model in sys.argv[3:]:
        folder.create(Job("", Order("pull", "e", model), url=url, engine="ollama", place=url))
print("all", flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobFolder]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = JobFolder()
    yield made
    for one in made.read_all():
        if not one.state.ended and one.worker:
            os.kill(one.worker, signal.SIGKILL)


async def seen_until_the_end(board: JobBoard) -> dict[str, list[Job]]:
    """Every state in which each job was found, until all have ended."""
    seen: dict[str, list[Job]] = defaultdict(list)
    async with asyncio.timeout(120):
        while True:
            jobs = await asyncio.to_thread(board.read)
            for one in jobs:
                if not seen[one.id] or seen[one.id][-1] is not one:
                    seen[one.id].append(one)
            if all(one.state.ended for one in jobs):
                return seen


async def test_downloads_outlive_who_asked_for_them(folder: JobFolder) -> None:
    async with server(ENOUGH) as one, server(ENOUGH) as other:
        for each in (one, other):
            each.ollama.models.pop(SECOND, None)
            each.ollama.downloads.faults[BIG] = Fault(Trouble.DROPPED)
        console = subprocess.Popen(
            [sys.executable, "-c", CONSOLE, one.url, other.url, MODEL, SECOND, BIG], stdout=subprocess.PIPE
        )
        assert console.stdout is not None
        with console:
            assert await asyncio.to_thread(console.stdout.readline) == b"all\n"
            console.kill()
        assert console.returncode == -signal.SIGKILL
        before = JobBoard(folder).read()
        assert len(before) == 6
        assert sum(not job.state.ended for job in before) >= 2
        seen = await seen_until_the_end(JobBoard(folder))
        for each in (one, other):
            assert {MODEL, SECOND, BIG} <= set(each.ollama.models)
    for states in seen.values():
        assert states[-1].state is JobState.DONE, states[-1].words
        shares = [job.progress.fraction or 0.0 for job in states]
        assert shares == sorted(shares), "the bar never goes back, though the connection broke"
        assert shares[-1] == 1.0
        loaded = [job.progress.completed or 0 for job in states]
        assert loaded == sorted(loaded), "nor do the bytes"
    results = [line["result"] for line in read(audit_path())]
    assert (results.count("begun"), results.count("done")) == (6, 6)


async def test_what_waits_to_try_again_is_cancelled_at_once(folder: JobFolder) -> None:
    async with server(SOME) as found:
        found.ollama.downloads.faults[BIG] = Fault(Trouble.DROPPED, times=1000)
        one = await asyncio.to_thread(folder.create, found.job(BIG))

        def rests() -> None:
            while "; again in " not in folder.log_path(one.id).read_text():
                os.sched_yield()

        async with asyncio.timeout(60):
            await asyncio.to_thread(rests)
        folder.cancel(one.id)
        after = await ended(folder, one.id)
    assert (after.state, after.words) == (JobState.CANCELLED, "cancelled")
    assert (after.progress.fraction or 0.0) > 0.2, "how far it came is kept"


@pytest.mark.parametrize("trouble", [Trouble.DISK_FULL, Trouble.HALF_LINE])
async def test_what_goes_wrong_at_the_server_has_a_clear_end(folder: JobFolder, trouble: Trouble) -> None:
    async with server(SOME) as found:
        found.ollama.downloads.faults[BIG] = Fault(trouble)
        one = await ended(folder, (await asyncio.to_thread(folder.create, found.job(BIG))).id)
    if trouble is Trouble.DISK_FULL:
        assert (one.state, one.words) == (
            JobState.FAILED,
            "the disk is full: make room on the server, then resume",
        )
    else:
        assert one.state is JobState.DONE, one.words


async def test_a_resumed_bar_begins_where_it_was(folder: JobFolder) -> None:
    async with server(NEVER) as found:
        made = await asyncio.to_thread(folder.create, found.job(BIG))
        async with asyncio.timeout(60):
            await found.pulls.get()
        found.ollama.downloads.bytes_s = 2e9
        board, share = JobBoard(folder), 0.0
        async with asyncio.timeout(60):
            while share < 0.2:
                (now,) = await asyncio.to_thread(board.read)
                share = now.progress.fraction or 0.0
        assert now.worker is not None
        os.kill(now.worker, signal.SIGKILL)
        dead = await ended(folder, made.id)
        assert (dead.state, dead.attempts) == (JobState.DEAD, 1)
        found.ollama.downloads.bytes_s = FAST
        again = await asyncio.to_thread(folder.resume, made.id)
        assert (again.progress.fraction or 0.0) >= share
        (states,) = (await seen_until_the_end(JobBoard(folder))).values()
    shares = [job.progress.fraction or 0.0 for job in states]
    assert shares == sorted(shares)
    assert (states[-1].state, states[-1].attempts) == (JobState.DONE, 2), states[-1].words
    assert min(shares) >= share


async def test_nothing_of_a_worker_stays_with_who_asked(folder: JobFolder) -> None:
    before = {child.pid for child in psutil.Process().children()}
    async with server() as found:
        one = await asyncio.to_thread(folder.create, found.job())
        assert {child.pid for child in psutil.Process().children()} == before, "not even a dead process"
        await ended(folder, one.id)
