"""Processor and memory out of /proc: what psutil makes of the same pages, and psutil where a page is unusual."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import psutil
import pytest

from quarterdeck.hosts import proc
from quarterdeck.hosts.system import System

CPU = "cpu  7391955 138417 915365 15458674 38581 12 38125 2706 4000 70\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 1\n"
MEMORY = "MemTotal:       24683668 kB\nMemFree:        22810948 kB\nMemAvailable:   23262712 kB\nBuffers:  9300 kB\nCached:  1 kB\n"
MEMORY += "Active:  1 kB\nInactive:  1 kB\nShmem:  1 kB\nSlab:  1 kB\n"
WITHOUT_AVAILABLE = MEMORY.replace("MemAvailable:", "MemSomething:")
MORE_AVAILABLE = MEMORY.replace("23262712", "93262712")


class Times(NamedTuple):
    user: float
    idle: float


class OtherWay:
    """psutil that tells what no page below says."""

    def cpu_times(self) -> Times:
        return Times(1000.0, 3000.0)

    def virtual_memory(self) -> SimpleNamespace:
        return SimpleNamespace(total=1000, available=400)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc that psutil looks at too."""
    (tmp_path / "stat").write_text(CPU)
    (tmp_path / "meminfo").write_text(MEMORY)
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    return tmp_path


def test_seconds_are_psutils(folder: Path) -> None:
    times = psutil.cpu_times()
    busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    assert proc.busy_and_idle(str(folder)) == pytest.approx((busy, times.idle + times.iowait))


def test_memory_is_psutils(folder: Path) -> None:
    memory = psutil.virtual_memory()
    assert proc.total_and_available(str(folder)) == (memory.total, memory.available)


def test_a_system_needs_no_psutil_where_all_is_as_usual(folder: Path) -> None:
    system = System(SimpleNamespace(), str(folder))
    first = system.read()
    assert (first.cpu, first.memory_used_bytes, first.memory_total_bytes, first.problems) == (
        None,
        (24_683_668 - 23_262_712) * 1024,
        24_683_668 * 1024,
        (),
    )
    (folder / "stat").write_text(CPU.replace("7391955", "7391985").replace("15458674", "15458744"))
    assert system.read().cpu == pytest.approx(0.3)


@pytest.mark.parametrize("page", [WITHOUT_AVAILABLE, MORE_AVAILABLE, "", "MemTotal: x kB\n", None])
def test_unusual_memory_is_left_to_psutil(folder: Path, page: str | None) -> None:
    _put(folder / "meminfo", page)
    reading = System(OtherWay(), str(folder)).read()
    assert (reading.memory_used_bytes, reading.memory_total_bytes, reading.problems) == (600, 1000, ())


@pytest.mark.parametrize("page", ["cpu  1 2 3 4\n", "", "cpu0 1 2 3 4 5 6 7 8\n", "cpu  -1 2 3 4 5 6 7 8\n", None])
def test_unusual_seconds_are_left_to_psutil(folder: Path, page: str | None) -> None:
    _put(folder / "stat", page)
    system = System(OtherWay(), str(folder))
    assert system._cpu() is None
    assert system._share._before == {"all": (1000.0, 3000.0)}


def test_pages_that_nobody_may_read_are_problems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError

    monkeypatch.setattr("os.open", refuse)
    found = SimpleNamespace(cpu_times=refuse, virtual_memory=refuse)
    reading = System(found, str(folder)).read()
    assert reading.problems == ("CPU: not permitted on this machine", "memory: not permitted on this machine")


def _put(file: Path, page: str | None) -> None:
    file.unlink()
    if page is not None:
        file.write_text(page)
