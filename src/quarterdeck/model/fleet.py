"""The fleet as every screen, report and test sees it: one immutable snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.model.models import ModelReading


class State(StrEnum):
    """What an endpoint is, told truthfully. docs/states.md has the table; `quarterdeck.model.health` decides."""

    OK = "OK"
    BUSY = "BUSY"
    LOADING = "LOADING"
    SLEEPING = "SLEEPING"
    STALLED = "STALLED"
    STALE = "STALE"
    DOWN = "DOWN"
    AUTH = "AUTH"
    RESTARTED = "RESTARTED"

    @property
    def answers(self) -> bool:
        """Whether the endpoint's numbers are current."""
        return self not in (State.STALE, State.DOWN)


class Boundary(StrEnum):
    """How far a prompt sent to an endpoint travels."""

    LOCAL = "local"
    VPC = "vpc"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One data-parallel engine of an endpoint."""

    engine: str
    running: int | None = None
    waiting: int | None = None
    generation_tps: float | None = None
    kv_used: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EndpointView:
    """One row of the fleet. Times are monotonic seconds of the snapshot's clock; rates are per second."""

    name: str
    url: str
    """Never with credentials."""
    host: str | None = None
    boundary: Boundary = Boundary.LOCAL
    protected: bool = False
    interval: float = 2.0
    """Seconds between two polls of it."""
    engine: str | None = None
    version: str | None = None
    state: State | None = None
    """``None`` until the first poll ended."""
    reason: str = ""
    since: float | None = None
    """When ``state`` began."""
    answered: float | None = None
    """When the numbers below were measured; its age is ``snapshot.at - answered``."""
    latency_s: float | None = None
    running: int | None = None
    waiting: int | None = None
    generation_tps: float | None = None
    prompt_tps: float | None = None
    ttft_p95_s: float | None = None
    itl_p95_s: float | None = None
    kv_used: float | None = None
    replicas: tuple[ReplicaView, ...] = ()
    models: tuple[ModelReading, ...] = ()
    notes: tuple[str, ...] = ()
    tps_history: tuple[float | None, ...] = ()
    """Generation tok/s of the last polls, oldest first."""

    @property
    def vram_bytes(self) -> int | None:
        """Bytes on GPUs over all loaded models; ``None`` where no model tells."""
        known = [m.vram_bytes for m in self.models if m.vram_bytes is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory of a GPU. ``memory_bytes`` is ``None`` where the driver won't tell (containers, WDDM)."""

    pid: int
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class GpuView:
    """One GPU. ``utilization`` is the fraction 0–1 of time with a kernel running, not of memory."""

    index: int
    uuid: str | None = None
    name: str | None = None
    utilization: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temperature_c: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    problems: tuple[str, ...] = ()
    """Which values are missing and why, in words ("power: not supported by this GPU")."""


@dataclass(frozen=True, slots=True, eq=False)
class HostView:
    """One machine. ``source`` says how it is read: "nvml", "http://…", "none" …"""

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


@dataclass(frozen=True, slots=True, eq=False)
class FleetSnapshot:
    """Everything known at one moment. ``endpoints`` and ``hosts`` are the same tuples as before where nothing changed."""

    at: float
    """Monotonic seconds: the clock of every other time in here."""
    time: float
    """Unix seconds of the same moment."""
    endpoints: tuple[EndpointView, ...] = ()
    hosts: tuple[HostView, ...] = ()

    def unix(self, at: float) -> float:
        """Monotonic ``at`` as Unix seconds, by this snapshot's pair of clocks (so a wall clock that jumps moves nothing)."""
        return self.time - (self.at - at)


EMPTY_FLEET = FleetSnapshot(at=0.0, time=0.0)
