"""Processor and memory out of Linux's /proc.

Both are read every second: psutil, which makes much more of the same pages, takes three times as long. What looks unusual is left
to it.
"""

from __future__ import annotations

import os
import re

_HEAD = 4096
_CPU = re.compile(rb"cpu +(\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)[ \n]")
"""user, nice, system, idle, iowait, irq, softirq, steal; user and nice hold the guests' time too."""
_MEMORY = re.compile(rb"MemTotal: +(\d+) kB\n(?:.*\n)*?MemAvailable: +(\d+) kB\n")


def busy_and_idle(folder: str) -> tuple[float, float] | None:
    """Seconds since the start, all processors together (`stat`); ``None`` where the page isn't the usual one. Raises OSError."""
    found = _CPU.match(_head(f"{folder}/stat"))
    if found is None:
        return None
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, found.groups())
    ticks = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq + steal) / ticks, (idle + iowait) / ticks


def total_and_available(folder: str) -> tuple[int, int] | None:
    """Bytes (`meminfo`); ``None`` where the page isn't the usual one, or makes no sense as in some containers. Raises OSError."""
    found = _MEMORY.match(_head(f"{folder}/meminfo"))
    if found is None:
        return None
    total, available = (int(kib) * 1024 for kib in found.groups())
    return (total, available) if available <= total else None


def _head(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _HEAD)
    finally:
        os.close(file)
