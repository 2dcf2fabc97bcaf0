"""Real workers: they outlive who asked for them, end in words, and are found dead where somebody kills them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jobs import ended, job
from pull_server import BIG, FAST, MODEL, NEVER, SECOND, Server, server
from quarterdeck.demo.pulling import Fault, Trouble
from quarterdeck.engine.audit import Audit, audit_path, read
from quarterdeck.engine.jobs import carrying, worker
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.hands import Hands
from quarterdeck.model.job import Job, JobState


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobFolder]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = JobFolder()
    yield made
    for one in made.read_all():  # whatever a failed test leaves
        if not one.state.ended and one.worker:
            os.kill(one.worker, signal.SIGKILL)


async def created(folder: JobFolder, one: Job) -> Job:
    return await asyncio.to_thread(folder.create, one)


async def pulling(found: Server, folder: JobFolder, one: Job | None = None) -> Job:
    """A job whose pull has reached the server."""
    made = await created(folder, one or found.job())
    async with asyncio.timeout(60):
        await found.pulls.get()
    now = folder.read(made.id)
    assert now.state is JobState.RUNNING
    assert now.worker
    return now


async def test_a_pull_is_carried_out_by_a_process_of_its_own(folder: JobFolder) -> None:
    async with server() as found:
        made = await created(folder, found.job())
        one = await ended(folder, made.id)
        assert MODEL in found.ollama.models
    assert (one.state, one.progress.fraction, one.attempts) == (JobState.DONE, 1.0, 1), one.words
    assert "pulled" in one.words
    assert one.ended is not None
    assert one.started is not None
    begun, done = read(audit_path())
    assert (begun["action"], begun["model"], begun["result"]) == ("pull", MODEL, "begun")
    assert (done["result"], done["job"]) == ("done", made.id)
    log = folder.log_path(made.id)
    assert "done: pulled" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


async def test_it_belongs_to_nobody_and_hears_no_hang_up(folder: JobFolder) -> None:
    async with server(NEVER) as found:
        one = await pulling(found, folder)
        process = psutil.Process(one.worker)
        assert os.getsid(process.pid) != os.getsid(0)
        assert process.terminal() is None
        assert process.pid not in [child.pid for child in psutil.Process().children(recursive=True)]
        os.kill(process.pid, signal.SIGHUP)
        os.kill(process.pid, signal.SIGINT)
        folder.cancel(one.id)
        assert (await ended(folder, one.id)).state is JobState.CANCELLED, "it lived to be told"


async def test_a_killed_worker_leaves_a_dead_job_that_goes_on_when_resumed(folder: JobFolder) -> None:
    async with server(NEVER) as found:
        one = await pulling(found, folder)
        assert one.worker is not None
        os.kill(one.worker, signal.SIGKILL)
        dead = await ended(folder, one.id)
        assert dead.state is JobState.DEAD
        assert (await created(folder, found.job(MODEL, place="elsewhere"))).id != one.id, "nobody is at it"
        other = next(each for each in folder.read_all() if each.id != one.id)
        folder.cancel(other.id)
        assert (await ended(folder, other.id)).state is JobState.CANCELLED
        found.ollama.downloads.bytes_s = FAST
        await asyncio.to_thread(folder.resume, one.id)
        again = await ended(folder, one.id)
    assert (again.state, again.attempts) == (JobState.DONE, 2), again.words


@pytest.mark.parametrize("how", ["file", "SIGTERM"])
async def test_a_pull_is_cancelled_in_the_middle(folder: JobFolder, how: str) -> None:
    async with server(NEVER) as found:
        one = await pulling(found, folder)
        assert one.worker is not None
        if how == "file":
            folder.cancel(one.id)
        else:
            os.kill(one.worker, signal.SIGTERM)
        after = await ended(folder, one.id)
        assert MODEL not in found.ollama.models
    assert (after.state, after.words) == (JobState.CANCELLED, "cancelled")
    assert [line["result"] for line in read(audit_path())] == ["begun", "cancelled"]


async def test_what_waits_its_turn_begins_when_it_comes_and_can_be_cancelled(folder: JobFolder, tmp_path: Path) -> None:
    async with server(NEVER) as found:
        file = tmp_path / "fleet.toml"
        file.write_text(f'[jobs]\nper_host = 1\n[[endpoint]]\nname = "e"\nurl = "{found.url}"\nengine = "ollama"\n')
        first = await pulling(found, folder, found.job(fleet=str(file)))
        second = await created(folder, found.job(SECOND, fleet=str(file)))
        third = await created(folder, found.job(BIG, fleet=str(file)))
        folder.cancel(second.id)
        gone = await ended(folder, second.id)
        assert (gone.state, gone.words) == (JobState.CANCELLED, "cancelled before it began")
        assert found.pulls.empty()
        assert folder.read(third.id).state is JobState.QUEUED
        folder.cancel(first.id)
        async with asyncio.timeout(60):
            assert await found.pulls.get() == BIG
        folder.cancel(third.id)
        await ended(folder, third.id)
    assert len(read(audit_path())) == 4, "what never began is not in it"


async def test_a_connection_that_drops_is_taken_up_again(folder: JobFolder) -> None:
    async with server(20e9) as found:
        found.ollama.downloads.faults[BIG] = Fault(Trouble.DROPPED)
        one = await ended(folder, (await created(folder, found.job(BIG))).id)
        assert found.pulls.qsize() == 2
    assert (one.state, one.progress.fraction) == (JobState.DONE, 1.0), one.words
    assert "; again in " in folder.log_path(one.id).read_text()


@pytest.mark.parametrize(
    ("model", "words"), [("no-such-model:1b", "does not exist|no such model|not found|unknown"), ("a b", "name")]
)
async def test_what_can_not_be_pulled_fails_at_once_in_words(folder: JobFolder, model: str, words: str) -> None:
    import re

    async with server() as found:
        one = await ended(folder, (await created(folder, found.job(model))).id)
    assert one.state is JobState.FAILED
    assert re.search(words, one.words)
    assert "Traceback" not in folder.log_path(one.id).read_text()


async def test_nobody_there_is_an_end_in_words(folder: JobFolder) -> None:
    one = await ended(folder, (await created(folder, job(url="http://127.0.0.1:1"))).id)
    assert (one.state, one.words) == (JobState.FAILED, "connection refused")


async def test_a_real_worker_looks_at_the_fleet_file_itself(folder: JobFolder, tmp_path: Path) -> None:
    async with server() as found:
        file = tmp_path / "fleet.toml"
        file.write_text(f'[console]\nread_only = true\n[[endpoint]]\nname = "e"\nurl = "{found.url}"\n')
        one = await ended(folder, (await created(folder, found.job(fleet=str(file), confirmed="e"))).id)
        assert found.pulls.empty()
    assert one.state is JobState.FAILED
    assert "read-only" in one.words
    assert read(audit_path()) == []


async def test_what_can_not_be_written_down_is_not_done(folder: JobFolder) -> None:
    audit_path().mkdir(parents=True)
    async with server() as found:
        one = await ended(folder, (await created(folder, found.job())).id)
        assert found.pulls.empty()
    assert one.state is JobState.FAILED
    assert one.words.startswith("nothing was done: the audit log can't be written")


async def test_what_is_done_is_done_though_the_disk_filled_meanwhile(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []

    async def carry_out(*_: object) -> str:
        return "pulled"

    def write(_: Audit, record: dict[str, object]) -> None:
        lines.append(str(record["result"]))
        if len(lines) > 1:
            raise OSError(28, "No space left on device")

    async def at_once() -> None: ...

    monkeypatch.setattr(carrying, "carry_out", carry_out)
    monkeypatch.setattr(Audit, "write", write)
    state, words = await worker._done(Hands(replace(job(), id="abcde"), folder), at_once)
    assert state is JobState.DONE
    assert words == "pulled\nThe audit log could not be written (No space left on device)."


async def test_a_bug_is_a_result_too(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    async def carry_out(*_: object) -> str:
        raise ZeroDivisionError

    async def at_once() -> None: ...

    monkeypatch.setattr(carrying, "carry_out", carry_out)
    state, words = await worker._done(Hands(replace(job(), id="abcde"), folder), at_once)
    assert (state, words) == (JobState.FAILED, "a bug in this program: ZeroDivisionError; its log has more")
    assert [line["result"] for line in read(audit_path())] == ["begun", "failed"]
