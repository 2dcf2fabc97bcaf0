"""GPUs on a page of nvidia_gpu_exporter (``nvidia_smi_…``), which asks nvidia-smi or NVML."""

from __future__ import annotations

import re
from dataclasses import replace

from quarterdeck.hosts.page import Card, Samples, celsius, index_of, missing, share, size, watts
from quarterdeck.model.gpu import GpuProcess, GpuView

PREFIX = "nvidia_smi_"
_INFO = "nvidia_smi_gpu_info"
_INDEX = "nvidia_smi_index"
_UTIL = "nvidia_smi_utilization_gpu_ratio"
_TOTAL = "nvidia_smi_memory_total_bytes"
_USED = "nvidia_smi_memory_used_bytes"
_POWERS = (
    "nvidia_smi_power_draw_watts",
    "nvidia_smi_power_draw_instant_watts",
    "nvidia_smi_power_draw_average_watts",
)
_LIMITS = ("nvidia_smi_enforced_power_limit_watts", "nvidia_smi_power_limit_watts")
_TEMPERATURE = "nvidia_smi_temperature_gpu"
_APPS = "nvidia_smi_compute_app_used_memory_bytes"
_SUCCESS = "nvidia_smi_last_collect_success"
_PER_GPU = (_INFO, _INDEX, _UTIL, _TOTAL, _USED, *_POWERS, *_LIMITS, _TEMPERATURE)
WANTED = (*_PER_GPU, _APPS, _SUCCESS)
_BARE_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def nvidia_smi_gpus(samples: Samples) -> tuple[GpuView, ...]:
    """The GPUs of the page, by index."""
    cards: dict[str, Card] = {}
    for name in _PER_GPU:
        for labels, value in samples.of(name):
            uuid = labels.get("uuid")
            if not uuid:
                continue
            card = cards.setdefault(uuid, Card(uuid=_with_prefix(uuid)))
            card.note(name, value)
            if name == _INFO:
                card.name = card.name or labels.get("name") or None
                card.index = card.index or labels.get("index") or None
    views = [_view(card, position) for position, card in enumerate(cards.values())]
    apps = _apps(samples)
    if apps:  # no row at all may as well mean that the exporter isn't asked to tell of them
        views = [replace(v, processes=tuple(apps.get(uuid, ()))) for uuid, v in zip(cards, views, strict=True)]
    views = [replace(view, problems=missing(view, "not on the page")) for view in views]
    return tuple(sorted(views, key=lambda view: view.index))


def nvidia_smi_trouble(samples: Samples) -> str:
    """Why the page has no GPUs though the exporter answers; "" when it has nothing to say."""
    return "the exporter can't read its GPUs (nvidia-smi fails there)" if samples.value(_SUCCESS) == 0 else ""


def _view(card: Card, position: int) -> GpuView:
    index = card.first(_INDEX)
    label = card.index if card.index is not None or index is None else f"{index:.0f}"
    return GpuView(
        index_of(label, position),
        card.uuid,
        card.name,
        utilization=share(card.first(_UTIL)),
        memory_used_bytes=size(card.first(_USED)),
        memory_total_bytes=size(card.first(_TOTAL)),
        power_w=watts(card.first(*_POWERS)),
        power_limit_w=watts(card.first(*_LIMITS)),
        temperature_c=celsius(card.first(_TEMPERATURE)),
    )


def _apps(samples: Samples) -> dict[str, list[GpuProcess]]:
    """uuid → its processes, each pid once."""
    held: dict[tuple[str, int], int | None] = {}
    for labels, value in samples.of(_APPS):
        uuid, pid = labels.get("uuid"), labels.get("pid", "")
        if uuid and pid.isascii() and pid.isdecimal() and len(pid) <= 10:
            held.setdefault((uuid, int(pid)), size(value))
    found: dict[str, list[GpuProcess]] = {}
    for gpu, process in sorted(held):
        found.setdefault(gpu, []).append(GpuProcess(process, held[gpu, process]))
    return found


def _with_prefix(uuid: str) -> str:
    """The exporter cuts "GPU-" off; everything else that names GPUs has it."""
    return f"GPU-{uuid}" if _BARE_UUID.fullmatch(uuid) else uuid
