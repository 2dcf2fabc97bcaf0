"""Processor, memory and disk on a page of node_exporter."""

from __future__ import annotations

from quarterdeck.hosts.exporters.page import Samples, Told, size

PREFIX = "node_"
_CPU = "node_cpu_seconds_total"
_LINUX_TOTAL = "node_memory_MemTotal_bytes"
_LINUX_AVAILABLE = "node_memory_MemAvailable_bytes"
_MAC_TOTAL = "node_memory_total_bytes"
_MAC_FREE = "node_memory_free_bytes"
_MAC_INACTIVE = "node_memory_inactive_bytes"
_DISK_TOTAL = "node_filesystem_size_bytes"
_DISK_FREE = "node_filesystem_free_bytes"
_ROOT = "/"
WANTED = (
    _CPU,
    _LINUX_TOTAL,
    _LINUX_AVAILABLE,
    _MAC_TOTAL,
    _MAC_FREE,
    _MAC_INACTIVE,
    _DISK_TOTAL,
    _DISK_FREE,
    "node_exporter_build_info",
)
_IDLE = ("idle", "iowait")


def told(samples: Samples) -> Told | None:
    """What a page of node_exporter tells, but for the processor's share, which takes two pages; ``None`` for another page."""
    if not samples.has(PREFIX):
        return None
    used, total = node_memory(samples)
    disk_used, disk_total = node_disk(samples)
    return Told(
        memory_used_bytes=used, memory_total_bytes=total, disk_used_bytes=disk_used, disk_total_bytes=disk_total
    )


def node_disk(samples: Samples) -> tuple[int | None, int | None]:
    """Used and total bytes of the root file system, as `df` counts them."""
    total = size(samples.value(_DISK_TOTAL, mountpoint=_ROOT))
    free = size(samples.value(_DISK_FREE, mountpoint=_ROOT))
    return (total - free if total is not None and free is not None and free <= total else None), total


def node_counters(samples: Samples) -> dict[str, tuple[float, float]]:
    """Processor → (busy, idle) seconds. Guests are in "user" and "nice" already; their own counters aren't read."""
    counters: dict[str, tuple[float, float]] = {}
    for labels, value in samples.of(_CPU):
        if value is None:
            continue
        cpu = labels.get("cpu", "")
        busy, idle = counters.get(cpu, (0.0, 0.0))
        counters[cpu] = (busy, idle + value) if labels.get("mode") in _IDLE else (busy + value, idle)
    return counters


def node_memory(samples: Samples) -> tuple[int | None, int | None]:
    """Used and total bytes. Used is total less available (Linux), less free and inactive (macOS)."""
    total = size(samples.value(_LINUX_TOTAL))
    available = size(samples.value(_LINUX_AVAILABLE))
    if total is None:
        total = size(samples.value(_MAC_TOTAL))
        free, inactive = size(samples.value(_MAC_FREE)), size(samples.value(_MAC_INACTIVE))
        available = free + inactive if free is not None and inactive is not None else None
    if total is None or available is None or available > total:
        return None, total
    return total - available, total
