"""All processes of one launch: its leader, what that started, and what has left it. And how they are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

import psutil

from quarterdeck.format import printable, size
from quarterdeck.hosts.drivers.identity import identity
from quarterdeck.hosts.drivers.record import Record

MARK = "QUARTERDECK_LAUNCH"
"""The environment variable that marks every descendant of a launch."""
LOOK_AGAIN_S = 0.1


class Member(NamedTuple):
    """A process of a launch."""

    pid: int
    identity: str
    title: str
    """Its command line, clipped; its name where it has none."""
    memory: int | None
    """Resident bytes."""

    def __str__(self) -> str:
        """ "VLLM::EngineCore (4711, 12 GiB)"."""
        memory = f", {size(self.memory)}" if self.memory is not None else ""
        return f"{self.title} ({self.pid}{memory})"


def leader_lives(record: Record) -> bool:
    """Whether the recorded process runs, and not another that got its pid."""
    return bool(record.identity) and identity(record.pid) == record.identity


def keeper_lives(record: Record) -> bool:
    """Whether the process that waits for its end runs."""
    return record.keeper > 1 and bool(record.keeper_identity) and identity(record.keeper) == record.keeper_identity


def members(record: Record) -> list[Member]:
    """Every process of the launch that runs, its leader first; neither the keeper nor this process."""
    table = {process.pid: process for process in psutil.process_iter()}
    parents = {pid: parent for pid, process in table.items() if (parent := _parent(process)) is not None}
    found = {pid for pid, process in table.items() if _marked(process, record.launch)}
    found |= {record.pid} if leader_lives(record) else set()
    found |= {pid for pid, parent in parents.items() if parent == record.keeper} if keeper_lives(record) else set()
    group = _group(record.pgid, table)
    found |= {pid for pid in group if _bare(table[pid])} if not _reused(record) else set()
    found |= _descendants(found, parents)
    found -= {record.keeper, os.getpid()}
    found |= group if group & found else set()
    listed = (_member(table[pid]) for pid in sorted(found, key=lambda pid: (pid != record.pid, pid)) if pid in table)
    return [member for member in listed if member is not None]


def _parent(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except psutil.Error:
        return None


def _marked(process: psutil.Process, launch: str) -> bool:
    try:
        return process.environ().get(MARK) == launch
    except (psutil.Error, OSError, ValueError):
        return False


def _descendants(found: set[int], parents: dict[int, int]) -> set[int]:
    more = set(found)
    while True:
        children = {pid for pid, parent in parents.items() if parent in more} - more
        if not children:
            return more
        more |= children


def _group(pgid: int, table: Iterable[int]) -> set[int]:
    """The processes of a group; they are all ours where one of them surely is."""
    found: set[int] = set()
    for pid in table:
        with contextlib.suppress(OSError):
            found |= {pid} if os.getpgid(pid) == pgid and pid != os.getpid() else set()
    return found


def _bare(process: psutil.Process) -> bool:
    """Whether it has no environment to be marked by: what changes its title (vLLM's workers do) writes over it."""
    try:
        return not process.environ()
    except (psutil.Error, OSError, ValueError):
        return False


def _reused(record: Record) -> bool:
    """Whether the group's number may mean another group by now."""
    own = identity(os.getpid()) or ""
    return (
        identity(record.pid) not in (None, record.identity)
        or own.partition(":")[0] != record.identity.partition(":")[0]
    )


def _member(process: psutil.Process) -> Member | None:
    mark = identity(process.pid)
    if mark is None:
        return None
    title, memory = "", None
    with contextlib.suppress(psutil.Error, OSError):
        title = " ".join(process.cmdline()) or process.name()
        memory = process.memory_info().rss
    return Member(process.pid, mark, printable(title, 60) or "a process", memory)


def send(number: signal.Signals, them: Iterable[Member]) -> None:
    """Signal each that is still the same process."""
    for each in them:
        if identity(each.pid) == each.identity:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, number)


def wait_until(done: Callable[[], bool], within: float, *, look_again: float = LOOK_AGAIN_S) -> bool:
    """Whether ``done`` came true within ``within`` seconds."""
    deadline = time.monotonic() + within
    while not done():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(look_again, left))
    return True
