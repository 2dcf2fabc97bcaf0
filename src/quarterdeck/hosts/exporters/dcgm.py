"""GPUs on a page of NVIDIA's dcgm-exporter (names of its default set of fields and of what people add; FB_* are MiB)."""

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
    bytes_ps,
    flag,
    gpu_of,
    index_of,
    mebibytes,
    megahertz,
    missing,
    p_state,
    percent,
    sensor,
    share,
    small,
    tally,
    wanted,
    watts,
)
from quarterdeck.hosts.throttling import throttle_words
from quarterdeck.hosts.xid import xid_words
from quarterdeck.model.gpu import Ecc, GpuView, MigInstance, Xid

PREFIX = "DCGM_FI_"
_DEV = "DCGM_FI_DEV_"
_UTIL = "DCGM_FI_DEV_GPU_UTIL"
_ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"
_COPY = "DCGM_FI_DEV_MEM_COPY_UTIL"
_DRAM = "DCGM_FI_PROF_DRAM_ACTIVE"
_FREE = "DCGM_FI_DEV_FB_FREE"
_USED = "DCGM_FI_DEV_FB_USED"
_RESERVED = "DCGM_FI_DEV_FB_RESERVED"
_TOTAL = "DCGM_FI_DEV_FB_TOTAL"
_POWER = "DCGM_FI_DEV_POWER_USAGE"
_ENFORCED = "DCGM_FI_DEV_ENFORCED_POWER_LIMIT"
_LIMIT = "DCGM_FI_DEV_POWER_MGMT_LIMIT"
_TEMPERATURE = "DCGM_FI_DEV_GPU_TEMP"
_XID = "DCGM_FI_DEV_XID_ERRORS"
_REMAPPED = (_DEV + "UNCORRECTABLE_REMAPPED_ROWS", _DEV + "CORRECTABLE_REMAPPED_ROWS")
_LINK_ERRORS = tuple(
    f"{_DEV}NVLINK_{kind}_ERROR_COUNT_TOTAL" for kind in ("CRC_FLIT", "CRC_DATA", "REPLAY", "RECOVERY")
)
_VALUES = (
    Value("memory_used_bytes", (_USED,), mebibytes),
    Value("memory_reserved_bytes", (_RESERVED,), mebibytes),
    Value("power_w", (_POWER,), watts),
    Value("power_limit_w", (_ENFORCED, _LIMIT), watts),
    Value("temperature_c", (_TEMPERATURE,), sensor),
    Value("memory_temperature_c", (_DEV + "MEMORY_TEMP",), sensor),
    Value("slowdown_c", (_DEV + "SLOWDOWN_TEMP",), sensor),
    Value("fan", (_DEV + "FAN_SPEED",), percent),
    Value("sm_mhz", (_DEV + "SM_CLOCK",), megahertz),
    Value("sm_max_mhz", (_DEV + "MAX_SM_CLOCK",), megahertz),
    Value("memory_mhz", (_DEV + "MEM_CLOCK",), megahertz),
    Value("memory_max_mhz", (_DEV + "MAX_MEM_CLOCK",), megahertz),
    Value("performance_state", (_DEV + "PSTATE",), p_state),
    Value("throttle", (_DEV + "CLOCKS_EVENT_REASONS", _DEV + "CLOCK_THROTTLE_REASONS"), throttle_words),
    Value("encoder", (_DEV + "ENC_UTIL",), percent),
    Value("decoder", (_DEV + "DEC_UTIL",), percent),
    Value("pcie.generation", (_DEV + "PCIE_LINK_GEN",), small),
    Value("pcie.generation_max", (_DEV + "PCIE_MAX_LINK_GEN",), small),
    Value("pcie.width", (_DEV + "PCIE_LINK_WIDTH",), small),
    Value("pcie.width_max", (_DEV + "PCIE_MAX_LINK_WIDTH",), small),
    Value("pcie.sent_bytes_ps", ("DCGM_FI_PROF_PCIE_TX_BYTES",), bytes_ps),
    Value("pcie.received_bytes_ps", ("DCGM_FI_PROF_PCIE_RX_BYTES",), bytes_ps),
    Value("ecc.corrected", (_DEV + "ECC_SBE_VOL_TOTAL",), tally),
    Value("ecc.uncorrected", (_DEV + "ECC_DBE_VOL_TOTAL",), tally),
    Value("ecc.remap_pending", (_DEV + "ROW_REMAP_PENDING",), flag),
    Value("ecc.remap_failed", (_DEV + "ROW_REMAP_FAILURE",), flag),
)
_BLANK = range(0x7FFFFFF0, 0x80000000)
"""DCGM's ways of saying "no value" in a field of 32 bits."""
WANTED = (_UTIL, _ENGINE, _COPY, _DRAM, _FREE, _TOTAL, _XID, *_REMAPPED, *_LINK_ERRORS, *wanted(_VALUES))
Cards = dict[tuple[str, str], Card]


def told(samples: Samples) -> Told | None:
    """What a page of dcgm-exporter tells; ``None`` for another page."""
    if not samples.has(PREFIX):
        return None
    driver = next((found for name in WANTED if (found := samples.label(name, "DCGM_FI_DRIVER_VERSION"))), None)
    return Told(dcgm_gpus(samples), driver=driver)


def dcgm_gpus(samples: Samples) -> tuple[GpuView, ...]:
    """The GPUs of the page, by host name and index. Rows of MIG instances name their GPU and give it no values."""
    cards: Cards = {}
    words: dict[int, str] = {}
    for name in WANTED:
        for labels, value in samples.of(name):
            card = _note(cards, name, labels, None if value in _BLANK else value)
            if name == _XID and card is not None:
                words.setdefault(id(card), labels.get("err_msg", ""))
    ordered = [card for _, card in sorted(cards.items(), key=_order)[: MOST_GPUS + 1]]
    return tuple(_view(card, position, words.get(id(card), "")) for position, card in enumerate(ordered))


def _note(cards: Cards, name: str, labels: Mapping[str, str], value: float | None) -> Card | None:
    """One row to its card. In Kubernetes a shared GPU has the same row once for each pod: the first one counts."""
    uuid = labels.get("UUID") or labels.get("gpu_uuid") or None
    index = labels.get("gpu") or None
    which = index or uuid
    if which is None:
        return None
    card = _card(cards, labels.get("Hostname") or labels.get("hostname") or "", which, uuid if index is None else None)
    card.index = card.index or index
    card.name = card.name or labels.get("modelName") or labels.get("model_name") or None
    instance = labels.get("GPU_I_ID") or labels.get("GPU_I_PROFILE")
    if instance:
        part = card.instances.setdefault(instance, Card(labels.get("GPU_I_ID"), None, labels.get("GPU_I_PROFILE")))
        if uuid and uuid.startswith("GPU-"):
            card.uuid = card.uuid or uuid
        elif uuid:
            part.uuid = uuid
        part.note(name, value)
        return None
    card.uuid = card.uuid or uuid
    card.note(name, value)
    return card


def _card(cards: Cards, host: str, which: str, uuid: str | None) -> Card:
    """The card of a row; one that names its GPU by ``uuid`` alone (NVLink's) belongs to the card that has it."""
    if uuid is not None:
        known = next((card for (where, _), card in cards.items() if where == host and card.uuid == uuid), None)
        if known is not None:
            return known
    return cards.setdefault((host, which), Card())


def _order(entry: tuple[tuple[str, str], Card]) -> tuple[str, int, str]:
    (host, which), card = entry
    return host, index_of(card.index, 0), which


def _view(card: Card, position: int, said: str) -> GpuView:
    used = mebibytes(card.first(_USED))
    xid = tally(card.first(_XID))
    view = gpu_of(
        card,
        position,
        _VALUES,
        utilization=percent(card.first(_UTIL)) if _UTIL in card.values else share(card.first(_ENGINE)),
        memory_utilization=percent(card.first(_COPY)) if _COPY in card.values else share(card.first(_DRAM)),
        memory_total_bytes=_total(card, used),
        mig=by_id(tuple(_instance(part, number) for number, part in enumerate(card.instances.values()))),
        xids=(Xid(xid, words=said or xid_words(xid)),) if xid else (),
    )
    remapped = [rows for name in _REMAPPED if (rows := tally(card.first(name))) is not None]
    if remapped:
        view = replace(view, ecc=replace(view.ecc or Ecc(), remapped_rows=sum(remapped)))
    count = len(card.instances)
    why = f"the page tells only of its MIG instances ({count})" if count and not card.values else "not on the page"
    return replace(view, problems=(*missing(view, why), *_link_errors(card)))


def _instance(part: Card, position: int) -> MigInstance:
    used = mebibytes(part.first(_USED))
    number = index_of(part.index, position)
    return MigInstance(
        number,
        part.uuid,
        part.name,
        gpu_instance=number if part.index is not None else None,
        memory_used_bytes=used,
        memory_total_bytes=_total(part, used),
    )


def _total(card: Card, used: int | None) -> int | None:
    """FB_TOTAL where it is exported, else free + used + reserved (too little by that where an exporter doesn't tell it)."""
    total = mebibytes(card.first(_TOTAL))
    free = mebibytes(card.first(_FREE))
    if total is not None or used is None or free is None:
        return total
    return used + free + (mebibytes(card.first(_RESERVED)) or 0)


def _link_errors(card: Card) -> tuple[str, ...]:
    """These counters are sums over all links, so that no single one can be named."""
    errors = sum(tally(card.first(name)) or 0 for name in _LINK_ERRORS)
    return (f"NVLink: {errors} errors over all links since the driver was loaded",) if errors else ()
