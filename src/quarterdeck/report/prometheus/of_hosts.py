"""The metrics of machines and their GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quarterdeck.model.gpu import Holder
from quarterdeck.report.prometheus.metric import (
    Kind,
    Metric,
    Sample,
    Scope,
    each,
    one_of,
    present,
    scaled,
    unix,
    words,
)

_Processes = list[Mapping[str, Any]]
_PRESSURES = ("normal", "warning", "critical")


def _any(values: list[str]) -> Iterable[Sample]:
    yield (), int(bool(values))


def _said(document: Mapping[str, Any]) -> Iterable[Sample]:
    yield (), int(document["reason"] is not None)


def _processes(processes: _Processes) -> Iterable[Sample]:
    counts = Counter(process["holder"] for process in processes)
    return (((holder.value,), counts[holder.value]) for holder in Holder)


def _held(processes: _Processes) -> Iterable[Sample]:
    """Memory by whose it is; no number where that of one process isn't told, for the sum would be too small."""
    sums: dict[tuple[str, str, str], int | None] = {}
    for process in processes:
        key = (process["holder"], process["endpoint"] or "", process["model"] or "")
        sums[key] = _plus(sums.get(key, 0), process["memory_bytes"])
    return sorted(sums.items())


def _orphaned(processes: _Processes) -> Iterable[Sample]:
    total: int | None = 0
    for process in processes:
        if process["holder"] == Holder.ORPHAN.value:
            total = _plus(total, process["memory_bytes"])
    yield (), total


def _plus(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _xids(xids: list[Mapping[str, Any]]) -> Iterable[Sample]:
    """How many of each number are remembered."""
    return (((str(number),), count) for number, count in sorted(Counter(xid["number"] for xid in xids).items()))


def _last_xids(xids: list[Mapping[str, Any]]) -> Iterable[Sample]:
    newest: dict[int, float] = {}
    for xid in xids:
        at = None if xid["time"] is None else unix(xid["time"])
        if at is not None:
            newest[xid["number"]] = max(at, newest.get(xid["number"], at))
    return (((str(number),), at) for number, at in sorted(newest.items()))


def _host(name: str, field: str, text: str, unit: str = "", **more: Any) -> Metric:
    return Metric(f"host_{name}", Scope.HOST, field, text, unit, **more)


def _gpu(name: str, field: str, text: str, unit: str = "", **more: Any) -> Metric:
    return Metric(f"gpu_{name}", Scope.GPU, field, text, unit, **more)


_MACHINE = (
    _host(
        "info",
        "",
        "How a machine is read, its GPU driver and the newest CUDA that this can run.",
        kind=Kind.INFO,
        labels=("source", "driver", "cuda"),
        get=words("source", "driver", "cuda"),
    ),
    _host("problem", "", "Whether something of it can't be read; `quarterdeck status` says what.", get=_said),
    _host("reading_age_seconds", "age_s", "How old its numbers are.", "seconds"),
    _host("poll_interval_seconds", "interval_s", "Between two readings of it.", "seconds"),
    _host("cpu_usage_ratio", "cpu", "Part of all its cores busy.", "ratio"),
    _host("memory_used_bytes", "memory_used_bytes", "Memory in use.", "bytes"),
    _host("memory_total_bytes", "memory_total_bytes", "Memory.", "bytes"),
    _host("disk_used_bytes", "disk_used_bytes", "Of the file system that models lie on, else of the root.", "bytes"),
    _host("disk_total_bytes", "disk_total_bytes", "Of the file system that models lie on, else of the root.", "bytes"),
    _host(
        "memory_pressure",
        "memory_pressure",
        "macOS: 1 for the level, 0 for the others.",
        labels=("level",),
        get=one_of(*_PRESSURES),
    ),
)
_CARD = (
    _gpu("info", "", "What it is.", kind=Kind.INFO, labels=("name",), get=words("name")),
    _gpu("lost", "lost", "Whether it doesn't answer any more; its values are the last ones then."),
    _gpu("reading_age_seconds", "age_s", "How old its numbers are.", "seconds"),
    _gpu("utilization_ratio", "utilization", "Part of the time with a kernel running.", "ratio"),
    _gpu("memory_used_bytes", "memory_used_bytes", "Memory in use, without what the driver keeps.", "bytes"),
    _gpu("memory_reserved_bytes", "memory_reserved_bytes", "What the driver keeps for itself.", "bytes"),
    _gpu("memory_total_bytes", "memory_total_bytes", "All its memory.", "bytes"),
    _gpu(
        "memory_utilization_ratio", "memory_utilization", "Part of the time with memory being read or written.", "ratio"
    ),
    _gpu("unified_memory", "unified", "Whether its memory is the machine's."),
    _gpu("power_watts", "power_w", "Power it takes.", "watts"),
    _gpu("power_limit_watts", "power_limit_w", "Power it may take.", "watts"),
    _gpu("temperature_celsius", "temperature_c", "Of its core.", "celsius"),
    _gpu("memory_temperature_celsius", "memory_temperature_c", "Of its memory.", "celsius"),
    _gpu("slowdown_celsius", "slowdown_c", "The core temperature at which it slows down.", "celsius"),
    _gpu("fan_ratio", "fan", "Of the fan's full speed.", "ratio"),
    _gpu("sm_clock_hertz", "sm_mhz", "Clock of its cores.", "hertz", get=scaled(1e6)),
    _gpu("sm_clock_limit_hertz", "sm_max_mhz", "The highest it may be.", "hertz", get=scaled(1e6)),
    _gpu("memory_clock_hertz", "memory_mhz", "Clock of its memory.", "hertz", get=scaled(1e6)),
    _gpu("memory_clock_limit_hertz", "memory_max_mhz", "The highest it may be.", "hertz", get=scaled(1e6)),
    _gpu("performance_state", "performance_state", "0 (fastest) to 15."),
    _gpu("encoder_utilization_ratio", "encoder", "Part of the time that it encodes video.", "ratio"),
    _gpu("decoder_utilization_ratio", "decoder", "Part of the time that it decodes video.", "ratio"),
)
_TROUBLE = (
    _gpu("throttled", "throttle", "Whether its clocks are held back.", get=_any),
    _gpu("throttle_reason", "throttle", "1 for each reason.", labels=("reason",), get=present),
    _gpu(
        "xid_events",
        "xids",
        "Driver events (Xid) that are remembered, by number.",
        labels=("xid",),
        get=_xids,
    ),
    _gpu(
        "xid_last_timestamp_seconds",
        "xids",
        "When the last one of a number was heard, Unix time.",
        "seconds",
        labels=("xid",),
        get=_last_xids,
    ),
    _gpu(
        "ecc_corrected_errors_total",
        "ecc.corrected",
        "Memory errors put right since the driver was loaded.",
        kind=Kind.COUNTER,
    ),
    _gpu(
        "ecc_uncorrected_errors_total",
        "ecc.uncorrected",
        "Memory errors not put right since the driver was loaded.",
        kind=Kind.COUNTER,
    ),
    _gpu("ecc_remapped_rows", "ecc.remapped_rows", "Rows of memory remapped for good."),
    _gpu("ecc_remap_pending", "ecc.remap_pending", "Whether a reset is needed to remap."),
    _gpu("ecc_remap_failed", "ecc.remap_failed", "Whether remapping failed."),
)
_LINKS = (
    _gpu("pcie_generation", "pcie.generation", "PCIe generation now."),
    _gpu("pcie_generation_limit", "pcie.generation_max", "The best it could be."),
    _gpu("pcie_width_lanes", "pcie.width", "PCIe lanes now.", "lanes"),
    _gpu("pcie_width_limit_lanes", "pcie.width_max", "The best it could be.", "lanes"),
    _gpu("pcie_sent_bytes_per_second", "pcie.sent_bytes_ps", "From the GPU.", "bytes_per_second"),
    _gpu("pcie_received_bytes_per_second", "pcie.received_bytes_ps", "To the GPU.", "bytes_per_second"),
    _gpu(
        "nvlink_active",
        "nvlinks",
        "Whether an NVLink is up.",
        labels=("link",),
        get=each("number", field="active"),
    ),
    _gpu(
        "nvlink_errors_total",
        "nvlinks",
        "CRC, replay and recovery errors of an NVLink since the driver was loaded.",
        kind=Kind.COUNTER,
        labels=("link",),
        get=each("number", field="errors"),
    ),
)
_HOLDERS = (
    _gpu(
        "processes", "processes", "Processes with memory of it, by whose they are.", labels=("holder",), get=_processes
    ),
    _gpu(
        "held_bytes",
        "processes",
        "Its memory by whose it is: model (a watched endpoint's), orphan, other.",
        "bytes",
        labels=("holder", "endpoint", "model"),
        get=_held,
    ),
    _gpu("orphan_bytes", "processes", "Its memory held by workers whose server is gone.", "bytes", get=_orphaned),
)
_SLICES = (
    Metric("mig_info", Scope.MIG, "", "What a slice is.", kind=Kind.INFO, labels=("profile",), get=words("name")),
    Metric("mig_memory_used_bytes", Scope.MIG, "memory_used_bytes", "Memory of a slice in use.", "bytes"),
    Metric("mig_memory_total_bytes", Scope.MIG, "memory_total_bytes", "Memory of a slice.", "bytes"),
)
HOSTS = (*_MACHINE, *_CARD, *_TROUBLE, *_LINKS, *_HOLDERS, *_SLICES)
