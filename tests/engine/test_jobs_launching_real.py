"""Servers really started and stopped by a job: phases, an end in words, nothing left."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from fake_servers import Reply, free_port, pages_server
from jobs import ended
from quarterdeck.config.load import load
from quarterdeck.engine.audit import audit_path, read
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.operate import submit
from quarterdeck.errors import UsageError
from quarterdeck.hosts.drivers.family import MARK
from quarterdeck.model.job import Job, JobState, Order
from slow_server import write_server

LOGS = Path(__file__).parent.parent / "data" / "startup"
SECRET = "s3cr3t-of-the-test"
FILE = """
[[endpoint]]
name = "e"
url = "http://127.0.0.1:{port}"
engine = "vllm"
{endpoint}
[[deployment]]
name = "d"
endpoint = "e"
driver = "process"
run = ["{program}", "serve", "m", "--port", "{port}", "{mode}", "{log}"]
cwd = "{folder}"
stop_within = "{stop_within}"
ready_within = "{ready_within}"
"""


@dataclass
class Fleet:
    """A fleet file of one deployment, and what of it runs."""

    folder: Path
    jobs: JobFolder
    port: int

    @property
    def file(self) -> Path:
        return self.folder / "fleet.toml"

    def write(self, mode: str, log: str = "vllm_ready.log", **known: str) -> None:
        usual = {"endpoint": "", "stop_within": "20s", "ready_within": "60s"}
        program = self.folder / "bin" / "vllm"
        places = {"program": program, "log": LOGS / log, "folder": self.folder, "port": self.port}
        self.file.write_text(FILE.format(mode=mode, **(usual | places | known)))
        assert load(self.file).problems == ()

    async def job(self, action: str, confirmed: str = "yes", **options: str) -> Job:
        wanted = Order(action, "d", options=options)
        return await submit(load(self.file).config, wanted, confirmed=confirmed, folder=self.jobs)

    async def done(self, action: str) -> Job:
        return await ended(self.jobs, (await self.job(action)).id)

    def running(self) -> list[psutil.Process]:
        """Every process that this deployment's runs have started, wherever they went."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                environment = process.environ()
                if MARK in environment and environment.get("XDG_STATE_HOME") == str(self.folder / "state"):
                    found.append(process)
        return found

    def listens(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False

    async def serving(self) -> None:
        """Wait until its port is bound: by what the driver wrote, not by the clock."""

        def wait() -> None:
            while not self.listens():
                os.sched_yield()

        async with asyncio.timeout(60):
            await asyncio.to_thread(wait)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_TOKEN", SECRET)
    write_server(tmp_path)
    made = Fleet(tmp_path, JobFolder(), free_port())
    yield made
    for one in made.jobs.read_all():
        if not one.state.ended and one.worker:
            os.kill(one.worker, signal.SIGKILL)
    for process in made.running():
        process.kill()


async def test_it_is_started_and_stopped_and_nothing_is_left(fleet: Fleet) -> None:
    fleet.write("late")
    one = await fleet.done("start")
    assert one.state is JobState.DONE, one.words
    assert one.words.startswith("ready after ")
    assert one.progress.fraction == 1.0
    told = fleet.jobs.log_path(one.id).read_text()
    assert "started as process " in told
    assert "weights" in told, "the phases of its own log"
    assert fleet.running(), "its job has ended, and it serves on: it does not hold the job's lock"
    again = await fleet.done("start")
    assert (again.state, again.words) == (
        JobState.FAILED,
        f"it runs already, and serves at http://127.0.0.1:{fleet.port}",
    )
    stopped = await fleet.done("stop")
    assert stopped.state is JobState.DONE, stopped.words
    assert fleet.running() == []
    assert not fleet.listens()
    assert (await fleet.done("stop")).state is JobState.DONE, "to stop what is stopped is no error"
    results = [line["result"] for line in read(audit_path())]
    assert results == ["begun", "done", "begun", "failed", "begun", "done", "begun", "done"]


async def test_what_is_deaf_and_has_children_is_ended_whole(fleet: Fleet) -> None:
    fleet.write("deaf", stop_within="100ms")
    assert (await fleet.done("start")).state is JobState.DONE
    assert len(fleet.running()) >= 3
    stopped = await fleet.done("stop")
    assert stopped.state is JobState.DONE, stopped.words
    assert fleet.running() == []
    assert not fleet.listens()


async def test_restart_is_another_process(fleet: Fleet) -> None:
    fleet.write("late")
    await fleet.done("start")
    before = {process.pid for process in fleet.running()}
    one = await fleet.done("restart")
    assert one.state is JobState.DONE, one.words
    assert one.words.startswith("stopped: ")
    assert not before & {process.pid for process in fleet.running()}
    await fleet.done("stop")


@pytest.mark.parametrize(
    ("log", "words"), [("vllm_max_model_len.log", "--max-model-len"), ("vllm_port_taken.log", "port|address")]
)
async def test_a_fatal_line_is_the_reason(fleet: Fleet, log: str, words: str) -> None:
    import re

    fleet.write("fatal", log)
    one = await fleet.done("start")
    assert one.state is JobState.FAILED
    assert re.search(words, one.words), one.words
    assert "Traceback" not in one.words
    assert fleet.running() == []


async def test_what_answers_at_its_port_is_not_taken_for_it(fleet: Fleet) -> None:
    """Not even where it isn't ready yet, and so answers no GET /health."""
    async with pages_server(lambda _: Reply(b"", 404)) as other:
        fleet.port = int(other.url.rpartition(":")[2])
        fleet.write("late")
        one = await fleet.done("start")
    assert one.state is JobState.FAILED
    assert one.words.startswith(f"port {fleet.port} is taken: something answers there")
    assert fleet.running() == []


async def test_a_start_that_is_cancelled_ends_all_of_it(fleet: Fleet) -> None:
    fleet.write("never")
    one = await fleet.job("start")
    await fleet.serving()
    assert fleet.jobs.read(one.id).state is JobState.RUNNING
    fleet.jobs.cancel(one.id)
    after = await ended(fleet.jobs, one.id)
    assert (after.state, after.words) == (JobState.CANCELLED, "cancelled; what was begun is ended")
    assert fleet.running() == []
    assert not fleet.listens()


async def test_a_stop_that_is_cancelled_says_what_it_left(fleet: Fleet) -> None:
    fleet.write("deaf", stop_within="10m")
    await fleet.done("start")
    one = await fleet.job("stop")
    await _logged(fleet.jobs.log_path(one.id), "asked process ")
    fleet.jobs.cancel(one.id)
    after = await ended(fleet.jobs, one.id)
    assert after.state is JobState.CANCELLED
    assert after.words.startswith("cancelled: it was asked to end and may still do so, but nothing of it is killed")
    assert "`quarterdeck stop d --now`" in after.words
    assert fleet.running()
    hurried = await ended(fleet.jobs, (await fleet.job("stop", within="0s")).id)
    assert hurried.state is JobState.DONE, hurried.words
    assert hurried.words.startswith("ended by SIGKILL")
    assert fleet.running() == []


@pytest.mark.parametrize("slow", ["stop", "restart"])
async def test_a_stop_that_waits_is_hurried(fleet: Fleet, slow: str) -> None:
    fleet.write("deaf", stop_within="10m")
    await fleet.done("start")
    one = await fleet.job(slow)
    await _logged(fleet.jobs.log_path(one.id), "asked process ")
    hurried = await ended(fleet.jobs, (await fleet.job("stop", within="0s")).id)
    assert hurried.state is JobState.DONE, hurried.words
    assert hurried.words.startswith("ended by SIGKILL")
    first = await ended(fleet.jobs, one.id)
    assert first.state is JobState.CANCELLED
    assert ("it is not started again" in first.words) is (slow == "restart")
    assert fleet.running() == []
    assert not fleet.listens()


async def test_what_is_not_ready_in_time_goes_on_and_is_watched_again(fleet: Fleet) -> None:
    fleet.write("never", ready_within="1s")
    one = await fleet.done("start")
    assert one.state is JobState.FAILED
    assert one.words.startswith("not ready after 1."), one.words
    before = {process.pid for process in fleet.running()}
    assert before
    fleet.write("never", ready_within="60s")
    again = await asyncio.to_thread(fleet.jobs.resume, one.id)
    await _logged(fleet.jobs.log_path(one.id), "watched again")
    assert {process.pid for process in fleet.running()} == before
    fleet.jobs.cancel(again.id)
    assert (await ended(fleet.jobs, one.id)).state is JobState.CANCELLED
    assert fleet.running() == []


async def test_a_worker_that_is_killed_leaves_the_server_to_the_next(fleet: Fleet) -> None:
    fleet.write("never")
    one = await fleet.job("start")
    await fleet.serving()
    worker = fleet.jobs.read(one.id).worker
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    assert (await ended(fleet.jobs, one.id)).state is JobState.DEAD, "though what it started lives"
    assert fleet.running()
    assert (await fleet.done("stop")).state is JobState.DONE
    assert fleet.running() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: text.index("[[deployment]]")], "no deployment 'd'"),
        (
            lambda text: text.replace('engine = "vllm"', 'engine = "vllm"\nprotected = true'),
            "e is protected|d is protected",
        ),
        (lambda text: f"[console]\nread_only = true\n{text}", "read-only"),
        (lambda text: f"[console]\nread_only = maybe\n{text}", "can't be used|read-only"),
        (lambda text: f"[console]\nread_olny = true\n{text}", "read-only"),
        (lambda text: f"[[[{text}", "can't be used"),
    ],
    ids=["removed", "protected", "read-only", "no value", "typo", "syntax"],
)
async def test_the_file_counts_as_it_is_when_the_worker_looks(
    fleet: Fleet, change: Callable[[str], str], words: str
) -> None:
    import re

    fleet.write("late")
    asked = load(fleet.file).config
    fleet.file.write_text(change(fleet.file.read_text()))
    made = await submit(asked, Order("start", "d"), confirmed="yes", folder=fleet.jobs)
    one = await ended(fleet.jobs, made.id)
    assert one.state is JobState.FAILED
    assert re.search(words, one.words), one.words
    assert fleet.running() == []
    again = await asyncio.to_thread(fleet.jobs.resume, one.id)
    assert (await ended(fleet.jobs, again.id)).state is JobState.FAILED, "nor by doing it again"
    assert fleet.running() == []


async def test_nothing_that_is_kept_tells_a_secret_or_is_others_to_read(fleet: Fleet) -> None:
    umask = os.umask(0)
    try:
        fleet.write("late")
        await fleet.done("start")
        await fleet.done("stop")
    finally:
        os.umask(umask)
    kept = list((fleet.folder / "state").rglob("*"))
    assert {"job.json", "log.txt", "lock", "audit.jsonl", ".lock"} <= {path.name for path in kept}
    for path in kept:
        assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


async def test_two_are_not_started_at_once(fleet: Fleet) -> None:
    fleet.write("never")
    first, second = await asyncio.gather(fleet.job("start"), fleet.job("start"))
    assert first.id == second.id
    with pytest.raises(UsageError):
        fleet.jobs.resume(first.id)
    await fleet.serving()
    fleet.jobs.cancel(first.id)
    await ended(fleet.jobs, first.id)
    assert fleet.running() == []


async def _logged(path: Path, words: str) -> None:
    def wait() -> None:
        while words not in path.read_text():
            os.sched_yield()

    async with asyncio.timeout(60):
        await asyncio.to_thread(wait)
