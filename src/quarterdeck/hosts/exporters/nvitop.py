"""GPUs, processes and the machine on a page of nvitop-exporter: names end in their unit (MiB, Percentage, W, C, MHz)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quarterdeck.hosts.exporters.page import (
    MOST_GPUS,
    Card,
    Samples,
    Told,
    Value,
    by_id,
    gpu_of,
    index_of,
    mebibytes,
    mebibytes_ps,
    megahertz,
    missing,
    percent,
    pid_of,
    sensor,
    wanted,
    watts,
)
from quarterdeck.model.commandlines import engine_of_title, shown
from quarterdeck.model.gpu import GpuProcess, GpuView, MigInstance

PREFIX = "nvitop_"
_ABOUT = "nvitop_info"
_USED = "gpu_memory_used_MiB"
_FREE = "gpu_memory_free_MiB"
_TOTAL = "gpu_memory_total_MiB"
_VALUES = (
    Value("utilization", ("gpu_utilization_Percentage",), percent),
    Value("memory_utilization", ("gpu_memory_utilization_Percentage",), percent),
    Value("memory_used_bytes", (_USED,), mebibytes),
    Value("memory_total_bytes", (_TOTAL,), mebibytes),
    Value("power_w", ("gpu_power_usage_W",), watts),
    Value("power_limit_w", ("gpu_power_limit_W",), watts),
    Value("temperature_c", ("gpu_temperature_C",), sensor),
    Value("fan", ("gpu_fan_speed_Percentage",), percent),
    Value("sm_mhz", ("gpu_clock_sm_MHz",), megahertz),
    Value("memory_mhz", ("gpu_clock_memory_MHz",), megahertz),
    Value("encoder", ("gpu_encoder_utilization_Percentage",), percent),
    Value("decoder", ("gpu_decoder_utilization_Percentage",), percent),
    Value("pcie.sent_bytes_ps", ("gpu_pcie_tx_throughput_MiBps",), mebibytes_ps),
    Value("pcie.received_bytes_ps", ("gpu_pcie_rx_throughput_MiBps",), mebibytes_ps),
)
_PER_GPU = (_FREE, *wanted(_VALUES))
_PROCESS = "process_gpu_memory_MiB"
_PROCESS_INFO = "process_info_info"
_CPU = "host_cpu_percent_Percentage"
_MEMORY_USED = "host_virtual_memory_used_MiB"
_MEMORY_TOTAL = "host_virtual_memory_total_MiB"
_DISK_USED = "host_disk_usage_used_MiB"
_DISK_TOTAL = "host_disk_usage_total_MiB"
_MACHINE = (_CPU, _MEMORY_USED, _MEMORY_TOTAL, _DISK_USED, _DISK_TOTAL)
WANTED = (_ABOUT, *_PER_GPU, _PROCESS, _PROCESS_INFO, *_MACHINE)


def told(samples: Samples) -> Told | None:
    """What a page of nvitop-exporter tells; ``None`` for another page."""
    if not samples.has(_ABOUT, "gpu_utilization_P", "gpu_memory_total_M"):
        return None
    return Told(
        _gpus(samples),
        "",
        samples.label(_ABOUT, "driver_version"),
        samples.label(_ABOUT, "cuda_driver_version"),
        percent(samples.value(_CPU)),
        mebibytes(samples.value(_MEMORY_USED)),
        mebibytes(samples.value(_MEMORY_TOTAL)),
        mebibytes(samples.value(_DISK_USED, mountpoint="/")),
        mebibytes(samples.value(_DISK_TOTAL, mountpoint="/")),
    )


def _gpus(samples: Samples) -> tuple[GpuView, ...]:
    """The GPUs by index. A MIG device has an index such as "0:1" and the name of its GPU with the profile behind it."""
    cards: dict[tuple[str, str], Card] = {}
    for name in _PER_GPU:
        for labels, value in samples.of(name):
            index, colon, instance = (labels.get("index") or labels.get("uuid") or "").partition(":")
            if not index:
                continue
            card = cards.setdefault((labels.get("hostname", ""), index), Card(index))
            if colon:
                card = card.instances.setdefault(instance, Card(instance))
            card.uuid = card.uuid or labels.get("uuid") or None
            card.name = card.name or labels.get("devicename") or None
            card.note(name, value)
    processes = _processes(samples)
    ordered = sorted(cards.items(), key=lambda entry: (entry[0][0], index_of(entry[0][1], 0), entry[0][1]))[
        : MOST_GPUS + 1
    ]
    return tuple(_view(card, position, processes.get(key)) for position, (key, card) in enumerate(ordered))


def _view(card: Card, position: int, processes: tuple[GpuProcess, ...] | None) -> GpuView:
    view = gpu_of(
        card,
        position,
        _VALUES,
        memory_reserved_bytes=_reserved(card),
        processes=processes,
        mig=by_id(tuple(_instance(part, number) for number, part in enumerate(card.instances.values()))),
    )
    return replace(view, problems=missing(view, "not on the page"))


def _reserved(card: Card) -> int | None:
    """What is neither used nor free: the driver's own."""
    used, free, total = (mebibytes(card.first(name)) for name in (_USED, _FREE, _TOTAL))
    if used is None or free is None or total is None or used + free > total:
        return None
    return total - used - free


def _instance(part: Card, position: int) -> MigInstance:
    used, total = mebibytes(part.first(_USED)), mebibytes(part.first(_TOTAL))
    return MigInstance(
        index_of(part.index, position), part.uuid, part.name, memory_used_bytes=used, memory_total_bytes=total
    )


def _processes(samples: Samples) -> dict[tuple[str, str], tuple[GpuProcess, ...]]:
    """(host, index) of a GPU → its processes, each pid once. Those of a MIG device count for its GPU."""
    titles = {_whose(labels): labels.get("command", "") for labels, _ in samples.of(_PROCESS_INFO)}
    found: dict[tuple[str, str], dict[int, GpuProcess]] = {}
    for labels, value in samples.of(_PROCESS):
        pid = pid_of(labels.get("pid"))
        if pid is None:
            continue
        title = titles.get(_whose(labels), "")
        process = GpuProcess(
            pid,
            mebibytes(value),
            shown(title.split()) or None,
            labels.get("username") or None,
            engine=engine_of_title(title),
        )
        found.setdefault(_whose(labels)[:2], {}).setdefault(pid, process)
    return {gpu: tuple(of_gpu[pid] for pid in sorted(of_gpu)) for gpu, of_gpu in found.items()}


def _whose(labels: Mapping[str, str]) -> tuple[str, str, str]:
    return labels.get("hostname", ""), labels.get("index", "").partition(":")[0], labels.get("pid", "")
