"""GPUs, processes and the machine on a page of all-smi (NVIDIA, AMD, Apple Silicon, Jetson and NPUs under the same names)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quarterdeck.hosts.exporters.page import (
    MOST_GPUS,
    Card,
    Samples,
    Told,
    Value,
    gpu_of,
    index_of,
    megahertz,
    missing,
    p_state,
    percent,
    pid_of,
    sensor,
    size,
    small,
    wanted,
    watts,
)
from quarterdeck.model.commandlines import engine_of_title, shown
from quarterdeck.model.gpu import GpuProcess, GpuView, MigInstance

PREFIX = "all_smi_"
_INFO = "all_smi_gpu_info"
_VALUES = (
    Value("utilization", ("all_smi_gpu_utilization",), percent),
    Value("memory_used_bytes", ("all_smi_gpu_memory_used_bytes",), size),
    Value("memory_total_bytes", ("all_smi_gpu_memory_total_bytes",), size),
    Value("power_w", ("all_smi_gpu_power_consumption_watts",), watts),
    Value("power_limit_w", ("all_smi_gpu_power_limit_current_watts",), watts),
    Value("temperature_c", ("all_smi_gpu_temperature_celsius",), sensor),
    Value("slowdown_c", ("all_smi_gpu_temperature_threshold_slowdown_celsius",), sensor),
    Value("sm_mhz", ("all_smi_gpu_frequency_mhz",), megahertz),
    Value("sm_max_mhz", ("all_smi_gpu_clock_graphics_max_mhz",), megahertz),
    Value("memory_max_mhz", ("all_smi_gpu_clock_memory_max_mhz",), megahertz),
    Value("performance_state", ("all_smi_gpu_performance_state",), p_state),
    Value("pcie.generation", ("all_smi_gpu_pcie_gen_current",), small),
    Value("pcie.width", ("all_smi_gpu_pcie_width_current",), small),
)
_PER_GPU = (_INFO, *wanted(_VALUES))
_MIG_USED = "all_smi_mig_instance_memory_used_bytes"
_MIG_TOTAL = "all_smi_mig_instance_memory_total_bytes"
_PROCESS = "all_smi_process_memory_used_bytes"
_CPU = "all_smi_cpu_utilization"
_MEMORY_TOTAL = "all_smi_memory_total_bytes"
_MEMORY_FREE = "all_smi_memory_available_bytes"
_DISK_TOTAL = "all_smi_disk_total_bytes"
_DISK_FREE = "all_smi_disk_available_bytes"
_MACHINE = (_CPU, _MEMORY_TOTAL, _MEMORY_FREE, _DISK_TOTAL, _DISK_FREE)
WANTED = (*_PER_GPU, _MIG_USED, _MIG_TOTAL, _PROCESS, *_MACHINE)
Which = tuple[str, str]


def told(samples: Samples) -> Told | None:
    """What a page of all-smi tells; ``None`` for another page."""
    if not samples.has(PREFIX):
        return None
    total, free = size(samples.value(_MEMORY_TOTAL)), size(samples.value(_MEMORY_FREE))
    disk = size(samples.value(_DISK_TOTAL, mount_point="/"))
    disk_free = size(samples.value(_DISK_FREE, mount_point="/"))
    return Told(
        _gpus(samples),
        "",
        samples.label(_INFO, "driver_version"),
        samples.label(_INFO, "cuda_version"),
        percent(samples.value(_CPU)),
        total - free if total is not None and free is not None and free <= total else None,
        total,
        disk - disk_free if disk is not None and disk_free is not None and disk_free <= disk else None,
        disk,
    )


def _gpus(samples: Samples) -> tuple[GpuView, ...]:
    """The GPUs by host and index; labels are gpu_index, gpu_uuid, gpu (its name), and without "gpu_" in older versions."""
    cards: dict[Which, Card] = {}
    for name in _PER_GPU:
        for labels, value in samples.of(name):
            uuid = labels.get("gpu_uuid") or labels.get("uuid") or None
            index = labels.get("gpu_index") or labels.get("index") or uuid
            if index is None:
                continue
            card = cards.setdefault((labels.get("instance", ""), index), Card(index, uuid))
            card.name = card.name or labels.get("gpu") or labels.get("gpu_name") or None
            card.note(name, value)
    processes, mig = _processes(samples), _mig(samples)
    ordered = sorted(cards.items(), key=lambda entry: (entry[0][0], index_of(entry[0][1], 0), entry[0][1]))[
        : MOST_GPUS + 1
    ]
    return tuple(
        _view(card, position, processes.get(card.uuid or ""), mig.get(card.uuid or "", ()))
        for position, (_, card) in enumerate(ordered)
    )


def _view(card: Card, position: int, processes: tuple[GpuProcess, ...] | None, mig: tuple[MigInstance, ...]) -> GpuView:
    unified = (card.name or "").startswith("Apple ")
    view = gpu_of(card, position, _VALUES, processes=processes, mig=mig, unified=unified)
    return replace(view, problems=missing(view, "not on the page"))


def _processes(samples: Samples) -> dict[str, tuple[GpuProcess, ...]]:
    """uuid of a GPU → its processes, each pid once. Rows of processes that hold no GPU memory name no GPU that has any."""
    found: dict[str, dict[int, GpuProcess]] = {}
    for labels, value in samples.of(_PROCESS):
        uuid, pid = labels.get("device_uuid"), pid_of(labels.get("pid"))
        if not uuid or pid is None or not value:
            continue
        title = labels.get("command") or labels.get("name") or ""
        user = labels.get("user") or None
        process = GpuProcess(pid, size(value), shown(title.split()) or None, user, engine=engine_of_title(title))
        found.setdefault(uuid, {}).setdefault(pid, process)
    return {uuid: tuple(of_gpu[pid] for pid in sorted(of_gpu)) for uuid, of_gpu in found.items()}


def _mig(samples: Samples) -> dict[str, tuple[MigInstance, ...]]:
    found: dict[str, tuple[MigInstance, ...]] = {}
    for labels, value in samples.of(_MIG_TOTAL):
        uuid, number = labels.get("gpu_uuid"), pid_of(labels.get("mig_instance"))
        if uuid and number is not None:
            used = samples.value(_MIG_USED, gpu_uuid=uuid, mig_instance=labels["mig_instance"])
            found[uuid] = (*found.get(uuid, ()), _instance(labels, number, size(used), size(value)))
    return found


def _instance(labels: Mapping[str, str], number: int, used: int | None, total: int | None) -> MigInstance:
    return MigInstance(
        number,
        labels.get("mig_uuid") or None,
        labels.get("mig_profile") or None,
        pid_of(labels.get("gpu_instance_id")),
        pid_of(labels.get("compute_instance_id")),
        used,
        total,
    )
