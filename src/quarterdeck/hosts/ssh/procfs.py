"""Linux's own numbers as text: /proc/stat, /proc/meminfo, ``df -kP``, ``ps``. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quarterdeck.format import printable

_LARGEST_KB = 2**50


class PsRow(NamedTuple):
    """One process as ``ps -o pid=,ppid=,user=,etimes=,args=`` prints it."""

    pid: int
    parent: int
    user: str
    age_s: int
    args: tuple[str, ...]


def cpu_seconds(lines: Iterable[str]) -> tuple[float, float] | None:
    """Busy and idle ticks of all processors, of the "cpu" line of /proc/stat. Guests are in user and nice already."""
    for line in lines:
        fields = line.split()
        if fields[:1] == ["cpu"] and len(fields) >= 5 and all(map(_is_count, fields[1:])):
            ticks = [float(field) for field in fields[1:9]]
            idle = ticks[3] + (ticks[4] if len(ticks) > 4 else 0.0)
            return sum(ticks) - idle, idle
    return None


def memory(lines: Iterable[str]) -> tuple[int | None, int | None]:
    """Used and total bytes, of /proc/meminfo; used is total less available (kernels before 3.14: free, buffers, cached)."""
    kib: dict[str, int] = {}
    for line in lines:
        name, _, rest = line.partition(":")
        first = rest.split()[:1]
        if first and _is_count(first[0]) and int(first[0]) <= _LARGEST_KB:
            kib.setdefault(name.strip(), int(first[0]))
    total, available = kib.get("MemTotal"), kib.get("MemAvailable")
    if available is None and "MemFree" in kib:
        available = kib["MemFree"] + kib.get("Buffers", 0) + kib.get("Cached", 0)
    if total is None:
        return None, None
    return ((total - available) * 1024 if available is not None and available <= total else None), total * 1024


def disk(lines: Iterable[str]) -> tuple[int | None, int | None]:
    """Used and total bytes, of the last line of ``df -kP``."""
    fields = next((line.split() for line in reversed(list(lines)) if line.strip()), [])
    counts = [int(field) for field in fields[1:3] if _is_count(field) and int(field) <= _LARGEST_KB]
    if len(counts) != 2 or counts[1] > counts[0]:
        return None, None
    return counts[1] * 1024, counts[0] * 1024


def processes(lines: Iterable[str]) -> dict[int, PsRow]:
    """Process number → its row."""
    found: dict[int, PsRow] = {}
    for line in lines:
        fields = line.split(None, 4)
        if len(fields) == 5 and all(map(_is_count, (fields[0], fields[1], fields[3]))):
            pid, parent, age = (int(fields[index]) for index in (0, 1, 3))
            found[pid] = PsRow(pid, parent, printable(fields[2], 40), age, tuple(fields[4].split()))
    return found


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19
