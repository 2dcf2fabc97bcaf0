"""This machine: processor and memory by psutil, GPUs by NVML, and what is imported for it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.hosts.disk import Disk, models_folder
from quarterdeck.hosts.local import LocalHost
from quarterdeck.hosts.nvml.thread import NvmlThread
from quarterdeck.hosts.open import open_host
from quarterdeck.hosts.system import System, SystemReading

LinuxTimes = namedtuple("LinuxTimes", "user nice system idle iowait irq softirq steal guest guest_nice")
MacTimes = namedtuple("MacTimes", "user nice system idle")


class FakePsutil:
    """psutil as hosts use it; what is an exception is raised."""

    def __init__(self, *times: object, memory: object = None) -> None:
        self.times = list(times)
        self.memory = memory or SimpleNamespace(total=1000, available=400, used=1)

    def cpu_times(self) -> object:
        return _given(self.times.pop(0) if len(self.times) > 1 else self.times[0])

    def virtual_memory(self) -> object:
        return _given(self.memory)


def _given(value: object) -> object:
    if isinstance(value, Exception):
        raise value
    return value


def test_cpu_is_the_busy_share_between_two_readings() -> None:
    system = System(
        FakePsutil(
            LinuxTimes(100, 0, 50, 800, 50, 0, 0, 0, 40, 0),
            # 30 more busy (guests are in user already), 70 more idle or waiting for a disk
            LinuxTimes(120, 0, 60, 860, 60, 0, 0, 0, 60, 0),
            LinuxTimes(120, 0, 60, 960, 60, 0, 0, 0, 60, 0),
        )
    )
    assert [system.read().cpu for _ in range(3)] == [None, pytest.approx(0.3), 0.0]


def test_cpu_without_linux_fields() -> None:
    system = System(FakePsutil(MacTimes(10, 0, 10, 80), MacTimes(20, 0, 20, 160)))
    assert [system.read().cpu for _ in range(2)] == [None, pytest.approx(0.2)]


def test_memory_used_is_what_could_not_be_had() -> None:
    reading = System(FakePsutil(MacTimes(0, 0, 0, 1))).read()
    assert (reading.memory_used_bytes, reading.memory_total_bytes) == (600, 1000)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(), "not permitted on this machine"),
        (OSError("/proc/x"), "can't be read on this machine (OSError)"),
        (ImportError(), "the Python package psutil is missing"),
    ],
)
def test_each_number_of_the_machine_fails_alone(error: Exception, words: str) -> None:
    assert System(FakePsutil(error)).read() == SystemReading(None, 600, 1000, (f"CPU: {words}",))
    reading = System(FakePsutil(MacTimes(0, 0, 0, 1), memory=error)).read()
    assert reading == SystemReading(None, None, None, (f"memory: {words}",))


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (SimpleNamespace(total=1000, available=1001), (None, 1000)),
        (SimpleNamespace(total=-1, available=4), (None, None)),
        (SimpleNamespace(total="1000", available=4), (None, None)),
        (SimpleNamespace(total=1000, available=float("nan")), (None, 1000)),
    ],
)
def test_senseless_memory_is_unknown(memory: object, expected: tuple[object, object]) -> None:
    reading = System(FakePsutil(MacTimes(0, 0, 0, 1), memory=memory)).read()
    assert (reading.memory_used_bytes, reading.memory_total_bytes) == expected


def test_the_real_machine_has_memory_and_a_processor() -> None:
    reading = System().read()
    assert reading.problems == ()
    assert reading.cpu is None
    assert 0 < (reading.memory_used_bytes or 0) < (reading.memory_total_bytes or 0)


def test_too_little_time_to_tell_keeps_the_share() -> None:
    share = BusyShare()
    readings = [{"0": (0.0, 0.0)}, {"0": (1.0, 3.0)}, {"0": (1.01, 3.0)}, {"0": (2.0, 3.0)}]
    assert [share.update(r) for r in readings] == [None, 0.25, 0.25, 1.0]


def test_a_restart_is_unknown_and_then_measured_anew() -> None:
    share = BusyShare()
    readings = [{"0": (500.0, 900.0)}, {"0": (1.0, 2.0)}, {"0": (2.0, 5.0)}]
    assert [share.update(r) for r in readings] == [None, None, 0.25]


def test_iowait_that_steps_back_is_no_restart() -> None:
    share = BusyShare()
    share.update({"0": (10.0, 100.0)})
    assert share.update({"0": (11.0, 99.95)}) == 1.0


def test_a_processor_that_was_switched_on_counts_from_then() -> None:
    share = BusyShare()
    readings = [{"0": (0.0, 0.0)}, {"0": (1.0, 3.0), "1": (500.0, 0.0)}, {"0": (1.0, 7.0), "1": (504.0, 0.0)}]
    assert [share.update(r) for r in readings] == [None, 0.25, 0.5]


_seconds = st.floats(allow_nan=False, min_value=-1e18, max_value=1e18)


@given(st.lists(st.dictionaries(st.sampled_from("012"), st.tuples(_seconds, _seconds)), max_size=6))
def test_the_share_is_a_fraction_or_unknown(readings: list[dict[str, tuple[float, float]]]) -> None:
    share = BusyShare()
    for reading in readings:
        found = share.update(reading)
        assert found is None or 0 <= found <= 1


def machine() -> System:
    return System(FakePsutil(MacTimes(10, 0, 10, 80)))


def local(nvml: Any, clock: Any, **parts: Any) -> LocalHost:
    """A machine made by hand, its GPUs' processes included."""
    parts = {"system": machine(), "disk": Disk(clock, {}, lambda _: (100, 30, 70)), **parts}
    spec = parts.pop("spec", HostSpec("box"))
    return LocalHost(spec, clock, NvmlThread(clock, nvml), **parts)


async def test_a_machine_with_gpus(nvml: Any, clock: Any, healthy: Any) -> None:
    nvml.processes = {}
    spec = HostSpec("box")
    host = local(nvml, clock, spec=spec)
    assert host.spec is spec
    assert await host.read() == HostReading(
        1000.0,
        "nvml",
        memory_used_bytes=600,
        memory_total_bytes=1000,
        gpus=tuple(replace(healthy(gpu), processes=()) for gpu in (0, 1)),
        driver="570.133.20",
        cuda="12.8",
        disk_used_bytes=30,
        disk_total_bytes=100,
    )
    await host.close()


async def test_processes_are_described(nvml: Any, clock: Any) -> None:
    nvml.processes = {"Compute": [SimpleNamespace(pid=os.getpid(), usedGpuMemory=7)]}
    host = local(nvml, clock)
    (process,) = (await host.read()).gpus[0].processes or ()
    assert (process.pid, process.memory_bytes) == (os.getpid(), 7)
    assert process.started == psutil.Process().create_time()
    await host.close()


async def test_a_gpu_without_memory_of_its_own_has_the_machines(nvml: Any, clock: Any) -> None:
    nvml.spoil |= {("nvmlDeviceGetMemoryInfo", 1): 3, ("nvmlDeviceGetMemoryInfo_v2", 1): 3}
    host = local(nvml, clock)
    first, second = (await host.read()).gpus
    assert (first.memory_total_bytes, first.unified) == (1000 * 2**20, False)
    assert (second.memory_used_bytes, second.memory_total_bytes, second.unified) == (2**30, 1000, True)
    await host.close()


async def test_a_machine_without_a_driver(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlInit"] = 12
    host = local(nvml, clock)
    reading = await host.read()
    assert (reading.source, reading.gpus, reading.reason) == ("local", (), "no NVIDIA driver on this machine")
    assert (reading.memory_used_bytes, reading.memory_total_bytes, reading.disk_used_bytes) == (600, 1000, 30)
    await host.close()


async def test_a_hung_driver_takes_neither_processor_nor_memory(nvml: Any, clock: Any) -> None:
    release = threading.Event()
    host = local(nvml, clock, spec=HostSpec("box", timeout=0.01))
    nvml.spoil["nvmlInit"] = release
    reading = await host.read()
    assert (reading.memory_used_bytes, reading.gpus) == (600, ())
    assert reading.reason == "the NVIDIA driver does not answer (0 s)"
    release.set()
    await host.close()


async def test_every_problem_is_in_the_reason(nvml: Any, clock: Any) -> None:
    nvml.gpus = 0
    system = System(FakePsutil(PermissionError()))
    reading = await local(nvml, clock, system=system, disk=Disk(clock, {}, no_disk)).read()
    assert reading.reason == "driver loaded, no GPU; CPU: not permitted on this machine"
    assert reading.notes == ("disk: Stale file handle",)


def no_disk(_: Path) -> tuple[int, int, int]:
    raise OSError(errno.ESTALE, "Stale file handle", "/secret/path")


async def test_the_disk_is_looked_at_now_and_then(clock: Any) -> None:
    looked: list[Path] = []

    def usage(path: Path) -> tuple[int, int, int]:
        looked.append(path)
        return 100, len(looked), 0

    disk = Disk(clock, {}, usage)
    assert await disk.read(60) == (1, 100, "")
    clock.now += 29
    assert await disk.read(60) == (1, 100, "")
    clock.now += 1
    assert await disk.read(60) == (2, 100, "")
    assert len(looked) == 2


async def test_a_disk_that_hangs_keeps_its_last_numbers_and_nobody_waiting(clock: Any) -> None:
    release = threading.Event()
    release.set()

    def usage(_: Path) -> tuple[int, int, int]:
        release.wait()
        return 100, 30, 70

    disk = Disk(clock, {}, usage)
    await disk.read(60)
    release.clear()
    clock.now += 30
    assert await disk.read(0.01) == (30, 100, "disk: does not answer")
    assert await disk.read(3600) == (30, 100, "disk: does not answer")  # asked already: not waited for again
    release.set()
    assert disk._looking is not None
    await disk._looking
    assert await disk.read(60) == (30, 100, "")


def test_models_lie_where_the_environment_says_else_where_they_usually_do(tmp_path: Path) -> None:
    home = tmp_path / "home"
    hub = home / ".cache/huggingface/hub"
    hub.mkdir(parents=True)
    assert models_folder({"HOME": str(home)}) == hub
    (home / ".ollama/models").mkdir(parents=True)
    assert models_folder({"HOME": str(home)}) == home / ".ollama/models"
    elsewhere = {"HOME": str(home), "OLLAMA_MODELS": str(tmp_path / "none"), "HF_HUB_CACHE": str(tmp_path)}
    assert models_folder(elsewhere) == tmp_path
    assert models_folder({"HOME": str(home), "OLLAMA_MODELS": "\0"}) == home / ".ollama/models"


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


async def test_a_user_without_a_home_has_a_disk(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that runs under a number which no list of users knows."""
    monkeypatch.setattr(Path, "home", no_home)
    assert await Disk(clock, {}, lambda _: (100, 30, 70)).read(60) == (30, 100, "")


async def test_whatever_a_disk_answers_is_a_reading(clock: Any) -> None:
    def usage(_: Path) -> tuple[int, int, int]:
        raise ValueError("nonsense")

    assert await Disk(clock, {}, usage).read(60) == (None, None, "disk: ValueError")


async def test_the_real_disk_has_a_size(clock: Any) -> None:
    used, total, problem = await Disk(clock).read(60)
    assert problem == ""
    assert 0 < (used or 0) <= (total or 0)


async def test_a_host_that_is_only_a_name_shows_nothing_of_this_machine(clock: Any) -> None:
    host = open_host(HostSpec("box", gpus="none"), clock)
    reading = await host.read()
    assert (reading.source, reading.gpus, reading.cpu, reading.memory_total_bytes) == ("none", (), None, None)
    assert reading.reason == 'not read: its gpus are set to "none"'
    await host.close()


def test_opening_a_host_imports_no_library() -> None:
    code = (
        "import sys, quarterdeck.hosts.base\n"
        "from quarterdeck.hosts.open import open_host\n"
        "from quarterdeck.config.fleet import HostSpec\n"
        "open_host(HostSpec('a')); open_host(HostSpec('b', gpus='none'))\n"
        "print(sorted({'psutil', 'pynvml', 'httpx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"
