"""The command that ends an orphan: refused where it must not be, audited always."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quarterdeck.engine.audit import BEGUN, Audit, audit_path
from quarterdeck.model.gpu import GpuProcess, Holder
from quarterdeck.model.holdings import LOCAL_SOURCES

if TYPE_CHECKING:
    from quarterdeck.hosts.ending import Ending
    from quarterdeck.model.host import HostView


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
    deed: dict[str, Any] = {
        "action": "end-orphan",
        "host": host.name,
        "pid": process.pid,
        "title": process.name,
        "memory_bytes": memory or None,
    }
    try:
        log = Audit(path, wall)
    except OSError as error:
        return f"nothing was done: {path} can't be written ({error.strerror or error})"
    try:
        log.write({**deed, "result": BEGUN})  # first, because this program may be gone before the process is
    except OSError as error:
        log.close()
        return f"nothing was done: {path} can't be written ({error.strerror or error})"
    try:
        result, words = end(process.pid, process.started)
    except Exception as error:  # noqa: BLE001  (whatever the system answers, it is written down)
        result, words = "failed", f"process {process.pid} could not be ended ({type(error).__name__})"
    try:
        log.write({**deed, "result": result, "words": words})
    except OSError as error:
        return f"{words}, but {path} could not be written ({error.strerror or error})"
    finally:
        log.close()
    return words
