"""GPUs on a page of nvidia_gpu_exporter (``nvidia_smi_…``), which asks nvidia-smi or NVML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
    hertz,
    missing,
    p_state,
    pid_of,
    sensor,
    share,
    size,
    small,
    tally,
    wanted,
    watts,
)
from quarterdeck.hosts.throttling import throttle_words
from quarterdeck.hosts.xid import xid_words
from quarterdeck.model.commandlines import engine_of_title, shown
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, MigInstance, Xid

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
_REMAPPED = ("nvidia_smi_remapped_rows_correctable", "nvidia_smi_remapped_rows_uncorrectable")
_APPS = "nvidia_smi_compute_app_used_memory_bytes"
_APP_INFO = "nvidia_smi_compute_app_info"
_APP_COUNT = "nvidia_smi_compute_apps"
_SUCCESS = "nvidia_smi_last_collect_success"
_XIDS = "nvidia_smi_xid_errors_total"
_XID_AT = "nvidia_smi_xid_last_timestamp_seconds"
_MIG_INFO = "nvidia_smi_mig_info"
_MIG_USED = "nvidia_smi_mig_memory_used_bytes"
_MIG_TOTAL = "nvidia_smi_mig_memory_total_bytes"
_VALUES = (
    Value("utilization", (_UTIL,), share),
    Value("memory_utilization", ("nvidia_smi_utilization_memory_ratio",), share),
    Value("encoder", ("nvidia_smi_utilization_encoder_ratio",), share),
    Value("decoder", ("nvidia_smi_utilization_decoder_ratio",), share),
    Value("memory_used_bytes", (_USED,), size),
    Value("memory_reserved_bytes", ("nvidia_smi_memory_reserved_bytes",), size),
    Value("memory_total_bytes", (_TOTAL,), size),
    Value("power_w", _POWERS, watts),
    Value("power_limit_w", _LIMITS, watts),
    Value("temperature_c", (_TEMPERATURE,), sensor),
    Value("memory_temperature_c", ("nvidia_smi_temperature_memory",), sensor),
    Value("fan", ("nvidia_smi_fan_speed_ratio",), share),
    Value("sm_mhz", ("nvidia_smi_clocks_current_sm_clock_hz",), hertz),
    Value("sm_max_mhz", ("nvidia_smi_clocks_max_sm_clock_hz",), hertz),
    Value("memory_mhz", ("nvidia_smi_clocks_current_memory_clock_hz",), hertz),
    Value("memory_max_mhz", ("nvidia_smi_clocks_max_memory_clock_hz",), hertz),
    Value("performance_state", ("nvidia_smi_pstate",), p_state),
    Value(
        "throttle",
        ("nvidia_smi_clocks_event_reasons_active", "nvidia_smi_clocks_throttle_reasons_active"),
        throttle_words,
    ),
    Value("pcie.generation", ("nvidia_smi_pcie_link_gen_current",), small),
    Value("pcie.generation_max", ("nvidia_smi_pcie_link_gen_max",), small),
    Value("pcie.width", ("nvidia_smi_pcie_link_width_current",), small),
    Value("pcie.width_max", ("nvidia_smi_pcie_link_width_max",), small),
    Value("pcie.sent_bytes_ps", ("nvidia_smi_pcie_throughput_tx_bytes_per_second",), bytes_ps),
    Value("pcie.received_bytes_ps", ("nvidia_smi_pcie_throughput_rx_bytes_per_second",), bytes_ps),
    Value("ecc.corrected", ("nvidia_smi_ecc_errors_corrected_volatile_total",), tally),
    Value("ecc.uncorrected", ("nvidia_smi_ecc_errors_uncorrected_volatile_total",), tally),
    Value("ecc.remap_pending", ("nvidia_smi_remapped_rows_pending",), flag),
    Value("ecc.remap_failed", ("nvidia_smi_remapped_rows_failure",), flag),
)
_PER_GPU = (_INFO, _INDEX, *_REMAPPED, *wanted(_VALUES))
WANTED = (*_PER_GPU, _APPS, _APP_INFO, _APP_COUNT, _SUCCESS, _XIDS, _XID_AT, _MIG_INFO, _MIG_USED, _MIG_TOTAL)
_BARE_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def told(samples: Samples) -> Told | None:
    """What a page of nvidia_gpu_exporter tells; ``None`` for another page."""
    if not samples.has(PREFIX):
        return None
    driver, cuda = samples.label(_INFO, "driver_version"), samples.label(_INFO, "cuda_version")
    return Told(nvidia_smi_gpus(samples), nvidia_smi_trouble(samples), driver, cuda)


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
    apps, xids, mig = _apps(samples), _xids(samples), _mig(samples)
    views = [
        _view(card, position, apps.get(uuid), xids.get(uuid, ()), mig.get(uuid, ()))
        for position, (uuid, card) in enumerate([*cards.items()][: MOST_GPUS + 1])
    ]
    return tuple(sorted(views, key=lambda view: view.index))


def nvidia_smi_trouble(samples: Samples) -> str:
    """Why the page has no GPUs though the exporter answers; "" when it has nothing to say."""
    return "the exporter can't read its GPUs (nvidia-smi fails there)" if samples.value(_SUCCESS) == 0 else ""


def _view(
    card: Card,
    position: int,
    processes: tuple[GpuProcess, ...] | None,
    xids: tuple[Xid, ...],
    mig: tuple[MigInstance, ...],
) -> GpuView:
    index = card.first(_INDEX)
    card.index = card.index if card.index is not None or index is None else f"{index:.0f}"
    view = gpu_of(card, position, _VALUES, processes=processes, xids=xids, mig=mig)
    remapped = [rows for name in _REMAPPED if (rows := tally(card.first(name))) is not None]
    if remapped:
        view = replace(view, ecc=replace(view.ecc or Ecc(), remapped_rows=sum(remapped)))
    return replace(view, problems=missing(view, "not on the page"))


def _apps(samples: Samples) -> dict[str, tuple[GpuProcess, ...]]:
    """uuid → its processes, each pid once; without an entry where the exporter isn't asked to tell of them."""
    found: dict[str, dict[int, GpuProcess]] = {
        labels["uuid"]: {} for labels, _ in samples.of(_APP_COUNT) if labels.get("uuid")
    }
    rows = [*_app_rows(samples, _APPS), *_app_rows(samples, _APP_INFO)]
    if rows:  # a GPU without a row has none, as others have some
        found = {uuid: {} for labels, _ in samples.of(_INFO) if (uuid := labels.get("uuid"))} | found
    for uuid, process in rows:
        found.setdefault(uuid, {}).setdefault(process.pid, process)
    return {uuid: tuple(processes[pid] for pid in sorted(processes)) for uuid, processes in found.items()}


def _app_rows(samples: Samples, name: str) -> Iterator[tuple[str, GpuProcess]]:
    for labels, value in samples.of(name):
        uuid, pid = labels.get("uuid"), pid_of(labels.get("pid"))
        if uuid and pid is not None:
            title = labels.get("process_name", "")
            memory = size(value) if name == _APPS else None
            yield uuid, GpuProcess(pid, memory, shown(title.split()) or None, engine=engine_of_title(title))


def _xids(samples: Samples) -> dict[str, tuple[Xid, ...]]:
    """uuid → the driver events that the exporter heard, the newest first where it tells when they came."""
    times = {_event(labels): at or 0.0 for labels, at in samples.of(_XID_AT)}
    heard = {_event(labels) for labels, count in samples.of(_XIDS) if count}
    found: dict[str, tuple[Xid, ...]] = {}
    for uuid, number in sorted(heard, key=lambda event: (-times.get(event, 0.0), event)):
        if uuid and number.isascii() and number.isdecimal() and len(number) <= 4:
            found[uuid] = (*found.get(uuid, ()), Xid(int(number), words=xid_words(int(number))))
    return found


def _event(labels: Mapping[str, str]) -> tuple[str, str]:
    return labels.get("uuid", ""), labels.get("xid", "")


def _mig(samples: Samples) -> dict[str, tuple[MigInstance, ...]]:
    """uuid of the GPU → its MIG devices; their memory is that of the GPU instance that they are part of."""
    found: dict[str, list[MigInstance]] = {}
    for labels, _ in samples.of(_MIG_INFO):
        uuid, instance = labels.get("uuid"), labels.get("gpu_instance_id", "")
        if not uuid:
            continue
        of_gpu = found.setdefault(uuid, [])
        of_gpu.append(
            MigInstance(
                len(of_gpu),
                labels.get("mig_uuid") or None,
                labels.get("profile") or None,
                pid_of(instance),
                pid_of(labels.get("compute_instance_id")),
                size(samples.value(_MIG_USED, uuid=uuid, gpu_instance_id=instance)),
                size(samples.value(_MIG_TOTAL, uuid=uuid, gpu_instance_id=instance)),
            )
        )
    return {uuid: by_id(tuple(instances)) for uuid, instances in found.items()}


def _with_prefix(uuid: str) -> str:
    """The exporter cuts "GPU-" off; everything else that names GPUs has it."""
    return f"GPU-{uuid}" if _BARE_UUID.fullmatch(uuid) else uuid
