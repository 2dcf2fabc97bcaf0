"""Keeps what is known of every endpoint and host, and makes the snapshot from it. Rows that did not change stay the same object."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, ReplicaView, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.health import NOTHING_KNOWN, Memory, remember, settled
from quarterdeck.model.host import HostView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.rates import EngineRates
from quarterdeck.model.reading import Facts, Reading

if TYPE_CHECKING:
    from quarterdeck.hosts.base import HostReading

GPU_HISTORY = 120
_NUMBERS_GONE = (State.DOWN, State.LOADING)


@dataclass(slots=True)
class _Watched:
    """One endpoint: what it is, what is remembered, and the row last made of it."""

    spec: EndpointSpec
    interval: float
    memory: Memory = NOTHING_KNOWN
    view: EndpointView | None = None
    made_of: tuple[Memory, State | None, float] | None = None


@dataclass(slots=True)
class Store:
    """The mutable middle between polls and screens. Single-threaded: used from the event loop only."""

    limits: Limits
    _endpoints: dict[str, _Watched] = field(default_factory=dict)
    _hosts: dict[str, HostView] = field(default_factory=dict)
    _rows: tuple[EndpointView, ...] = ()
    _host_rows: tuple[HostView, ...] = ()

    def watch(self, spec: EndpointSpec, interval: float) -> None:
        """Give ``spec`` a row (or its row a new interval)."""
        watched = self._endpoints.setdefault(spec.name, _Watched(spec, interval))
        watched.interval = interval

    def watch_host(self, spec: HostSpec) -> None:
        """Give a host a row."""
        source = "local" if spec.gpus == "local" else spec.gpus
        self._hosts.setdefault(spec.name, HostView(spec.name, source))

    def apply(self, name: str, reading: Reading) -> None:
        """Take in the result of a poll."""
        watched = self._endpoints.get(name)
        if watched is not None:
            watched.memory = remember(watched.memory, reading, self.limits)

    def apply_host(self, name: str, reading: HostReading) -> None:
        """Take in a host reading; GPUs that can't be read keep their last values for ``down_after``, with the reason."""
        old = self._hosts.get(name)
        if old is None:
            return
        utilizations = [gpu.utilization for gpu in reading.gpus if gpu.utilization is not None]
        mean = sum(utilizations) / len(utilizations) if utilizations else None
        failed = _brought_nothing(reading)
        gone = failed and old.at is not None and reading.at - old.at > self.limits.down_after
        self._hosts[name] = replace(
            old,
            source=reading.source,
            cpu=reading.cpu,
            memory_used_bytes=reading.memory_used_bytes,
            memory_total_bytes=reading.memory_total_bytes if not failed else old.memory_total_bytes,
            gpus=reading.gpus if not failed else tuple(map(_emptied, old.gpus)) if gone else old.gpus,
            reason=reading.reason,
            at=old.at if failed else reading.at,
            gpu_history=(*old.gpu_history[-GPU_HISTORY + 1 :], mean),
        )

    def snapshot(self, now: float, wall: float, settle_at: float, awake_since: float) -> FleetSnapshot:
        """The fleet at ``now``. ``endpoints`` and ``hosts`` are the same tuples as last time where nothing changed.

        Silence counts against an endpoint from ``awake_since`` (the end of the last pause) up to ``settle_at`` (the beginning
        of this one, while paused).
        """
        rows = tuple(self._row(watched, settle_at, awake_since) for watched in self._endpoints.values())
        if not _same(rows, self._rows):
            self._rows = rows
        host_rows = tuple(self._hosts.values())
        if not _same(host_rows, self._host_rows):
            self._host_rows = host_rows
        return FleetSnapshot(at=now, time=wall, endpoints=self._rows, hosts=self._host_rows)

    def _row(self, watched: _Watched, now: float, awake_since: float) -> EndpointView:
        state, reason, since = settled(watched.memory, now, watched.interval, self.limits, awake_since)
        made_of = (watched.memory, state, watched.interval)
        if watched.view is None or watched.made_of is None or not _unchanged(made_of, watched.made_of):
            watched.view = _view(watched, state, reason, since)
            watched.made_of = made_of
        return watched.view


def _brought_nothing(reading: HostReading) -> bool:
    return bool(reading.reason) and not reading.gpus and reading.cpu is None and reading.memory_total_bytes is None


def _emptied(gpu: GpuView) -> GpuView:
    """A card that nobody reads any more: what it is, not how it is."""
    return GpuView(
        gpu.index, gpu.uuid, gpu.name, memory_total_bytes=gpu.memory_total_bytes, power_limit_w=gpu.power_limit_w
    )


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _unchanged(one: tuple[Memory, State | None, float], other: tuple[Memory, State | None, float]) -> bool:
    return one[0] is other[0] and one[1:] == other[1:]


def _view(watched: _Watched, state: State | None, reason: str, since: float | None) -> EndpointView:
    spec, memory = watched.spec, watched.memory
    facts = memory.good.facts if memory.good is not None else None
    blank = EndpointView(
        name=spec.name,
        url=spec.url,
        host=spec.host,
        boundary=spec.boundary,
        protected=spec.protected,
        interval=watched.interval,
        engine=None if spec.engine == "auto" else spec.engine,
        state=state,
        reason=reason,
        since=since,
        tps_history=memory.tps_history,
    )
    if facts is None or memory.good is None:
        return blank
    known = replace(
        blank,
        engine=facts.engine,
        version=facts.version,
        answered=memory.good.at,
        models=facts.models,
        notes=facts.notes,
    )
    if state in _NUMBERS_GONE or (state is State.AUTH and memory.failures):
        return replace(known, models=tuple(_listed(model) for model in facts.models))
    return _with_numbers(known, memory, facts)


def _listed(model: ModelReading) -> ModelReading:
    """A model of a server that doesn't tell any more: what it took of which memory is over."""
    if model.state not in (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING):
        return model
    return replace(model, state=ModelState.SERVED, size_bytes=None, vram_bytes=None, expires_at=None)


def _with_numbers(view: EndpointView, memory: Memory, facts: Facts) -> EndpointView:
    fullest = [engine.kv_used for engine in facts.engines if engine.kv_used is not None]
    return replace(
        view,
        latency_s=memory.good.latency_s if memory.good else None,
        running=_sum([engine.running for engine in facts.engines]),
        waiting=_sum([engine.waiting for engine in facts.engines]),
        generation_tps=memory.generation_tps,
        prompt_tps=memory.prompt_tps,
        ttft_p95_s=memory.ttft_p95_s,
        itl_p95_s=memory.itl_p95_s,
        kv_used=max(fullest) if fullest else None,
        replicas=_replicas(facts, memory.rates or {}),
    )


def _sum(values: list[int | None]) -> int | None:
    return (
        None
        if not values or any(value is None for value in values)
        else sum(value for value in values if value is not None)
    )


def _replicas(facts: Facts, rates: dict[str, EngineRates]) -> tuple[ReplicaView, ...]:
    unknown = EngineRates()
    return tuple(
        ReplicaView(e.label, e.running, e.waiting, rates.get(e.label, unknown).generation_tps, e.kv_used)
        for e in facts.engines
    )
