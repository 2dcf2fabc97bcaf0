"""What every host is: one machine, read by whatever it offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quarterdeck.config.fleet import HostSpec
    from quarterdeck.model.gpu import GpuView


@dataclass(frozen=True, slots=True)
class HostReading:
    """What one reading of a machine found. ``at`` is monotonic seconds when it ended."""

    at: float
    source: str
    """How it was read: "nvml", "local" (no GPU), "none" (not read) or an exporter's URL."""
    cpu: float | None = None
    """Fraction 0–1 of all cores busy since the reading before."""
    memory_used_bytes: int | None = None
    """Total less what could be had without swapping."""
    memory_total_bytes: int | None = None
    gpus: tuple[GpuView, ...] = ()
    reason: str = ""
    """Why something can't be read, in words; "" when all is well."""
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


class Host(Protocol):
    """One machine. Not to be read twice at once."""

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        ...

    async def read(self) -> HostReading:
        """Read it once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads. Never raises, never waits for a hung driver."""
        ...
