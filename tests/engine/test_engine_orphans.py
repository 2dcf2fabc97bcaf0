"""Ending orphans: only those, only here, and always written down."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from fakes import GIB, gpu, host_view
from quarterdeck.engine.orphans import end_orphan, refusal
from quarterdeck.hosts.ending import Ending, end_worker
from quarterdeck.hosts.processes import ProcessTable
from quarterdeck.model.gpu import GpuProcess, Holder
from quarterdeck.model.host import HostView

ORPHAN = GpuProcess(4711, 30 * GIB, name="VLLM::EngineCore", started=1000.0, holder=Holder.ORPHAN, orphaned=True)


def here(*processes: GpuProcess) -> HostView:
    return host_view("here", gpu(0, processes=processes), gpu(1, processes=processes))


def spy(result: str = "ended") -> tuple[list[tuple[int, float | None]], Callable[[int, float | None], Ending]]:
    calls: list[tuple[int, float | None]] = []

    def end(pid: int, started: float | None) -> Ending:
        calls.append((pid, started))
        return Ending(result, f"process {pid} has {result}")

    return calls, end


async def test_an_orphan_is_ended_and_written_down(tmp_path: Path) -> None:
    calls, end = spy()
    audit = tmp_path / "state" / "audit.jsonl"
    words = await end_orphan(ORPHAN, here(ORPHAN), read_only=False, audit=audit, wall=lambda: 1_795_370_400.0, end=end)
    assert words == "process 4711 has ended"
    assert calls == [(4711, 1000.0)]
    begun, record = map(json.loads, audit.read_text().splitlines())
    assert (begun["action"], begun["pid"], begun["result"]) == ("end-orphan", 4711, "begun")
    assert record["time"] == "2026-11-22T18:00:00+00:00"
    assert record["user"]
    assert (record["action"], record["host"], record["pid"]) == ("end-orphan", "here", 4711)
    assert record["title"] == "VLLM::EngineCore"
    assert record["memory_bytes"] == 60 * GIB, "on all GPUs"
    assert record["result"] == "ended"
    assert audit.stat().st_mode & 0o777 == 0o600
    await end_orphan(ORPHAN, here(ORPHAN), read_only=False, audit=audit, end=end)
    assert len(audit.read_text().splitlines()) == 4


async def test_what_must_not_be_ended_is_refused(tmp_path: Path) -> None:
    calls, end = spy()
    audit = tmp_path / "audit.jsonl"
    assert "read-only" in await end_orphan(ORPHAN, here(ORPHAN), read_only=True, audit=audit, end=end)
    for holder in (Holder.OTHER, Holder.MODEL):
        process = replace(ORPHAN, holder=holder)
        assert "no orphan" in await end_orphan(process, here(process), read_only=False, audit=audit, end=end)
    elsewhere = replace(here(ORPHAN), name="there", source="ssh")
    assert "kill 4711" in await end_orphan(ORPHAN, elsewhere, read_only=False, audit=audit, end=end)
    assert calls == []
    assert not audit.exists()
    assert refusal(ORPHAN, here(ORPHAN), read_only=False) == ""


async def test_what_was_begun_is_written_down_before_it_is_done(tmp_path: Path) -> None:
    """Who quits within the grace period has sent a SIGTERM all the same."""
    audit = tmp_path / "audit.jsonl"

    def end(pid: int, started: float | None) -> Ending:
        assert json.loads(audit.read_text())["result"] == "begun"
        raise OSError("nobody expects this")

    words = await end_orphan(ORPHAN, here(ORPHAN), read_only=False, audit=audit, end=end)
    assert words == "process 4711 could not be ended (OSError)"
    assert [json.loads(line)["result"] for line in audit.read_text().splitlines()] == ["begun", "failed"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
async def test_on_a_full_disk_nothing_is_done() -> None:
    calls, end = spy()
    words = await end_orphan(ORPHAN, here(ORPHAN), read_only=False, audit=Path("/dev/full"), end=end)
    assert words.startswith("nothing was done")
    assert calls == []


async def test_without_an_audit_nothing_is_done(tmp_path: Path) -> None:
    calls, end = spy()
    (tmp_path / "file").write_text("")
    words = await end_orphan(ORPHAN, here(ORPHAN), read_only=False, audit=tmp_path / "file" / "audit.jsonl", end=end)
    assert words.startswith("nothing was done")
    assert calls == []


# ---- real processes

SERVER = "import subprocess, sys; print(subprocess.Popen(sys.argv[2:], executable=sys.argv[1]).pid, flush=True); sys.stdin.read()"
TWO_WORKERS = (
    "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(*(subprocess.Popen([f'VLLM::Worker_TP{n}', '1000'], executable='/bin/sleep').pid for n in range(2)), flush=True); "
    "signal.pause()"
)
STUBBORN = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
)


def child_of_a_server(program: str, *argv: str) -> tuple[subprocess.Popen[bytes], int]:
    server = subprocess.Popen(
        ["vllm", "-c", SERVER, program, *argv],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that all of it can be ended
    )
    assert server.stdout is not None
    pid = int(server.stdout.readline())
    while not psutil.Process(pid).cmdline():  # the kernel sets it a moment after exec began
        os.sched_yield()
    return server, pid


@pytest.fixture
def grow() -> Iterator[Callable[..., tuple[subprocess.Popen[bytes], int]]]:
    grown: list[tuple[subprocess.Popen[bytes], int]] = []

    def start(program: str, *argv: str) -> tuple[subprocess.Popen[bytes], int]:
        grown.append(child_of_a_server(program, *argv))
        return grown[-1]

    yield start
    for server, _ in grown:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        for pipe in (server.stdin, server.stdout):  # not `communicate`: a grandchild may hold the other end
            if pipe is not None:
                pipe.close()


Grow = Callable[..., tuple[subprocess.Popen[bytes], int]]


def test_a_real_orphan_ends_on_sigterm(grow: Grow) -> None:
    server, pid = grow("/bin/sleep", "VLLM::EngineCore", "1000")
    started = psutil.Process(pid).create_time()
    assert end_worker(pid, started).result == "refused", "its server lives"
    assert psutil.pid_exists(pid)
    server.kill()
    server.wait()
    assert end_worker(pid, started + 1).result == "refused", "another process has that pid now"
    assert psutil.pid_exists(pid)
    assert end_worker(pid, started).result == "ended"
    assert end_worker(pid, started).result == "gone"


def test_a_real_orphan_that_ignores_sigterm_is_killed(grow: Grow) -> None:
    server, pid = grow(sys.executable, "VLLM::EngineCore", "-c", STUBBORN)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    started = psutil.Process(pid).create_time()
    server.kill()
    server.wait()
    ending = end_worker(pid, started, grace=0.05)
    assert ending.result == "killed", ending.words
    assert "SIGKILL" in ending.words


def test_the_workers_of_the_same_server_end_together(grow: Grow) -> None:
    """One is chosen, on one GPU; its siblings hold the other GPUs and are of no use without it."""
    server, core = grow(sys.executable, "VLLM::EngineCore", "-c", TWO_WORKERS)
    assert server.stdout is not None
    workers = [int(pid) for pid in server.stdout.readline().split()]
    while not all(psutil.Process(pid).cmdline() for pid in workers):
        os.sched_yield()
    server.kill()
    server.wait()
    ending = end_worker(workers[1], psutil.Process(workers[1]).create_time(), grace=0.05)
    assert ending.result == "killed", ending.words
    assert "2 more" in ending.words
    assert not any(psutil.pid_exists(pid) for pid in (core, *workers))


def test_a_process_that_is_no_worker_is_never_ended(grow: Grow) -> None:
    server, pid = grow("/bin/sleep", "precious", "1000")
    server.kill()
    server.wait()
    table = ProcessTable(time.monotonic)
    assert end_worker(pid, psutil.Process(pid).create_time(), table=table).result == "refused"
    assert psutil.pid_exists(pid)
