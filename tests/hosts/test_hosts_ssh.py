"""Another machine over ssh: the program on the other side, its answers, and everything that can go wrong on the way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import fake_nvidia_smi
import fake_ssh
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.ssh import connection as ssh_connection
from quarterdeck.hosts.ssh import host as ssh
from quarterdeck.hosts.ssh import pool as ssh_pool
from quarterdeck.hosts.ssh.host import SshHost
from quarterdeck.hosts.ssh.pool import SshPool

MIB = 2**20


class Box:
    """A machine that answers to a fake ssh, and the host that reads it."""

    def __init__(self, folder: Path, clock: Any) -> None:
        self.folder = folder
        self.clock = clock
        self.ssh = fake_ssh.install(folder / "bin", "shell")
        self.smi = fake_nvidia_smi.install(folder / "smi")
        self.pool = SshPool(clock, str(self.ssh))
        self.host = self.new_host()

    def new_host(self, timeout: float = 20.0) -> SshHost:
        return SshHost(HostSpec("gpu-1", gpus="ssh", timeout=timeout), self.clock, self.pool, wall=lambda: 5000.0)

    def says(self, mode: str) -> None:
        """What nvidia-smi does."""
        (self.smi.parent / "mode").write_text(mode)


@pytest.fixture
async def box(tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Box]:
    monkeypatch.setenv("PATH", f"{tmp_path / 'smi'}:{os.environ['PATH']}")
    made = Box(tmp_path, clock)
    yield made
    await made.host.close()


def descendants() -> set[int]:
    """Living processes that this one has started, zombies too."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_processor_memory_disk_and_gpus(box: Box) -> None:
    reading = await box.host.read()
    assert (reading.source, reading.reason, reading.at) == ("ssh", "", 1000.0)
    assert reading.cpu is None  # takes two readings
    memory = psutil.virtual_memory()
    assert reading.memory_total_bytes == memory.total
    assert reading.memory_used_bytes == pytest.approx(memory.total - memory.available, abs=2**30)
    assert (reading.disk_total_bytes or 0) == pytest.approx(psutil.disk_usage("/").total, rel=0.01)
    assert reading.driver == "570.133.20"
    first, second = reading.gpus
    assert (first.index, first.uuid, first.name) == (0, "GPU-fa4e-0000", "NVIDIA H100 80GB HBM3")
    assert (first.utilization, first.memory_utilization) == (0.4, 0.12)
    assert (first.memory_used_bytes, first.memory_reserved_bytes) == (70000 * MIB, 600 * MIB)
    assert (first.memory_total_bytes, first.power_w, first.power_limit_w) == (81559 * MIB, 312.5, 700.0)
    assert (first.temperature_c, first.memory_temperature_c, first.fan) == (61.0, 70.0, None)
    assert (first.sm_mhz, first.memory_max_mhz, first.performance_state) == (1980.0, 2619.0, 0)
    assert first.throttle == ("power cap",)
    assert first.pcie is not None
    assert (first.pcie.generation, first.pcie.width_max) == (5, 16)
    assert (first.processes, first.problems, first.lost, first.at) == ((), (), False, None)
    assert second.utilization == 0.41


async def test_the_second_reading_knows_more(box: Box) -> None:
    await box.host.read()
    box.clock.now += 2
    reading = await box.host.read()
    assert reading.at == 1002.0
    assert reading.cuda == "12.8"
    first, second = reading.gpus
    assert (first.slowdown_c, second.slowdown_c) == (89.0, None)
    assert first.ecc is not None
    assert (first.ecc.remapped_rows, first.ecc.remap_pending, first.ecc.remap_failed) == (1, True, False)
    assert second.ecc is not None
    assert (second.ecc.remapped_rows, second.ecc.corrected) == (None, 0)
    assert len(fake_ssh.calls(box.ssh)) == 1, "one connection for all readings"


async def test_a_gpu_without_memory_of_its_own_has_the_machines(box: Box) -> None:
    box.says("shared")
    reading = await box.host.read()
    assert [(gpu.unified, gpu.memory_total_bytes) for gpu in reading.gpus] == [(True, reading.memory_total_bytes)] * 2


async def test_a_machine_that_hangs_is_silent(box: Box) -> None:
    await box.host.read()
    process = box.host._connection._process
    assert process is not None
    process._signal(signal.SIGSTOP)
    box.host._spec = HostSpec("gpu-1", gpus="ssh", timeout=0.05)
    for _ in range(2):
        reading = await box.host.read()
        assert (reading.reason, reading.gpus) == ("ssh gpu-1: no answer in 0.05 s", ())
    process._signal(signal.SIGCONT)
    box.host._spec = HostSpec("gpu-1", gpus="ssh", timeout=20)
    assert len((await box.host.read()).gpus) == 2


async def test_processes_have_the_titles_that_ps_shows(box: Box) -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000", "--api-key", "sk-very-secret-0123456789", stdin=-3)
    process.kill()
    await process.wait()
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    (box.smi.parent / "apps").write_text(
        f"{process.pid}, GPU-fa4e-0000, 69000, /usr/bin/sleep\n4194999, GPU-fa4e-0001, [N/A], [Not Found]\n"
    )
    await box.host.read()
    await box.host.read()
    first, second = (await box.host.read()).gpus
    process.kill()
    await process.wait()
    assert first.processes is not None
    (known,) = first.processes
    assert (known.pid, known.memory_bytes, known.name) == (process.pid, 69000 * MIB, "sleep 1000")
    assert known.user
    assert known.started == pytest.approx(5000.0, abs=60)
    assert second.processes is not None
    assert [(p.pid, p.memory_bytes, p.name) for p in second.processes] == [(4194999, None, None)]


async def test_an_old_driver_is_asked_for_what_it_knows(box: Box) -> None:
    box.says("old")
    reading = await box.host.read()
    await until(lambda: "utilization.encoder" not in box.host._gpus.fields)
    assert "clocks_throttle_reasons.active" in box.host._gpus.fields
    reading = await box.host.read()
    first, _ = reading.gpus
    assert (reading.reason, first.throttle, first.encoder, first.decoder) == ("", ("power cap",), None, 0.0)


async def test_no_nvidia_smi_leaves_the_rest(box: Box) -> None:
    box.smi.unlink()
    reading = await box.host.read()
    assert (reading.reason, reading.gpus) == ("no nvidia-smi on that machine", ())
    assert reading.memory_total_bytes is not None


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("broken", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."),
        ("none", "No devices were found"),
    ],
)
async def test_a_driver_that_fails_is_quoted(box: Box, mode: str, reason: str) -> None:
    box.says(mode)
    reading = await box.host.read()
    assert (reading.reason, reading.gpus) == (reason, ())
    assert reading.memory_total_bytes is not None


async def test_a_driver_that_hangs_holds_back_nothing_else(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "_GPU_SHARE", 0.0)
    box.says("hang")
    first = await box.host.read()
    assert (first.gpus, first.reason) == ((), "")
    assert first.memory_total_bytes is not None
    box.clock.now += 12
    second = await box.host.read()
    assert second.memory_total_bytes is not None
    assert second.reason == "nvidia-smi there does not answer (12 s)"


async def test_a_lost_gpu_keeps_its_last_values(box: Box) -> None:
    await box.host.read()
    box.says("lost")
    reading = await box.host.read()
    first, second = reading.gpus
    assert (first.lost, second.lost, second.utilization, second.uuid) == (False, True, 0.41, "GPU-fa4e-0001")
    assert reading.reason.startswith("Unable to determine the device handle for GPU1")
    box.says("healthy")
    reading = await box.host.read()
    assert (reading.reason, [gpu.lost for gpu in reading.gpus]) == ("", [False, False])


async def test_gpus_of_an_earlier_reading_say_when_they_were_measured(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    await box.host.read()
    monkeypatch.setattr(ssh, "_GPU_SHARE", 0.0)
    box.says("hang")
    box.clock.now += 2
    reading = await box.host.read()
    assert [gpu.at for gpu in reading.gpus] == [1000.0, 1000.0]
    assert reading.at == 1002.0


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("denied", "ssh gpu-1: user@gpu-1: Permission denied (publickey)"),
        ("banner", "ssh gpu-1: kex_exchange_identification: Connection closed by remote host"),
        ("killed", "ssh gpu-1: ssh was ended by signal 9"),
        ("nologin", "ssh gpu-1: no shell there: This account is currently not available."),
        ("flood", "ssh gpu-1: what answers there is no shell"),
    ],
)
async def test_what_went_wrong_is_said(box: Box, mode: str, reason: str) -> None:
    fake_ssh.set_mode(box.ssh, mode)
    reading = await box.host.read()
    assert (reading.reason, reading.source) == (reason, "ssh")
    assert (reading.gpus, reading.cpu, reading.memory_total_bytes) == ((), None, None)


async def test_without_an_ssh(box: Box, clock: Any) -> None:
    host = SshHost(HostSpec("gpu-1", gpus="ssh"), clock, SshPool(clock, "/nowhere/ssh"))
    assert (await host.read()).reason == "ssh gpu-1: the program /nowhere/ssh is not installed here"
    await host.close()


async def test_a_login_that_talks_is_passed_over(box: Box) -> None:
    fake_ssh.set_mode(box.ssh, "chatty")
    assert len((await box.host.read()).gpus) == 2


async def test_a_connection_that_says_nothing(box: Box) -> None:
    fake_ssh.set_mode(box.ssh, "silent")
    box.host._spec = HostSpec("gpu-1", gpus="ssh", timeout=0.05)
    reading = await box.host.read()
    assert reading.reason == "ssh gpu-1: still connecting"
    assert len(fake_ssh.calls(box.ssh)) <= 1
    await box.host.read()
    await until(lambda: len(fake_ssh.calls(box.ssh)) == 1)


async def test_one_that_never_opens_is_given_up(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_connection, "OPEN_WITHIN_S", 0.05)
    fake_ssh.set_mode(box.ssh, "silent")
    assert (await box.host.read()).reason == "ssh gpu-1: no shell there in 0.05 s"
    assert descendants() == set()


async def test_trying_again_waits_longer_and_longer(box: Box) -> None:
    fake_ssh.set_mode(box.ssh, "killed")
    waits = []
    for _ in range(7):
        tries = len(fake_ssh.calls(box.ssh))
        began = box.clock.now
        while len(fake_ssh.calls(box.ssh)) == tries:
            box.clock.now += 0.25
            await box.host.read()
        waits.append(box.clock.now - began)
    assert waits[0] == 0.25
    assert all(0.8 * 2**n <= wait <= 1.2 * 2**n + 0.25 for n, wait in enumerate(waits[1:6]))
    assert waits[6] <= 1.2 * 30 + 0.25


async def test_a_server_that_refuses_us_is_left_alone_for_longer(box: Box) -> None:
    fake_ssh.set_mode(box.ssh, "denied")
    await box.host.read()
    box.clock.now += 7.9
    assert "Permission denied" in (await box.host.read()).reason
    assert len(fake_ssh.calls(box.ssh)) == 1
    box.clock.now += 4.2
    await box.host.read()
    assert len(fake_ssh.calls(box.ssh)) == 2


async def test_a_connection_that_drops_is_opened_again(box: Box) -> None:
    await box.host.read()
    process = box.host._connection._process
    assert process is not None
    process.hang_up()
    await process.ended
    await until(lambda: not box.host._connection.up)
    reading = await box.host.read()
    assert (reading.reason, reading.cpu, reading.gpus) == ("ssh gpu-1: ssh was ended by signal 15", None, ())
    box.clock.now += 1.3
    reading = await box.host.read()
    assert (reading.reason, len(reading.gpus)) == ("", 2)


async def test_a_connection_that_drops_while_it_is_asked(box: Box) -> None:
    await box.host.read()
    process = box.host._connection._process
    assert process is not None
    process._signal(signal.SIGSTOP)
    asking = asyncio.create_task(box.host.read())
    await until(lambda: "system" in box.host._under_way)
    process._signal(signal.SIGKILL)
    assert (await asking).reason == "ssh gpu-1: ssh was ended by signal 9"


async def test_nothing_can_ask_for_a_password(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_ASKPASS", "/usr/bin/x11-ssh-askpass")
    await box.host.read()
    (call,) = fake_ssh.calls(box.ssh)
    assert "BatchMode=yes" in call
    assert call.endswith("-- gpu-1 exec /bin/sh")
    assert (box.ssh.parent / "environment").read_text() == "tty:not a tty askpass:unset\n"


@pytest.mark.parametrize("mode", ["shell", "silent", "stubborn", "child"])
async def test_closing_leaves_no_process_and_no_file(box: Box, mode: str) -> None:
    fake_ssh.set_mode(box.ssh, mode)
    box.host._spec = HostSpec("gpu-1", gpus="ssh", timeout=0.2)
    await box.host.read()
    child = box.ssh.parent / "child"
    if mode == "child":
        await until(lambda: child.exists() and child.read_text().strip() != "")
    folder = box.pool._folder
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(str(folder)) < 80
    async with asyncio.timeout(5):
        await box.host.close()
    assert descendants() == set()
    assert not folder.exists()
    if mode == "child":
        with contextlib.suppress(psutil.NoSuchProcess):
            assert psutil.Process(int(child.read_text())).status() == psutil.STATUS_ZOMBIE
    assert (await box.host.read()).reason == "ssh gpu-1: closed"


async def test_hosts_of_one_destination_share_a_connection(box: Box) -> None:
    other = SshHost(HostSpec("same", gpus="ssh", ssh="gpu-1", timeout=20), box.clock, box.pool)
    first, second = await asyncio.gather(box.host.read(), other.read())
    assert (len(first.gpus), len(second.gpus)) == (2, 2)
    assert len(fake_ssh.calls(box.ssh)) == 1
    await other.close()
    assert len((await box.host.read()).gpus) == 2


@pytest.mark.parametrize("name", ["two words", "100%h", "a:b", "$HOME"])
def test_sockets_lie_where_ssh_understands_the_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("/tmp") / f"qdt{os.getpid()}" / name
    folder.mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    place = ssh_pool._place()
    folder.rmdir()
    folder.parent.rmdir()
    assert name not in place
