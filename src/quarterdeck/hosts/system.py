"""Processor and memory of this machine, by /proc where that is as usual, else by psutil."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from quarterdeck.hosts import proc
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.wire.body import number, whole

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SystemReading:
    """``cpu`` is a fraction 0–1 since the reading before, ``None`` for the first one."""

    cpu: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    problems: tuple[str, ...] = ()


class System:
    """Reads this machine; takes well under a millisecond and never blocks."""

    def __init__(self, psutil: Any = None, folder: str | None = None) -> None:
        """``psutil`` stands in for the real module, which is imported when it is needed; ``folder`` for Linux's /proc."""
        own = "/proc" if psutil is None and sys.platform == "linux" else ""
        self._psutil = psutil
        self._folder = own if folder is None else folder
        self._share = BusyShare()

    def read(self) -> SystemReading:
        """Both numbers now. Never raises: what can't be read is ``None`` with a problem in words."""
        cpu: float | None = None
        used: int | None = None
        total: int | None = None
        problems: list[str] = []
        try:
            cpu = self._cpu()
        except Exception as error:  # noqa: BLE001  (a failure is a reading)
            problems.append(f"CPU: {_words(error)}")
        try:
            used, total = self._memory()
        except Exception as error:  # noqa: BLE001
            problems.append(f"memory: {_words(error)}")
        return SystemReading(cpu, used, total, tuple(problems))

    def _module(self) -> Any:
        if self._psutil is None:
            import psutil

            self._psutil = psutil
        return self._psutil

    def _in_proc(self, look: Callable[[str], T | None]) -> T | None:
        """What ``look`` finds; ``None`` where psutil shall say, be it why not."""
        try:
            return look(self._folder) if self._folder else None
        except (OSError, ValueError):
            return None

    def _cpu(self) -> float | None:
        return self._share.update({"all": self._in_proc(proc.busy_and_idle) or self._seconds()})

    def _seconds(self) -> tuple[float, float]:
        """Busy and idle by psutil. Everything but idle and iowait is busy; Linux counts guests in user and nice already."""
        times = {name: number(value) or 0.0 for name, value in self._module().cpu_times()._asdict().items()}
        idle = times.get("idle", 0.0) + times.get("iowait", 0.0)
        counted_twice = times.get("guest", 0.0) + times.get("guest_nice", 0.0)
        return sum(times.values()) - counted_twice - idle, idle

    def _memory(self) -> tuple[int | None, int | None]:
        """Used is total less available: what the kernel could hand out at once is not used."""
        if found := self._in_proc(proc.total_and_available):
            return found[0] - found[1], found[0]
        memory = self._module().virtual_memory()
        total, available = whole(memory.total), whole(memory.available)
        used = total - available if total is not None and available is not None and available <= total else None
        return used, total


def _words(error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "not permitted on this machine"
    if isinstance(error, ImportError):
        return "the Python package psutil is missing"
    return f"can't be read on this machine ({type(error).__name__})"
