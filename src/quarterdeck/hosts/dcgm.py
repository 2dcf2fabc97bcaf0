"""GPUs on a page of NVIDIA's dcgm-exporter (names of its default set of fields; FB_* are MiB)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quarterdeck.hosts.page import Card, Samples, celsius, index_of, mebibytes, missing, share, watts
from quarterdeck.model.gpu import GpuView

PREFIX = "DCGM_FI_"
_UTIL = "DCGM_FI_DEV_GPU_UTIL"
_ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
_FREE = "DCGM_FI_DEV_FB_FREE"
_USED = "DCGM_FI_DEV_FB_USED"
_RESERVED = "DCGM_FI_DEV_FB_RESERVED"
_TOTAL = "DCGM_FI_DEV_FB_TOTAL"
_POWER = "DCGM_FI_DEV_POWER_USAGE"
_ENFORCED = "DCGM_FI_DEV_ENFORCED_POWER_LIMIT"
_LIMIT = "DCGM_FI_DEV_POWER_MGMT_LIMIT"
_TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
WANTED = (_UTIL, _ENGINE, _FREE, _USED, _RESERVED, _TOTAL, _POWER, _ENFORCED, _LIMIT, _TEMPERATURE)


def dcgm_gpus(samples: Samples) -> tuple[GpuView, ...]:
    """The GPUs of the page, by host name and index. Rows of MIG instances name their GPU and give it no values."""
    cards: dict[tuple[str, str], Card] = {}
    for name in WANTED:
        for labels, value in samples.of(name):
            _note(cards, name, labels, value)
    return tuple(_view(card, position) for position, (_, card) in enumerate(sorted(cards.items(), key=_order)))


def _note(cards: dict[tuple[str, str], Card], name: str, labels: Mapping[str, str], value: float | None) -> None:
    """One row to its card. In Kubernetes a shared GPU has the same row once for each pod: the first one counts."""
    uuid = labels.get("UUID") or labels.get("gpu_uuid") or None
    index = labels.get("gpu") or None
    which = index or uuid
    if which is None:
        return
    card = cards.setdefault((labels.get("Hostname") or labels.get("hostname") or "", which), Card())
    card.index = card.index or index
    card.name = card.name or labels.get("modelName") or labels.get("model_name") or None
    instance = labels.get("GPU_I_ID") or labels.get("GPU_I_PROFILE")
    if instance:
        card.instances.add(instance)
        if uuid and uuid.startswith("GPU-"):
            card.uuid = card.uuid or uuid
        return
    card.uuid = card.uuid or uuid
    card.note(name, value)


def _order(entry: tuple[tuple[str, str], Card]) -> tuple[str, int, str]:
    (host, which), card = entry
    return host, index_of(card.index, 0), which


def _view(card: Card, position: int) -> GpuView:
    percent = card.first(_UTIL)
    used = mebibytes(card.first(_USED))
    view = GpuView(
        index_of(card.index, position),
        card.uuid,
        card.name,
        utilization=share(percent / 100 if percent is not None else card.first(_ENGINE)),
        memory_used_bytes=used,
        memory_total_bytes=_total(card, used),
        power_w=watts(card.first(_POWER)),
        power_limit_w=watts(card.first(_ENFORCED, _LIMIT)),
        temperature_c=celsius(card.first(_TEMPERATURE)),
    )
    count = len(card.instances)
    why = f"the page tells only of its MIG instances ({count})" if count and not card.values else "not on the page"
    return replace(view, problems=missing(view, why))


def _total(card: Card, used: int | None) -> int | None:
    """FB_TOTAL where it is exported, else free + used + reserved (too little by that where an exporter doesn't tell it)."""
    total = mebibytes(card.first(_TOTAL))
    free = mebibytes(card.first(_FREE))
    if total is not None or used is None or free is None:
        return total
    return used + free + (mebibytes(card.first(_RESERVED)) or 0)
