"""One machine as every screen and report sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what isn't needed to paint the first frame isn't imported before it
    from quarterdeck.model.gpu import GpuView
    from quarterdeck.model.history import History

_NOTHING: Mapping[str, History] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class HostView:
    """One machine. ``source`` says how it is read: "nvml", "http://…", "ssh", "none" …"""

    name: str
    source: str
    cpu: float | None = None
    """Fraction 0–1 of all cores busy."""
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    gpus: tuple[GpuView, ...] = ()
    reason: str = ""
    """Why something can't be read ("no NVIDIA driver on this machine"); "" when all is well."""
    at: float | None = None
    """Monotonic seconds of the last good reading; ``None`` = never."""
    gpu_history: tuple[float | None, ...] = ()
    """Mean utilisation of its GPUs at the last readings, oldest first."""
    interval: float = 2.0
    """Seconds between two readings."""
    driver: str | None = None
    """Version of the GPU driver …"""
    cuda: str | None = None
    """… and the newest CUDA that it can run."""
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None
    """Of the file system that models lie on, where that is known; else of the root."""
    memory_pressure: str | None = None
    """macOS: "normal", "warning" or "critical"."""
    notes: tuple[str, ...] = ()
    """What is not as it should be and how to get it, a sentence each."""
    histories: Mapping[str, History] = field(default_factory=lambda: _NOTHING)
    """`GpuView.key` → its values over the last hour (`GPU_SERIES`)."""


GPU_SERIES = ("utilization", "memory_used_bytes", "power_w", "temperature_c", "memory_utilization")
"""What is remembered of a GPU: names of fields of `GpuView`."""
