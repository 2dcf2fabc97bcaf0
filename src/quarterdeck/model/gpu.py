"""One GPU as every screen and report sees it. Unknown is ``None``; a list that is unknown is ``None``, one that is empty is ()."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Holder(StrEnum):
    """Whose GPU memory it is."""

    MODEL = "model"
    """A process of a watched endpoint."""
    ORPHAN = "orphan"
    """A model server's worker whose server is gone."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that holds memory of a GPU. ``memory_bytes`` is ``None`` where the driver won't tell (containers, WDDM)."""

    pid: int
    memory_bytes: int | None = None
    name: str | None = None
    """Its title as `ps` shows it ("VLLM::EngineCore"), without secrets, cut."""
    user: str | None = None
    container: str | None = None
    """Short id or name of the container that it runs in, where /proc tells."""
    started: float | None = None
    """Unix seconds."""
    holder: Holder = Holder.OTHER
    endpoint: str | None = None
    """The watched endpoint it works for."""
    model: str | None = None
    """The model whose memory this is, where it can be told."""
    engine: str | None = None
    """The kind of model server that it is part of, by command lines ("vllm", "ollama", "llamacpp", "sglang")."""
    ports: tuple[int, ...] | None = None
    """TCP ports where it or the server above it was seen to listen; () = nowhere, ``None`` where that can't be seen."""
    told_port: int | None = None
    """The port that the server's command line says, or its engine's default: a hint."""
    serves: tuple[str, ...] = ()
    """Names that the model it holds may have, by command lines and Ollama's manifests."""
    orphaned: bool = False
    """A worker whose server has gone; `Holder.ORPHAN` where no watched endpoint explains it either."""


@dataclass(frozen=True, slots=True)
class PcieLink:
    """Its link to the machine. ``*_bytes_ps``: bytes a second from and to the GPU's side."""

    generation: int | None = None
    generation_max: int | None = None
    width: int | None = None
    width_max: int | None = None
    sent_bytes_ps: float | None = None
    received_bytes_ps: float | None = None


@dataclass(frozen=True, slots=True)
class NvLink:
    """One NVLink. ``errors`` counts CRC, replay and recovery errors since the driver was loaded."""

    number: int
    active: bool | None = None
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Ecc:
    """Memory errors since the driver was loaded, and rows that the card remapped for good."""

    corrected: int | None = None
    uncorrected: int | None = None
    remapped_rows: int | None = None
    remap_pending: bool | None = None
    """A reset is needed to remap."""
    remap_failed: bool | None = None


@dataclass(frozen=True, slots=True)
class MigInstance:
    """One MIG slice of a GPU, with memory of its own."""

    number: int
    uuid: str | None = None
    name: str | None = None
    """The profile, such as "3g.40gb"."""
    gpu_instance: int | None = None
    compute_instance: int | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Xid:
    """A driver event of a GPU ("Xid 79: fell off the bus"); ``at`` is monotonic seconds when it was heard."""

    number: int
    at: float | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class GpuView:
    """One GPU. Fractions are 0–1; ``utilization`` is the share of time with a kernel running, not of memory."""

    index: int
    """NVML's, or the exporter's. The UUID is the key."""
    uuid: str | None = None
    name: str | None = None
    utilization: float | None = None
    memory_used_bytes: int | None = None
    """Without what the driver keeps for itself, where it tells them apart."""
    memory_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    """The enforced one."""
    temperature_c: float | None = None
    processes: tuple[GpuProcess, ...] | None = None
    problems: tuple[str, ...] = ()
    """Which values are missing and why, in words ("power: not supported by this GPU")."""
    memory_reserved_bytes: int | None = None
    """What the driver keeps for itself."""
    memory_utilization: float | None = None
    """Share of time with the memory controller busy."""
    memory_temperature_c: float | None = None
    slowdown_c: float | None = None
    """The core temperature at which it slows down."""
    fan: float | None = None
    sm_mhz: float | None = None
    sm_max_mhz: float | None = None
    memory_mhz: float | None = None
    memory_max_mhz: float | None = None
    performance_state: int | None = None
    """0 (fastest) … 15."""
    throttle: tuple[str, ...] | None = None
    """Why its clocks are held back, in words; () = they aren't. "idle" is no reason."""
    encoder: float | None = None
    decoder: float | None = None
    pcie: PcieLink | None = None
    nvlinks: tuple[NvLink, ...] | None = None
    ecc: Ecc | None = None
    mig: tuple[MigInstance, ...] = ()
    xids: tuple[Xid, ...] = ()
    """The last ones heard, newest first."""
    unified: bool = False
    """Its memory is the machine's (Apple Silicon, GB10, Jetson); ``memory_total_bytes`` is what it may use of that."""
    lost: bool = False
    """It doesn't answer any more; its values are the last ones."""
    at: float | None = None
    """Monotonic seconds when its values were measured; ``None`` = when its host was read."""

    @property
    def key(self) -> str:
        """What tells it from the other GPUs of its host."""
        return self.uuid or f"#{self.index}"

    @property
    def memory_fraction(self) -> float | None:
        """Used and reserved of all its memory."""
        if self.memory_used_bytes is None or not self.memory_total_bytes:
            return None
        return min(1.0, (self.memory_used_bytes + (self.memory_reserved_bytes or 0)) / self.memory_total_bytes)
