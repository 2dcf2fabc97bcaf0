"""From what is remembered of an endpoint to its row: which numbers are shown in which state. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.health import Conclusion
from quarterdeck.model.imbalance import Key
from quarterdeck.model.latency import Window
from quarterdeck.model.memory import Memory
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.rates import NO_RATES
from quarterdeck.model.reading import EngineReading, Facts, Reading
from quarterdeck.model.replica import ReplicaView

_NUMBERS_GONE = (State.DOWN, State.LOADING)
_REFUSALS = 3
"""So many polls in a row that only a 429 answered leave no numbers: BUSY is shown as new, and they are not."""


def endpoint_view(spec: EndpointSpec, interval: float, memory: Memory, found: Conclusion, **more: Any) -> EndpointView:
    """The row of ``spec``; ``more``: further fields of it.

    Numbers of a server that is down or loading are left out: they were another process's.
    """
    facts = memory.good.facts if memory.good is not None else None
    fields: dict[str, Any] = {  # one constructor call: `replace` on so many fields costs four times as much
        "name": spec.name,
        "url": spec.url,
        "host": spec.host,
        "boundary": spec.boundary,
        "protected": spec.protected,
        "interval": interval,
        "engine": None if spec.engine == "auto" else spec.engine,
        "state": found.state,
        "reason": found.reason,
        "since": found.since,
        "evidence": found.evidence,
        "tps_history": memory.tps_history,
    }
    if facts is not None and memory.good is not None:
        fields |= _known(memory.good, facts)
        if found.state in _NUMBERS_GONE or _refused(memory, found.state):
            fields["models"] = tuple(_listed(model) for model in facts.models)
        else:
            fields |= _numbers(memory, memory.good, facts)
    odd = (*fields.get("odd", ()), *more.pop("odd", ()))
    return EndpointView(**(fields | more | {"odd": odd}))


def _refused(memory: Memory, state: State | None) -> bool:
    """Whether it answers, and tells its numbers no more."""
    return memory.failures >= {State.AUTH: 1, State.BUSY: _REFUSALS}.get(state or State.OK, math.inf)


def _known(good: Reading, facts: Facts) -> dict[str, Any]:
    return {
        "engine": facts.engine,
        "version": facts.version,
        "answered": good.at,
        "models": facts.models,
        "notes": facts.notes,
        "identity": facts.identity,
        "cannot": facts.cannot,
        "deployments": facts.deployments,
        "certificate_ends": facts.certificate_ends,
        "prices": facts.prices,
    }


def series_of(memory: Memory, facts: Facts) -> list[float | None]:
    """The values of `ENDPOINT_SERIES` after a poll that brought ``facts``."""
    engines, latencies = facts.engines, memory.latencies
    vram = [model.vram_bytes for model in facts.models if model.vram_bytes is not None]
    return [
        memory.total.generation_tps,
        memory.total.prompt_tps,
        _sum([engine.running for engine in engines]),
        _sum([engine.waiting for engine in engines]),
        max((engine.kv_used for engine in engines if engine.kv_used is not None), default=None),
        latencies.quantile("ttft", 0.95),
        latencies.quantile("itl", 0.95),
        sum(vram) if vram else None,
    ]


def _listed(model: ModelReading) -> ModelReading:
    """A model of a server that doesn't tell any more: what it took of which memory is over."""
    if model.state not in (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING):
        return model
    return replace(model, state=ModelState.SERVED, size_bytes=None, vram_bytes=None, expires_at=None)


def _numbers(memory: Memory, good: Reading, facts: Facts) -> dict[str, Any]:
    engines, rates, latencies = facts.engines, memory.total, memory.latencies
    fullest = [engine.kv_used for engine in engines if engine.kv_used is not None]
    odd = memory.odd_engines
    return {
        "latency_s": good.latency_s,
        "running": _sum([engine.running for engine in engines]),
        "waiting": _sum([engine.waiting for engine in engines]),
        "waiting_by_reason": _by_reason(engines),
        "generation_tps": rates.generation_tps,
        "prompt_tps": rates.prompt_tps,
        "cached_tps": rates.cached_tps,
        "finished_ps": rates.finished_ps,
        "preemptions_ps": rates.preemptions_ps,
        "cache_hit_rate": memory.cache_hit_rate,
        "acceptance": memory.acceptance,
        "latencies": latencies,
        "ttft_p95_s": latencies.quantile("ttft", 0.95),
        "itl_p95_s": latencies.quantile("itl", 0.95),
        "kv_used": max(fullest) if fullest else None,
        "kv_capacity_tokens": _sum([engine.kv_capacity_tokens for engine in engines]),
        "replicas": tuple(_replica(engine, memory, odd, facts.by_model) for engine in engines),
        "odd": tuple(f"engine {name}: {text}" for (name, _), text in odd.items()),
        "adapters": facts.adapters,
        "max_adapters": facts.max_adapters,
        "spend": facts.spend,
        "access_log": facts.access_log,
        "active_at": facts.active_at,
        "engines": engines,
        "origins": facts.origins,
        "estimates": facts.estimates,
    }


def _sum(values: list[int | None]) -> int | None:
    total = 0
    for value in values:
        if value is None:
            return None
        total += value
    return total if values else None


def _by_reason(engines: Sequence[EngineReading]) -> tuple[tuple[str, int], ...]:
    sums: dict[str, int] = {}
    for engine in engines:
        for reason, count in engine.waiting_by_reason:
            sums[reason] = sums.get(reason, 0) + count
    return tuple(sums.items())


def _replica(engine: EngineReading, memory: Memory, odd: Mapping[Key, str], is_model: bool) -> ReplicaView:
    rates = memory.rates.get(engine.label, NO_RATES)
    minute = memory.by_engine.get(engine.label, {})
    return ReplicaView(
        engine.label,
        engine.running,
        engine.waiting,
        rates.generation_tps,
        engine.kv_used,
        prompt_tps=rates.prompt_tps,
        ttft_p95_s=_p95(minute.get("ttft")),
        itl_p95_s=_p95(minute.get("itl")),
        odd=tuple(text for (name, _), text in odd.items() if name == engine.label),
        is_model=is_model,
    )


def _p95(window: Window | None) -> float | None:
    return None if window is None else window.quantile(0.95)
