"""What rules can look at of a GPU or a machine, and the words for it. Pure; ``None`` = not known."""

from __future__ import annotations

from quarterdeck.format import duration, percent, size
from quarterdeck.model.alerts.measure import Measure, Moment, Of, Unit
from quarterdeck.model.gpu import GpuView, Holder
from quarterdeck.model.host import HostView

PROGRAMS_FAULT = frozenset({13, 31, 43, 45})
"""Xids that a program causes, or somebody who kills one."""
XID_FOR_S = 600.0
"""An Xid whose time is known is trouble for so long."""
GRAVE_THROTTLING = ("hardware slowdown", "thermal", "power brake", "reliability")
"""Parts of the words for what isn't a GPU's daily life; at its power limit it may always be."""


def _gpu_lost(gpu: GpuView, moment: Moment) -> float | None:
    return 1.0 if gpu.lost else 0.0


def _gpu_lost_words(gpu: GpuView, moment: Moment) -> str:
    if not gpu.lost:
        return "the GPU answers"
    return f"the GPU does not answer: {gpu.problems[0]}" if gpu.problems else "the GPU does not answer"


def _recent(gpu: GpuView, moment: Moment, *, by_program: bool) -> list[str]:
    """The Xids that count now, in words. One without a time counts as long as it is told, but for a program's fault."""
    found = []
    for xid in gpu.xids:
        known = xid.at is not None and moment.at - xid.at <= XID_FOR_S
        if (xid.number in PROGRAMS_FAULT) is by_program and (known or (xid.at is None and not by_program)):
            found.append(f"Xid {xid.number}" + (f": {xid.words}" if xid.words else ""))
    return found


def _xid(gpu: GpuView, moment: Moment) -> float | None:
    return 1.0 if gpu.xids and _recent(gpu, moment, by_program=False) else 0.0


def _xid_program(gpu: GpuView, moment: Moment) -> float | None:
    return 1.0 if gpu.xids and _recent(gpu, moment, by_program=True) else 0.0


def _xid_words(gpu: GpuView, moment: Moment) -> str:
    found = _recent(gpu, moment, by_program=False)
    return _listed(found) if found else f"no Xid for {duration(XID_FOR_S)}"


def _xid_program_words(gpu: GpuView, moment: Moment) -> str:
    found = _recent(gpu, moment, by_program=True)
    return _listed(found) if found else f"no Xid for {duration(XID_FOR_S)}"


def _listed(found: list[str]) -> str:
    return found[0] + (f" (and {len(found) - 1} more)" if len(found) > 1 else "")


def _throttled(gpu: GpuView, moment: Moment) -> float | None:
    if gpu.throttle is None:
        return None
    return 1.0 if gpu.throttle and grave_throttling(gpu) else 0.0


def _throttled_words(gpu: GpuView, moment: Moment) -> str:
    reasons = grave_throttling(gpu)
    return f"its clocks are held back: {', '.join(reasons)}" if reasons else "its clocks are free"


def grave_throttling(gpu: GpuView) -> tuple[str, ...]:
    """Why its clocks are held back, where that shouldn't be."""
    return tuple(word for word in gpu.throttle or () if any(part in word for part in GRAVE_THROTTLING))


def _temperature(gpu: GpuView, moment: Moment) -> float | None:
    return gpu.temperature_c


def _temperature_words(gpu: GpuView, moment: Moment) -> str:
    return f"{gpu.temperature_c:.0f} °C" if gpu.temperature_c is not None else "its temperature is not known"


def _vram(gpu: GpuView, moment: Moment) -> float | None:
    return gpu.memory_fraction


def _vram_words(gpu: GpuView, moment: Moment) -> str:
    total, used = gpu.memory_total_bytes or 0, (gpu.memory_used_bytes or 0) + (gpu.memory_reserved_bytes or 0)
    return f"its memory is {percent(gpu.memory_fraction)} full, {size(max(0, total - used))} free"


def _orphaned(gpu: GpuView, moment: Moment) -> float | None:
    if gpu.processes is None:
        return None
    return float(sum(process.memory_bytes or 0 for process in gpu.processes if process.holder is Holder.ORPHAN))


def _orphaned_words(gpu: GpuView, moment: Moment) -> str:
    orphans = [process for process in gpu.processes or () if process.holder is Holder.ORPHAN]
    if not orphans:
        return "no orphan holds its memory"
    held = size(sum(process.memory_bytes or 0 for process in orphans))
    which = ", ".join(str(process.pid) for process in orphans[:4]) + (" …" if len(orphans) > 4 else "")
    return f"{held} held by worker{'s' if len(orphans) > 1 else ''} {which} whose server is gone"


def _disk(host: HostView, moment: Moment) -> float | None:
    if host.disk_used_bytes is None or not host.disk_total_bytes:
        return None
    return host.disk_used_bytes / host.disk_total_bytes


def _disk_words(host: HostView, moment: Moment) -> str:
    used, total = host.disk_used_bytes or 0, host.disk_total_bytes or 0
    full = percent(used / total if total else None)
    return f"the disk of its models is {full} full, {size(max(0, total - used))} free"


def _unreadable(host: HostView, moment: Moment) -> float | None:
    if host.source == "none" or (host.at is None and not host.reason):
        return None
    return 1.0 if host.reason and is_old(host, moment.at) else 0.0


def _unreadable_words(host: HostView, moment: Moment) -> str:
    return f"the machine can't be read: {host.reason}" if host.reason else "the machine is read"


def is_old(host: HostView, now: float) -> bool:
    """Whether what a machine said is no more than what it once was."""
    return host.at is None or now - host.at > max(3 * host.interval, host.interval + 1)


_G, _H = Of.GPU, Of.HOST
MACHINE_MEASURES = (
    Measure("gpu_lost", _G, Unit.YES_NO, "a GPU that answers no more", _gpu_lost, _gpu_lost_words, of_state=True),
    Measure("xid", _G, Unit.YES_NO, "a driver event of a GPU", _xid, _xid_words, of_state=True),
    Measure(
        "xid_program",
        _G,
        Unit.YES_NO,
        "a driver event of a GPU by a program's fault",
        _xid_program,
        _xid_program_words,
        of_state=True,
    ),
    Measure("throttled", _G, Unit.YES_NO, "clocks held back by heat or power", _throttled, _throttled_words),
    Measure("temperature", _G, Unit.CELSIUS, "°C of a GPU", _temperature, _temperature_words),
    Measure("vram", _G, Unit.SHARE, "share of a GPU's memory in use", _vram, _vram_words),
    Measure("orphaned", _G, Unit.BYTES, "GPU memory of workers whose server is gone", _orphaned, _orphaned_words),
    Measure("disk", _H, Unit.SHARE, "share of the disk that models lie on", _disk, _disk_words),
    Measure(
        "unreadable", _H, Unit.YES_NO, "a machine that can't be read", _unreadable, _unreadable_words, of_state=True
    ),
)
