"""Who holds GPU memory, as one reading of a machine tells. Pure."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.hosts.base import HostReading
from quarterdeck.model.gpu import GpuView

_NO_GPU = (
    "",
    "no NVIDIA driver on this machine",
    "NVIDIA driver not loaded",
    "driver loaded, no GPU",
    "no nvidia-smi on that machine",
    "no GPU on that machine",
    "No devices were found",
)
"""What is said of a machine that has no GPUs, and so nobody who holds their memory."""


class Holding(NamedTuple):
    """What a process holds of one GPU."""

    gpu: int
    """Its index."""
    pid: int
    bytes: int | None
    """``None`` where the driver doesn't tell."""
    name: str | None


def holdings(reading: HostReading) -> tuple[Holding, ...] | str:
    """What every process holds, by GPU; where that isn't known, why, in words. () where there are no GPUs."""
    if not reading.gpus:
        return "; ".join(words for words in reading.reason.split("; ") if words not in _NO_GPU) or ()
    unknown = next((why for gpu in reading.gpus if (why := _unknown(gpu, reading.reason))), "")
    if unknown:
        return unknown
    return tuple(
        Holding(gpu.index, process.pid, process.memory_bytes, process.name)
        for gpu in reading.gpus
        for process in gpu.processes or ()
    )


def _unknown(gpu: GpuView, reason: str) -> str:
    """Why it isn't known who holds memory of a GPU now; "" where it is."""
    if gpu.lost or gpu.at is not None:
        return reason or f"GPU {gpu.index} doesn't answer"
    if gpu.processes is None:  # without a word about it, its kind never tells (AMD's, Apple's)
        named = (problem for problem in gpu.problems if problem.startswith("processes: "))
        return next((f"GPU {gpu.index} doesn't tell its {problem}" for problem in named), "")
    return ""
