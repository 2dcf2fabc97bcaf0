"""An endpoint as JSON."""

from __future__ import annotations

from typing import Any

from quarterdeck.model.chat.price import Price
from quarterdeck.model.events import Event
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.latency import KINDS, Latencies, Window
from quarterdeck.model.models import ModelReading
from quarterdeck.model.own import OwnRequests
from quarterdeck.model.reading import AccessLog
from quarterdeck.model.replica import ReplicaView
from quarterdeck.report.values import age, moment, rounded, timestamp


def endpoint(snapshot: FleetSnapshot, view: EndpointView) -> dict[str, Any]:
    """Everything known of an endpoint but its history and the raw readings."""
    return {
        "name": view.name,
        "engine": view.engine,
        "version": view.version,
        "url": view.url,
        "host": view.host,
        "boundary": view.boundary.value,
        "state": view.state.value if view.state else None,
        "reason": view.reason or None,
        "since": moment(snapshot, view.since),
        "age_s": age(snapshot, view.answered),
        "latency_ms": rounded(view.latency_s * 1000, 3) if view.latency_s is not None else None,
        **_numbers(view),
        "replicas": [_replica(replica) for replica in view.replicas],
        "models": [_model(model) for model in view.models],
        **_served(view),
        **_told(snapshot, view),
    }


def _numbers(view: EndpointView) -> dict[str, Any]:
    return {
        "running": view.running,
        "waiting": view.waiting,
        "generation_tps": rounded(view.generation_tps, 3),
        "prompt_tps": rounded(view.prompt_tps, 3),
        "ttft_p95_s": rounded(view.ttft_p95_s, 6),
        "itl_p95_s": rounded(view.itl_p95_s, 6),
        "kv_used": rounded(view.kv_used, 6),
        "kv_capacity_tokens": view.kv_capacity_tokens,
        "waiting_by_reason": dict(view.waiting_by_reason) or None,
        "cached_tps": rounded(view.cached_tps, 3),
        "requests_ps": _by_reason(view.finished_ps),
        "preemptions_ps": rounded(view.preemptions_ps, 3),
        "cache_hit_rate": rounded(view.cache_hit_rate, 6),
        "acceptance": rounded(view.acceptance, 6),
        "percentiles": {kind: _windows(view.latencies, kind) for kind in KINDS},
        "vram_bytes": view.vram_bytes,
    }


def _served(view: EndpointView) -> dict[str, Any]:
    """What stands beside the models."""
    return {
        "adapters": [{"name": a.name, "running": a.running, "waiting": a.waiting} for a in view.adapters],
        "max_adapters": view.max_adapters,
        "deployments": [{"model": d.model, "backend": d.backend, "state": d.state} for d in view.deployments],
        "spend_usd": rounded(view.spend.dollars, 6) if view.spend is not None else None,
        "access_log": _access_log(view.access_log),
        "prices": {name: _price(price) for name, price in view.prices.items()},
    }


def _price(price: Price) -> dict[str, Any]:
    """US dollars per 1M tokens."""
    return {
        "input_usd": rounded(price.input, 6),
        "output_usd": rounded(price.output, 6),
        "cached_input_usd": rounded(price.cached_input, 6),
        "source": price.source,
    }


def _told(snapshot: FleetSnapshot, view: EndpointView) -> dict[str, Any]:
    """How the numbers were come by, and what happened."""
    return {
        "active": moment(snapshot, view.active_at),
        "certificate_ends": timestamp(view.certificate_ends),
        "own_requests": _own(snapshot, view.own),
        "odd": list(view.odd),
        "evidence": list(view.evidence),
        "notes": list(view.notes),
        "identity": dict(view.identity),
        "origins": dict(view.origins),
        "estimates": sorted(view.estimates),
        "cannot": dict(view.cannot),
        "events": [_event(snapshot, event) for event in view.events],
        "protected": view.protected,
        "interval_s": rounded(view.interval, 3),
    }


def _by_reason(finished: tuple[tuple[str, float], ...] | None) -> dict[str, float | None] | None:
    return None if finished is None else {reason: rounded(per_second, 4) for reason, per_second in finished}


def _windows(latencies: Latencies | None, kind: str) -> dict[str, Any]:
    return {
        "last": _percentiles(latencies.last.get(kind) if latencies is not None else None),
        "minute": _percentiles(latencies.minute.get(kind) if latencies is not None else None),
    }


def _percentiles(window: Window | None) -> dict[str, Any] | None:
    """Seconds, and how many were measured; null where none was."""
    if window is None or window.count <= 0:
        return None
    named = {f"p{100 * q:.0f}": rounded(window.quantile(q), 6) for q in (0.5, 0.95, 0.99)}
    return {**named, "count": round(window.count)}


def _replica(replica: ReplicaView) -> dict[str, Any]:
    return {
        "engine": replica.engine,
        "running": replica.running,
        "waiting": replica.waiting,
        "generation_tps": rounded(replica.generation_tps, 3),
        "kv_used": rounded(replica.kv_used, 6),
        "prompt_tps": rounded(replica.prompt_tps, 3),
        "ttft_p95_s": rounded(replica.ttft_p95_s, 6),
        "itl_p95_s": rounded(replica.itl_p95_s, 6),
        "odd": list(replica.odd),
        "is_model": replica.is_model,
    }


def _model(model: ModelReading) -> dict[str, Any]:
    return {
        "id": model.id,
        "state": model.state.value,
        "size_bytes": model.size_bytes,
        "vram_bytes": model.vram_bytes,
        "context_length": model.context_length,
        "expires_at": timestamp(model.expires_at),
        "quantization": model.quantization,
        "parameters": model.parameters,
        "parent": model.parent,
        "remote": model.remote,
    }


def _access_log(log: AccessLog | None) -> dict[str, Any] | None:
    if log is None:
        return None
    return {
        "requests_per_minute": rounded(log.requests_per_minute, 3),
        "by_status": dict(log.by_status),
        "latency_p50_s": rounded(log.latency_p50_s, 6),
        "latency_p95_s": rounded(log.latency_p95_s, 6),
        "origin": log.origin or None,
    }


def _own(snapshot: FleetSnapshot, own: OwnRequests | None) -> dict[str, Any] | None:
    if own is None:
        return None
    return {
        "count": own.count,
        "ttft_p50_s": rounded(own.ttft_p50_s, 6),
        "decode_tps_p50": rounded(own.decode_tps_p50, 3),
        "last": moment(snapshot, own.last_at),
    }


def _event(snapshot: FleetSnapshot, event: Event) -> dict[str, Any]:
    return {"time": moment(snapshot, event.at), "kind": event.kind.value, "word": event.word, "text": event.text}
