"""This machine: processor and memory by psutil, GPUs by NVML, and what is imported for it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.hosts.local import LocalHost
from quarterdeck.hosts.nvml import NvmlThread
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


async def test_a_machine_with_gpus(nvml: Any, clock: Any) -> None:
    spec = HostSpec("box")
    host = LocalHost(spec, clock, NvmlThread(clock, nvml), machine())
    assert host.spec is spec
    reading = await host.read()
    assert (reading.at, reading.source, reading.reason) == (1000.0, "nvml", "")
    assert (reading.cpu, reading.memory_used_bytes, reading.memory_total_bytes) == (None, 600, 1000)
    assert [gpu.name for gpu in reading.gpus] == ["NVIDIA Test 0", "NVIDIA Test 1"]
    await host.close()


async def test_a_machine_without_a_driver(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlInit"] = 12
    host = LocalHost(HostSpec("box"), clock, NvmlThread(clock, nvml), machine())
    expected = HostReading(
        1000.0, "local", memory_used_bytes=600, memory_total_bytes=1000, reason="no NVIDIA driver on this machine"
    )
    assert await host.read() == expected
    await host.close()


async def test_a_hung_driver_takes_neither_processor_nor_memory(nvml: Any, clock: Any) -> None:
    release = threading.Event()
    host = LocalHost(HostSpec("box", timeout=0.01), clock, NvmlThread(clock, nvml), machine())
    nvml.spoil["nvmlInit"] = release
    reading = await host.read()
    assert (reading.memory_used_bytes, reading.gpus) == (600, ())
    assert reading.reason == "the NVIDIA driver does not answer (0 s)"
    release.set()
    await host.close()


async def test_every_problem_is_in_the_reason(nvml: Any, clock: Any) -> None:
    nvml.gpus = 0
    system = System(FakePsutil(PermissionError()))
    reading = await LocalHost(HostSpec("box"), clock, NvmlThread(clock, nvml), system).read()
    assert reading.reason == "driver loaded, no GPU; CPU: not permitted on this machine"


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
