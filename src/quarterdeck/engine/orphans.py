"""The command that ends an orphan: refused where it must not be, audited always."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from quarterdeck.model.gpu import GpuProcess, Holder
from quarterdeck.model.holdings import LOCAL_SOURCES

if TYPE_CHECKING:
    from quarterdeck.hosts.ending import Ending
    from quarterdeck.model.host import HostView

AUDIT_FILE = "audit.jsonl"
BEGUN = "begun"
"""The result in the line that is written before anything is done; the one after it says how it went."""


def audit_path() -> Path:
    """The user's audit file: one JSON object a line."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / AUDIT_FILE


def refusal(process: GpuProcess, host: HostView, *, read_only: bool) -> str:
    """Why a process can't be ended from here, in words; "" where it can."""
    if process.holder is not Holder.ORPHAN:
        return f"process {process.pid} is no orphan; only orphans can be ended here"
    if read_only:
        return "the console is read-only ([console] read_only)"
    if host.source not in LOCAL_SOURCES:
        return f"it runs on {host.name}; there, end it with: kill {process.pid}"
    return ""


async def end_orphan(
    process: GpuProcess,
    host: HostView,
    *,
    read_only: bool,
    audit: Path | None = None,
    wall: Callable[[], float] = time.time,
    end: Callable[[int, float | None], Ending] | None = None,
) -> str:
    """Write down that it begins, end it, write down and say how it went. Never raises, cancellation excepted; what began goes on all the same.

    ``audit``: where to write; default `audit_path`. ``end``: stands in for `quarterdeck.hosts.ending.end_worker`.
    """
    refused = refusal(process, host, read_only=read_only)
    if refused:
        return refused
    path = audit or audit_path()
    return await asyncio.to_thread(_end, process, host, path, wall, end)


def _end(
    process: GpuProcess,
    host: HostView,
    path: Path,
    wall: Callable[[], float],
    end: Callable[[int, float | None], Ending] | None,
) -> str:
    if end is None:
        from quarterdeck.hosts.ending import end_worker

        end = end_worker
    memory = sum(p.memory_bytes or 0 for gpu in host.gpus for p in gpu.processes or () if p.pid == process.pid)
    record: dict[str, Any] = {
        "time": _time(wall),
        "user": _user(),
        "action": "end-orphan",
        "host": host.name,
        "pid": process.pid,
        "title": process.name,
        "memory_bytes": memory or None,
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        return f"nothing was done: {path} can't be written ({error.strerror or error})"
    with os.fdopen(descriptor, "ab", buffering=0) as file:
        try:  # first, because this program may be gone before the process is
            _write(file, record | {"result": BEGUN})
        except OSError as error:
            return f"nothing was done: {path} can't be written ({error.strerror or error})"
        try:
            result, words = end(process.pid, process.started)
        except Exception as error:  # noqa: BLE001  (whatever the system answers, it is written down)
            result, words = "failed", f"process {process.pid} could not be ended ({type(error).__name__})"
        try:
            _write(file, record | {"time": _time(wall), "result": result, "words": words})
        except OSError as error:
            return f"{words}, but {path} could not be written ({error.strerror or error})"
    return words


def _write(file: IO[bytes], record: dict[str, Any]) -> None:
    file.write(f"{json.dumps(record)}\n".encode())


def _time(wall: Callable[[], float]) -> str:
    return datetime.fromtimestamp(wall(), UTC).isoformat(timespec="seconds")


def _user() -> str:
    """Who does it; behind sudo also who that is."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo by {behind})" if behind and behind != name else name
