"""A machine and its GPUs as JSON."""

from __future__ import annotations

from typing import Any

from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, MigInstance, PcieLink
from quarterdeck.model.host import HostView
from quarterdeck.report.values import age, moment, rounded, timestamp


def host(snapshot: FleetSnapshot, view: HostView) -> dict[str, Any]:
    """Everything known of a machine but its history."""
    return {
        "name": view.name,
        "source": view.source,
        "reason": view.reason or None,
        "age_s": age(snapshot, view.at),
        "cpu": rounded(view.cpu, 4),
        "memory_used_bytes": view.memory_used_bytes,
        "memory_total_bytes": view.memory_total_bytes,
        "gpus": [_gpu(snapshot, view, gpu) for gpu in view.gpus],
        "driver": view.driver,
        "cuda": view.cuda,
        "disk_used_bytes": view.disk_used_bytes,
        "disk_total_bytes": view.disk_total_bytes,
        "memory_pressure": view.memory_pressure,
        "notes": list(view.notes),
        "interval_s": rounded(view.interval, 3),
    }


def _gpu(snapshot: FleetSnapshot, of: HostView, gpu: GpuView) -> dict[str, Any]:
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "utilization": rounded(gpu.utilization, 4),
        "memory_used_bytes": gpu.memory_used_bytes,
        "memory_total_bytes": gpu.memory_total_bytes,
        "power_w": rounded(gpu.power_w, 3),
        "power_limit_w": rounded(gpu.power_limit_w, 3),
        "temperature_c": rounded(gpu.temperature_c, 1),
        "processes": None if gpu.processes is None else [_process(process) for process in gpu.processes],
        "memory_reserved_bytes": gpu.memory_reserved_bytes,
        "memory_utilization": rounded(gpu.memory_utilization, 4),
        "memory_temperature_c": rounded(gpu.memory_temperature_c, 1),
        "slowdown_c": rounded(gpu.slowdown_c, 1),
        "fan": rounded(gpu.fan, 4),
        "sm_mhz": rounded(gpu.sm_mhz, 1),
        "sm_max_mhz": rounded(gpu.sm_max_mhz, 1),
        "memory_mhz": rounded(gpu.memory_mhz, 1),
        "memory_max_mhz": rounded(gpu.memory_max_mhz, 1),
        "performance_state": gpu.performance_state,
        "encoder": rounded(gpu.encoder, 4),
        "decoder": rounded(gpu.decoder, 4),
        "unified": gpu.unified,
        **_health(snapshot, gpu),
        "age_s": age(snapshot, gpu.at if gpu.at is not None else of.at),
    }


def _health(snapshot: FleetSnapshot, gpu: GpuView) -> dict[str, Any]:
    """Links, errors, slices, and what holds the card back."""
    links = gpu.nvlinks
    return {
        "throttle": None if gpu.throttle is None else list(gpu.throttle),
        "pcie": None if gpu.pcie is None else _pcie(gpu.pcie),
        "nvlinks": None
        if links is None
        else [{"number": link.number, "active": link.active, "errors": link.errors} for link in links],
        "ecc": None if gpu.ecc is None else _ecc(gpu.ecc),
        "mig": [_mig(instance) for instance in gpu.mig],
        "xids": [{"number": xid.number, "time": moment(snapshot, xid.at), "words": xid.words} for xid in gpu.xids],
        "problems": list(gpu.problems),
        "lost": gpu.lost,
    }


def _process(process: GpuProcess) -> dict[str, Any]:
    return {
        "pid": process.pid,
        "memory_bytes": process.memory_bytes,
        "name": process.name,
        "user": process.user,
        "container": process.container,
        "started": timestamp(process.started),
        "holder": process.holder.value,
        "endpoint": process.endpoint,
        "model": process.model,
        "engine": process.engine,
    }


def _pcie(link: PcieLink) -> dict[str, Any]:
    return {
        "generation": link.generation,
        "generation_max": link.generation_max,
        "width": link.width,
        "width_max": link.width_max,
        "sent_bytes_ps": rounded(link.sent_bytes_ps, 0),
        "received_bytes_ps": rounded(link.received_bytes_ps, 0),
    }


def _ecc(ecc: Ecc) -> dict[str, Any]:
    return {
        "corrected": ecc.corrected,
        "uncorrected": ecc.uncorrected,
        "remapped_rows": ecc.remapped_rows,
        "remap_pending": ecc.remap_pending,
        "remap_failed": ecc.remap_failed,
    }


def _mig(instance: MigInstance) -> dict[str, Any]:
    return {
        "number": instance.number,
        "uuid": instance.uuid,
        "name": instance.name,
        "gpu_instance": instance.gpu_instance,
        "compute_instance": instance.compute_instance,
        "memory_used_bytes": instance.memory_used_bytes,
        "memory_total_bytes": instance.memory_total_bytes,
    }
