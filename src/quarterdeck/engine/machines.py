"""From readings of a machine to its row: GPUs that can't be read keep their last values for a while, dated. Pure but for histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.model.history import History
from quarterdeck.model.host import GPU_SERIES, HostView

if TYPE_CHECKING:
    from quarterdeck.hosts.base import HostReading
    from quarterdeck.model.gpu import GpuView

GPU_HISTORY = 120
"""Readings kept of the mean utilisation."""
MOST_GPUS = 256
"""Remembered of one machine; an exporter that invents new ones all the time must not fill the memory."""


def host_view(old: HostView, reading: HostReading, down_after: float) -> HostView:
    """The row after a reading."""
    failed = brought_nothing(reading)
    gone = failed and old.at is not None and reading.at - old.at > down_after
    kept = old if failed else None
    gpus = reading.gpus if kept is None else tuple(map(emptied, old.gpus)) if gone else old.gpus
    return replace(
        old,
        source=reading.source,
        cpu=reading.cpu,
        memory_used_bytes=reading.memory_used_bytes,
        memory_total_bytes=reading.memory_total_bytes if kept is None else old.memory_total_bytes,
        gpus=gpus,
        reason=reading.reason,
        at=old.at if failed else reading.at,
        gpu_history=(*old.gpu_history[-GPU_HISTORY + 1 :], _mean(reading.gpus)),
        driver=reading.driver or old.driver,
        cuda=reading.cuda or old.cuda,
        disk_used_bytes=reading.disk_used_bytes,
        disk_total_bytes=reading.disk_total_bytes,
        memory_pressure=reading.memory_pressure,
        notes=reading.notes,
        histories=recorded(old.histories, reading.gpus, reading.at),
    )


def _mean(gpus: tuple[GpuView, ...]) -> float | None:
    known = [gpu.utilization for gpu in gpus if gpu.utilization is not None and _is_new(gpu)]
    return sum(known) / len(known) if known else None


def _is_new(gpu: GpuView) -> bool:
    """Whether its values were read just now: not those from before it was lost or its driver hung."""
    return not gpu.lost and gpu.at is None


def recorded(histories: Mapping[str, History], gpus: tuple[GpuView, ...], at: float) -> Mapping[str, History]:
    """``histories`` with the values of ``gpus`` appended; the same mapping unless a GPU is new."""
    missing = [gpu.key for gpu in gpus if gpu.key not in histories]
    if missing:
        kept = (
            histories
            if len(histories) < MOST_GPUS
            else {gpu.key: histories[gpu.key] for gpu in gpus if gpu.key in histories}
        )
        histories = {**kept, **{key: History(GPU_SERIES) for key in missing}}
    for gpu in gpus:
        values = [getattr(gpu, name) if _is_new(gpu) else None for name in GPU_SERIES]
        histories[gpu.key].record(at, values)
    return histories


def brought_nothing(reading: HostReading) -> bool:
    """Whether a reading only says why there is none."""
    return bool(reading.reason) and not reading.gpus and reading.cpu is None and reading.memory_total_bytes is None


def emptied(gpu: GpuView) -> GpuView:
    """A card that nobody reads any more: what it is, not how it is."""
    from quarterdeck.model.gpu import GpuView  # where there is none, nothing of it is imported

    return GpuView(
        gpu.index, gpu.uuid, gpu.name, memory_total_bytes=gpu.memory_total_bytes, power_limit_w=gpu.power_limit_w
    )
