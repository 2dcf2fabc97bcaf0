"""What somebody demands of a fleet beyond its states: limits of `quarterdeck check`, and what of the fleet they are for. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.format import duration, size
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, is_well
from quarterdeck.model.verdict import Finding, Level

if TYPE_CHECKING:
    from quarterdeck.model.gpu import GpuView


class Limit(NamedTuple):
    """From where on something is a warning, and critical; ``None`` = never."""

    warn: float | None = None
    crit: float | None = None

    def above(self, value: float) -> Level:
        """How grave a value is that should be small."""
        if self.crit is not None and value > self.crit:
            return Level.CRITICAL
        return Level.WARNING if self.warn is not None and value > self.warn else Level.OK

    def below(self, value: float) -> Level:
        """How grave a value is that should be large."""
        if self.crit is not None and value < self.crit:
            return Level.CRITICAL
        return Level.WARNING if self.warn is not None and value < self.warn else Level.OK


@dataclass(frozen=True, slots=True)
class Demands:
    """What is looked at, and its limits; ``None`` = no limit."""

    endpoints: tuple[str, ...] = ()
    """Globs of names, as the next two; () = all."""
    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Endpoints that have such a model."""
    waiting: Limit | None = None
    """Requests that wait at one endpoint."""
    kv: Limit | None = None
    """Fraction of the KV cache."""
    ttft_p95_s: Limit | None = None
    vram_free: Limit | None = None
    """Bytes free on each GPU."""
    gpu_temperature: Limit | None = None
    """°C."""
    endpoints_up: Limit | None = None
    """How many have to be well."""
    expected: tuple[str, ...] = ()
    """Globs of models that some endpoint must have ready."""

    @property
    def needs_gpus(self) -> bool:
        """Whether machines have to be read."""
        return bool(self.vram_free or self.gpu_temperature or self.hosts)

    @property
    def needs_rates(self) -> bool:
        """Whether one look isn't enough."""
        return self.ttft_p95_s is not None


def matches(name: str | None, globs: Iterable[str]) -> bool:
    """Whether a name is meant, in whatever case; without globs every name is."""
    wanted = tuple(globs)
    return not wanted or (name is not None and any(fnmatchcase(name.casefold(), glob.casefold()) for glob in wanted))


def selected(fleet: FleetSnapshot, demands: Demands) -> FleetSnapshot:
    """The part of the fleet that is looked at."""
    endpoints = tuple(
        view
        for view in fleet.endpoints
        if matches(view.name, demands.endpoints)
        and matches(view.host, demands.hosts)
        and (not demands.models or any(matches(model.id, demands.models) for model in view.models))
    )
    hosts = tuple(view for view in fleet.hosts if matches(view.name, demands.hosts))
    return replace(fleet, endpoints=endpoints, hosts=hosts)


def unmet(fleet: FleetSnapshot, demands: Demands) -> list[Finding]:
    """Every demand that the (selected) fleet doesn't meet. What is not known is no finding, but for what must be there."""
    findings = [found for view in fleet.endpoints for found in _of_endpoint(view, demands)]
    findings += [
        found
        for host in fleet.hosts
        for gpu in host.gpus
        for found in _of_gpu(gpu, f"{host.name} GPU {gpu.index}", demands)
    ]
    return [*findings, *_of_all(fleet, demands)]


def _of_endpoint(view: EndpointView, demands: Demands) -> Iterator[Finding]:
    if view.state is None or not view.state.answers:
        return  # its state says it already, and its numbers are old
    if demands.waiting and view.waiting is not None:
        yield from _found(demands.waiting.above(view.waiting), view.name, f"{view.waiting} requests waiting")
    if demands.kv and view.kv_used is not None:
        yield from _found(demands.kv.above(view.kv_used), view.name, f"KV cache {view.kv_used:.0%} full")
    if demands.ttft_p95_s and view.ttft_p95_s is not None:
        text = f"TTFT p95 {duration(view.ttft_p95_s)}"
        yield from _found(demands.ttft_p95_s.above(view.ttft_p95_s), view.name, text)


def _of_gpu(gpu: GpuView, name: str, demands: Demands) -> Iterator[Finding]:
    used, total = gpu.memory_used_bytes, gpu.memory_total_bytes
    if demands.vram_free and used is not None and total is not None:
        yield from _found(demands.vram_free.below(total - used), name, f"{size(max(0, total - used))} of memory free")
    if demands.gpu_temperature and gpu.temperature_c is not None:
        level = demands.gpu_temperature.above(gpu.temperature_c)
        yield from _found(level, name, f"{gpu.temperature_c:.0f} °C")


def _of_all(fleet: FleetSnapshot, demands: Demands) -> Iterator[Finding]:
    well = [view for view in fleet.endpoints if is_well(view)]
    if demands.endpoints_up:
        text = f"only {len(well)} of {len(fleet.endpoints)} endpoints well"
        yield from _found(demands.endpoints_up.below(len(well)), "fleet", text)
    for glob in demands.expected:
        if not any(
            matches(name, (glob,)) for view in well for model in view.models for name in (model.id, model.label)
        ):
            yield Finding(Level.CRITICAL, "fleet", f"no endpoint that is well has a model {glob}")


def _found(level: Level, subject: str, text: str) -> Iterator[Finding]:
    if level is not Level.OK:
        yield Finding(level, subject, text)
