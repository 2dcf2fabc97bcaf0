"""The snapshot as JSON, ``schema_version`` 1. Unknown is null; times are RFC 3339 in UTC; fractions are 0–1.

README.md has the contract: fields are added, never renamed or removed, within a schema version.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.host import HostView
from quarterdeck.model.models import ModelReading
from quarterdeck.model.verdict import Verdict

SCHEMA_VERSION = 1
NEVER = "never"


def document(snapshot: FleetSnapshot, verdict: Verdict) -> dict[str, Any]:
    """The whole document, ready for ``json.dumps(…, allow_nan=False)``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "time": timestamp(snapshot.time),
        "level": verdict.level.word,
        "summary": verdict.summary,
        "endpoints": [_endpoint(snapshot, view) for view in snapshot.endpoints],
        "hosts": [_host(snapshot, host) for host in snapshot.hosts],
    }


def timestamp(unix: float | None) -> str | None:
    """Unix seconds as "2026-11-22T17:05:03.120Z"; ``inf`` as "never"."""
    if unix is None:
        return None
    if unix == math.inf:
        return NEVER
    try:
        moment = datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)


def _endpoint(snapshot: FleetSnapshot, view: EndpointView) -> dict[str, Any]:
    return {
        "name": view.name,
        "engine": view.engine,
        "version": view.version,
        "url": view.url,
        "host": view.host,
        "boundary": view.boundary.value,
        "state": view.state.value if view.state else None,
        "reason": view.reason or None,
        "since": timestamp(snapshot.unix(view.since)) if view.since is not None else None,
        "age_s": _rounded(max(0.0, snapshot.at - view.answered), 3) if view.answered is not None else None,
        "latency_ms": _rounded(view.latency_s * 1000, 3) if view.latency_s is not None else None,
        "running": view.running,
        "waiting": view.waiting,
        "generation_tps": _rounded(view.generation_tps, 3),
        "prompt_tps": _rounded(view.prompt_tps, 3),
        "ttft_p95_s": _rounded(view.ttft_p95_s, 6),
        "itl_p95_s": _rounded(view.itl_p95_s, 6),
        "kv_used": _rounded(view.kv_used, 6),
        "replicas": [
            {
                "engine": replica.engine,
                "running": replica.running,
                "waiting": replica.waiting,
                "generation_tps": _rounded(replica.generation_tps, 3),
                "kv_used": _rounded(replica.kv_used, 6),
            }
            for replica in view.replicas
        ],
        "models": [_model(model) for model in view.models],
    }


def _model(model: ModelReading) -> dict[str, Any]:
    return {
        "id": model.id,
        "state": model.state.value,
        "size_bytes": model.size_bytes,
        "vram_bytes": model.vram_bytes,
        "context_length": model.context_length,
        "expires_at": timestamp(model.expires_at),
    }


def _host(snapshot: FleetSnapshot, host: HostView) -> dict[str, Any]:
    return {
        "name": host.name,
        "source": host.source,
        "reason": host.reason or None,
        "age_s": _rounded(max(0.0, snapshot.at - host.at), 3) if host.at is not None else None,
        "cpu": _rounded(host.cpu, 4),
        "memory_used_bytes": host.memory_used_bytes,
        "memory_total_bytes": host.memory_total_bytes,
        "gpus": [_gpu(gpu) for gpu in host.gpus],
    }


def _gpu(gpu: GpuView) -> dict[str, Any]:
    processes = gpu.processes
    return {
        "index": gpu.index,
        "uuid": gpu.uuid,
        "name": gpu.name,
        "utilization": _rounded(gpu.utilization, 4),
        "memory_used_bytes": gpu.memory_used_bytes,
        "memory_total_bytes": gpu.memory_total_bytes,
        "power_w": _rounded(gpu.power_w, 3),
        "power_limit_w": _rounded(gpu.power_limit_w, 3),
        "temperature_c": _rounded(gpu.temperature_c, 1),
        "processes": None if processes is None else [{"pid": p.pid, "memory_bytes": p.memory_bytes} for p in processes],
    }
