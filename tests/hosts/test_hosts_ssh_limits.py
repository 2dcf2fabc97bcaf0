"""An ssh connection under strain: dropped again and again, flooded, killed from outside, split GPUs, machines that aren't Linux."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import fake_nvidia_smi
import fake_ssh
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.ssh.host import SshHost
from quarterdeck.hosts.ssh.pool import SshPool
from quarterdeck.hosts.ssh.script import MOST_BYTES, Answers
from quarterdeck.hosts.ssh.tunnel import Tunnel

MIB = 2**20
DROPS = 25
TABLE = """
|==================+======================+===========+=======================|
|  1    2   0   0  |     11MiB / 20096MiB | 42      0 |  3   0    2    0    0 |
|                  |      0MiB / 32767MiB |           |                       |
|  1    9   0   1  |    300MiB /  9984MiB | 14      0 |  1   0    1    0    0 |
"""


class Box:
    """A machine that answers to a fake ssh, and the host that reads it."""

    def __init__(self, folder: Path, clock: Any) -> None:
        self.clock = clock
        self.ssh = fake_ssh.install(folder / "bin", "shell")
        self.tools = fake_nvidia_smi.install(folder / "smi").parent
        self.pool = SshPool(clock, str(self.ssh))
        self.host = SshHost(HostSpec("gpu-1", gpus="ssh", timeout=20.0), clock, self.pool)


@pytest.fixture
async def box(tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    monkeypatch.setenv("PATH", f"{tmp_path / 'smi'}:{os.environ['PATH']}")
    made = Box(tmp_path, clock)
    yield made
    await made.host.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_dropped_connections_leave_nothing(box: Box) -> None:
    files: int | None = None
    for number in range(DROPS):
        while (await box.host.read()).reason:
            box.clock.now += 31
        process = box.host._connection._process
        assert process is not None
        if number == 4:
            files = psutil.Process().num_fds()
        process._signal(signal.SIGKILL if number % 2 else signal.SIGTERM)
        await until(lambda: not box.host._connection.up)
    while (await box.host.read()).reason:
        box.clock.now += 31
    assert psutil.Process().num_fds() == files
    # The one that runs now, its shell's jobs, and nothing of those before.
    await until(lambda: len(psutil.Process().children(recursive=True)) <= 4)
    assert len(fake_ssh.calls(box.ssh)) == DROPS + 1
    assert (len(box.host._connection.listeners), len(box.host._connection.watchers)) == (1, 1)


async def test_sockets_of_a_dropped_connection_are_removed(box: Box) -> None:
    tunnel = Tunnel(box.pool, "gpu-1", "http://127.0.0.1:8000", box.clock)
    for _ in range(3):
        while (await box.host.read()).reason:
            box.clock.now += 31
        path = Path(await tunnel.ready())
        assert path.exists()
        folder = path.parent
        process = box.host._connection._process
        assert process is not None
        process._signal(signal.SIGKILL)
        await until(lambda: not box.host._connection.up)
        assert list(folder.iterdir()) == []
    await tunnel.close()


async def test_an_endless_line_of_one_that_will_not_end_is_not_kept(box: Box) -> None:
    fake_ssh.set_mode(box.ssh, "deaf")
    box.host._spec = HostSpec("gpu-1", gpus="ssh", timeout=0.5)
    await box.host.read()
    await until(lambda: box.host._connection._answers.foreign)
    await asyncio.sleep(0)
    assert len(box.host._connection._answers._rest) <= 2 * MOST_BYTES
    await box.host.read()
    assert len(box.host._connection._answers._rest) <= 2 * MOST_BYTES


@pytest.mark.parametrize("line", [b"\0\xff\x1b[2J" * 300, b"x" * 5000], ids=["binary", "long"])
def test_an_answer_without_end_is_cut(line: bytes) -> None:
    answers = Answers("qd")
    for _ in range(100 * MIB // len(line) // 20):
        assert answers.feed(b"qd 7 " + line + b"\n") == []
    kept = answers._open[7]
    assert sum(map(len, kept._lines)) <= MOST_BYTES
    (answer,) = answers.feed(b"qd 7\n")
    assert answer.sections == {}


async def test_mig_devices_are_read_with_their_memory(box: Box) -> None:
    (box.tools / "mode").write_text("split")
    (box.tools / "table").write_text(TABLE)
    await box.host.read()
    box.clock.now += 2
    _, second = (await box.host.read()).gpus
    assert (second.unified, second.memory_total_bytes, second.utilization) == (False, None, None)
    assert [(each.uuid, each.name, each.memory_used_bytes, each.memory_total_bytes) for each in second.mig] == [
        ("MIG-aaaa", "3g.40gb", 11 * MIB, 20096 * MIB),
        ("MIG-bbbb", "1g.10gb", 300 * MIB, 9984 * MIB),
    ]
    (box.tools / "table").write_text(TABLE.replace("300MiB", "900MiB"))
    box.clock.now += 2
    assert (await box.host.read()).gpus[1].mig[1].memory_used_bytes == 900 * MIB


async def test_processes_that_cannot_be_seen_are_rarely_asked_for(box: Box) -> None:
    (box.tools / "ps").write_text(f'#!/bin/sh\necho "$*" >> {box.tools}/asked\nexit 1\n')
    (box.tools / "ps").chmod(0o755)
    (box.tools / "apps").write_text("4194999, GPU-fa4e-0000, 69000, python\n")
    asked = box.tools / "asked"
    for _ in range(4):
        await box.host.read()
        await until(lambda: "processes" not in box.host._under_way)
        box.clock.now += 2
    assert len(asked.read_text().splitlines()) == 1
    (box.tools / "apps").write_text("4194999, GPU-fa4e-0000, 69000, python\n4194998, GPU-fa4e-0000, 1, x\n")
    await box.host.read()
    await until(lambda: "processes" not in box.host._under_way)
    assert asked.read_text().splitlines()[-1].endswith("-p 4194998 4194999")


async def test_a_mac_says_what_is_not_read_of_it(box: Box) -> None:
    (box.tools / "nvidia-smi").unlink()
    for tool, does in (("uname", "echo Darwin"), ("grep", "exit 2"), ("df", "exit 1")):
        (box.tools / tool).write_text(f"#!/bin/sh\n{does}\n")
        (box.tools / tool).chmod(0o755)
    reading = await box.host.read()
    assert (reading.reason, reading.memory_total_bytes) == ("no nvidia-smi on that machine", None)
    assert reading.notes == (
        "processor and memory are read over ssh from Linux alone, and that is Darwin",
        "GPUs that aren't NVIDIA's are not read over ssh: an exporter there (all-smi) can tell of them",
    )


async def test_a_machine_with_amd_gpus_is_read_but_for_them(box: Box) -> None:
    (box.tools / "nvidia-smi").unlink()
    reading = await box.host.read()
    assert reading.memory_total_bytes is not None
    (note,) = reading.notes
    assert "an exporter there" in note


KILLED = """
import asyncio, os, sys, time
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.ssh.host import SshHost
from quarterdeck.hosts.ssh.pool import SshPool

async def main():
    pool = SshPool(time.monotonic, sys.argv[1])
    host = SshHost(HostSpec("gpu-1", gpus="ssh", timeout=20), time.monotonic, pool)
    reading = await host.read()
    print(host._connection._process._transport.get_pid(), len(reading.gpus), flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


async def test_two_consoles_and_one_that_is_killed(box: Box) -> None:
    """What it started ends with it; the other one, on the same machine, notices nothing."""
    assert len((await box.host.read()).gpus) == 2
    command = (sys.executable, "-c", KILLED, str(box.ssh))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        pid, gpus = map(int, other.stdout.readline().split())
        assert gpus == 2
        ssh = psutil.Process(pid)
        other.kill()
        other.wait()
    await until(lambda: not ssh.is_running() or ssh.status() == psutil.STATUS_ZOMBIE)
    assert len((await box.host.read()).gpus) == 2
    assert len(fake_ssh.calls(box.ssh)) == 2
