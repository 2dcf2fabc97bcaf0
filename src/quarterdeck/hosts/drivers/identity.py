"""Which process a pid means: told by when it began, as the pid of one that is gone is given to another. Stdlib only on Linux."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

_AFTER_NAME_STATE, _AFTER_NAME_START = 0, 19
"""Fields of /proc/PID/stat behind the name in brackets: state (3rd of all) and start in ticks since boot (22nd)."""


def identity(pid: int) -> str | None:
    """A mark that no other process ever had or gets; ``None`` where ``pid`` has ended, be it a zombie still.

    Not the wall clock's time of its start: that moves when the clock is set.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except FileNotFoundError:
        return _elsewhere(pid) if not Path("/proc/self/stat").exists() else None
    except OSError:
        return None
    if len(fields) <= _AFTER_NAME_START or fields[_AFTER_NAME_STATE] in "ZX":
        return None
    return f"{_boot()}:{fields[_AFTER_NAME_START]}"


def is_gone(pid: int) -> bool:
    """Whether ``pid`` surely belongs to no living process; also right where /proc shows one's own processes alone (hidepid)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's
        return False
    return identity(pid) is None


def sees_all() -> bool:
    """Whether the whole machine is seen from here, and not a container: only then the kernel's threads are there."""
    if not Path("/proc/self/stat").exists():
        return True
    try:
        return Path("/proc/2/comm").read_text(encoding="ascii", errors="replace").strip() == "kthreadd"
    except OSError:
        return False


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _elsewhere(pid: int) -> str | None:
    """macOS and others: the kernel keeps the time of its start, as it was."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None
