"""NVML's answers in our units; ``None`` for one that makes no sense. Whatever a driver says, nothing raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from quarterdeck.format import printable
from quarterdeck.model.gpu import GpuProcess
from quarterdeck.wire.body import LARGEST_WHOLE, fraction, number, whole

LONGEST_NAME = 80
MOST_PROCESSES = 4096


_plain = object.__getattribute__
"""pynvml's structures look at every field in Python, for the sake of those that are text: five times as slow."""
MEMORY_V2 = 0x2000028
"""The version of `nvmlMemory_v2_t`."""
Busy = tuple[float, float | None]
"""Fractions of the time that the GPU and its memory controller were busy."""
Memory = tuple[int, int, int | None]
"""Used, total and reserved bytes; used is without reserved where that is known."""


class Held(dict[int, int | None]):
    """pid → bytes of a GPU's memory; ``None`` bytes where the driver won't tell."""


def member(value: object, name: str) -> Any:
    """A field of one of NVML's structures; ``None`` where it has none of that name."""
    try:
        return _plain(value, name)
    except AttributeError:
        return None


def text(value: object) -> str | None:
    """A name, cleaned and cut."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return printable(value, LONGEST_NAME).strip() or None if isinstance(value, str) else None


def percent(value: object) -> float | None:
    """Percent as a fraction."""
    if type(value) is int and 0 <= value <= 100:  # what a driver says when all is well costs the least
        return value / 100
    found = number(value)
    return fraction(found / 100) if found is not None else None


def fan(value: object) -> float | None:
    """Percent of the full speed; a fan may turn faster than that."""
    found = number(value)
    return min(found / 100, 1.0) if found is not None and 0 <= found <= 200 else None


def busy(value: object) -> Busy | None:
    """`nvmlUtilization_t`."""
    try:
        gpu, controller = percent(_plain(value, "gpu")), percent(_plain(value, "memory"))
    except AttributeError:
        return None
    return (gpu, controller) if gpu is not None else None


def coder(value: object) -> float | None:
    """Encoder or decoder: percent and the microseconds it was sampled over."""
    return percent(value[0]) if isinstance(value, list | tuple) and value else None


def watts(value: object) -> float | None:
    """mW as W."""
    if type(value) is int and 0 <= value < 100_000_000:
        return value / 1000
    milliwatts = number(value)
    return milliwatts / 1000 if milliwatts is not None and 0 <= milliwatts < 1e8 else None


def celsius(value: object) -> float | None:
    """Degrees."""
    if type(value) is int and 0 <= value <= 300:
        return float(value)
    degrees = number(value)
    return degrees if degrees is not None and -100 <= degrees <= 300 else None


def megahertz(value: object) -> float | None:
    """A clock."""
    if type(value) is int and 0 <= value < 100_000:
        return float(value)
    found = number(value)
    return found if found is not None and 0 <= found < 1e5 else None


def performance_state(value: object) -> int | None:
    """0–15; NVML's 32 is unknown."""
    found = count(value)
    return found if found is not None and found <= 15 else None


def small(value: object) -> int | None:
    """A PCIe generation or width, a number of links."""
    found = count(value)
    return found if found is not None and found < 1024 else None


def count(value: object) -> int | None:
    """A counter, or bytes."""
    return value if type(value) is int and 0 <= value <= LARGEST_WHOLE else whole(value)


def memory(value: object) -> Memory | None:
    """`nvmlMemory_t` or `nvmlMemory_v2_t`; only the second tells ``reserved``, and leaves it out of ``used``."""
    try:
        used, total, reserved = _plain(value, "used"), _plain(value, "total"), _plain(value, "reserved")
    except AttributeError:
        used, total, reserved = member(value, "used"), member(value, "total"), None
    if type(used) is type(total) is type(reserved) is int and 0 <= used <= used + reserved <= total <= LARGEST_WHOLE:
        return used, total, reserved
    used, total, reserved = whole(used), whole(total), whole(reserved)
    if used is None or not total or used > total:
        return None
    return used, total, reserved if reserved is not None and reserved <= total - used else None


def process_list(value: object) -> Held | None:
    """`nvmlProcessInfo_t`s, or what this made of them before. A pid is there once for each MIG instance it uses."""
    if isinstance(value, Held):
        return value
    if not isinstance(value, list):
        return None
    held = Held()
    for process in value[:MOST_PROCESSES]:
        pid = count(member(process, "pid"))
        used = count(member(process, "usedGpuMemory"))
        if pid is not None:
            before = held.get(pid)
            held[pid] = used if before is None else before + (used or 0)
    return held


def merged(compute: dict[int, int | None], graphics: dict[int, int | None]) -> tuple[GpuProcess, ...]:
    """Both lists by pid. A process that is in both holds its memory once."""
    if not graphics:
        return tuple([GpuProcess(pid, held) for pid, held in sorted(compute.items())])
    found = []
    for pid in sorted(compute.keys() | graphics.keys()):
        known = [held for held in (compute.get(pid), graphics.get(pid)) if held is not None]
        found.append(GpuProcess(pid, max(known) if known else None))
    return tuple(found)


def held_by(processes: tuple[GpuProcess, ...] | None) -> int | None:
    """Bytes that all of them hold; ``None`` unless every one is known."""
    if processes is None:
        return None
    known = [process.memory_bytes for process in processes if process.memory_bytes is not None]
    return sum(known) if len(known) == len(processes) else None


_FIELD_TYPES = dict(enumerate(("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")))
"""`nvmlValueType_t`."""


def field_value(value: object) -> object:
    """What an `nvmlFieldValue_t` holds; ``None`` where its type is unknown."""
    try:
        kind = _plain(value, "valueType")
        return _plain(_plain(value, "value"), _FIELD_TYPES[kind]) if type(kind) is int else None
    except (AttributeError, KeyError):
        return None


def cuda_version(value: object) -> str | None:
    """12080 as "12.8"."""
    found = whole(value)
    return f"{found // 1000}.{found % 1000 // 10}" if found and found < 1_000_000 else None


def all_of(check: Callable[[object], int | None], value: object, least: int) -> tuple[int, ...] | None:
    """A sequence of at least ``least`` numbers."""
    if not isinstance(value, list | tuple) or len(value) < least:
        return None
    found = [check(item) for item in value]
    return tuple(item for item in found if item is not None) if None not in found else None
