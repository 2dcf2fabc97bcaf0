"""From a snapshot to what the rules see in it. Pure; what did not change since the last snapshot isn't looked at again."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from quarterdeck.model.alerts.measure import Measure, Moment, Of
from quarterdeck.model.alerts.measures import MEASURES
from quarterdeck.model.alerts.of_machines import is_old
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.demands import matches
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.holdings import LOCAL_SOURCES
from quarterdeck.model.host import HostView

FEWEST_S = 10.0
"""Two readings closer than this belong together, however often a row is read."""
_STALE, _DOWN, _LOADING = State.STALE, State.DOWN, State.LOADING
"""Of the first the numbers are old; of the others, they were another process's."""
_MOST_PLANS = 20_000


class Check(NamedTuple):
    """One rule for one subject, ready to be looked at."""

    key: str
    rule: Rule
    measure: Measure
    value: Callable[[Any, Moment], float | None]
    limit: float
    below: bool
    of_state: bool


Checks = tuple[Check, ...]
Rules = tuple[tuple[Rule, Measure], ...]
_Plans = dict[tuple[object, ...], Checks]


class Tracked(NamedTuple):
    """What is kept an eye on."""

    keys: Collection[str]
    owners: Collection[str]
    """Their rows (`endpoint_owner`, `host_owner`)."""
    awake: float
    """Values measured before (monotonic seconds) are not known: nobody looked for a while after that."""


class Heard(NamedTuple):
    """What a snapshot says of one rule and one subject."""

    check: Check
    subject: str
    value: float | None
    """``None`` = not known now …"""
    gone: str
    """… or no more: why, in words ("vllm-a is DOWN")."""
    at: float
    """Monotonic seconds when the value was measured."""
    gap: float
    """Two readings further apart than this prove nothing of the time between them."""
    owner: str
    """The row it belongs to: see `endpoint_owner`, `host_owner`."""
    row: EndpointView | GpuView | HostView
    host: HostView | None = None
    """Of a GPU: its machine."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was looked at last, so that it isn't again while it is the same."""

    by_kind: Mapping[Of, Rules] = field(default_factory=dict)
    by_model: bool = False
    """Whether a rule is for some models only."""
    endpoints: tuple[EndpointView, ...] = ()
    hosts: tuple[HostView, ...] = ()
    plans: _Plans = field(default_factory=dict)
    """A cache: which rules are for which subject."""


def endpoint_owner(name: str) -> str:
    """What an endpoint's row is called here."""
    return f"endpoint {name}"


def host_owner(name: str) -> str:
    """The same for a machine's."""
    return f"host {name}"


def ready(rules: tuple[Rule, ...]) -> Seen:
    """Nothing seen yet by these rules; one whose measure isn't known is for nothing."""
    known = [(rule, MEASURES[rule.measure]) for rule in rules if rule.measure in MEASURES]
    by_kind = {of: tuple((rule, measure) for rule, measure in known if measure.of is of) for of in Of}
    return Seen(by_kind, any(rule.models for rule in rules))


def moment_of(snapshot: FleetSnapshot) -> Moment:
    """When a snapshot was taken, and which machines have GPUs."""
    with_gpus = {host.name for host in snapshot.hosts if host.gpus}
    if any(host.gpus and host.source in LOCAL_SOURCES for host in snapshot.hosts):
        with_gpus.add("")
    return Moment(snapshot.at, snapshot.time, frozenset(with_gpus))


def hear(seen: Seen, snapshot: FleetSnapshot, tracked: Tracked) -> dict[str, Heard]:
    """Every rule that holds now, and what there is to say of those that are tracked, by key."""
    found: dict[str, Heard] = {}
    look = _Look(moment_of(snapshot), tracked.keys, tracked.awake, found)
    if snapshot.endpoints is not seen.endpoints or tracked.owners:
        for view in _changed(snapshot.endpoints, seen.endpoints, tracked.owners, endpoint_owner):
            look.at_endpoint(view, _endpoint_checks(seen, view))
    if snapshot.hosts is not seen.hosts or tracked.owners:
        for host in _changed(snapshot.hosts, seen.hosts, tracked.owners, host_owner):
            look.at_host(host, _named(seen, Of.HOST, host.name, host.name))
            for subject, gpu in gpu_subjects(host):
                look.at_gpu(host, gpu, subject, _named(seen, Of.GPU, subject, host.name))
    return found


def gpu_subjects(host: HostView) -> list[tuple[str, GpuView]]:
    """Each GPU with what alerts call it: HOST/INDEX, and its key where another one has that index too."""
    found: dict[str, GpuView] = {}
    for gpu in host.gpus:
        name = f"{host.name}/{gpu.index}"
        found[name if name not in found else f"{name} {gpu.key}"] = gpu
    return list(found.items())


class _Row(NamedTuple):
    """A row as it is looked at."""

    row: EndpointView | GpuView | HostView
    subject: str
    at: float | None
    """When its numbers were measured; ``None`` = they are not known."""
    gone: str
    gap: float
    owner: str
    host: HostView | None = None


class _Look(NamedTuple):
    """One look at a snapshot."""

    moment: Moment
    tracked: Collection[str]
    awake: float
    found: dict[str, Heard]

    def at_endpoint(self, view: EndpointView, checks: Checks) -> None:
        at, state = view.answered, view.state
        gone = ""
        if state is _DOWN or state is _LOADING:
            gone = f"{view.name} is {state.value}"
        current = not gone and at is not None and at >= self.awake and state is not None and state is not _STALE
        gap = max(FEWEST_S, 3 * view.interval + 1)
        self._all(checks, _Row(view, view.name, at if current else None, gone, gap, endpoint_owner(view.name)))

    def at_host(self, host: HostView, checks: Checks) -> None:
        at = host.at if self._is_current(host, host.at) else None
        self._all(checks, _Row(host, host.name, at, "", _gap(host), host_owner(host.name)))

    def at_gpu(self, host: HostView, gpu: GpuView, subject: str, checks: Checks) -> None:
        gone = f"the GPU {subject} is lost" if gpu.lost else ""
        measured = host.at if gpu.at is None else gpu.at
        at = measured if not gpu.lost and self._is_current(host, measured) else None
        seen = _Row(gpu, subject, at, gone, _gap(host), host_owner(host.name), host)
        if is_old(host, self.moment.at):  # not even what it is now is known
            for check in checks:
                if check.key in self.tracked:
                    self.found[check.key] = _heard(check, seen._replace(gone=""), None, self.moment.at)
            return
        self._all(checks, seen)

    def _is_current(self, host: HostView, at: float | None) -> bool:
        limit = max(3 * host.interval, host.interval + 1)
        return at is not None and at >= self.awake and self.moment.at - at <= limit

    def _all(self, checks: Checks, seen: _Row) -> None:
        moment, tracked, row, at = self.moment, self.tracked, seen.row, seen.at
        for check in checks:
            key, _, _, value_of, limit, below, of_state = check
            value = value_of(row, moment) if of_state or at is not None else None
            if key in tracked or (value is not None and (value < limit if below else value > limit)):
                if value is not None and not math.isfinite(value):
                    value = None
                self.found[key] = _heard(check, seen, value, moment.at if of_state or at is None else at)


def _heard(check: Check, seen: _Row, value: float | None, at: float) -> Heard:
    gone = seen.gone if value is None else ""
    return Heard(check, seen.subject, value, gone, at, seen.gap, seen.owner, seen.row, seen.host)


def _gap(host: HostView) -> float:
    return max(FEWEST_S, 3 * host.interval + 1)


def _changed(
    rows: tuple[Any, ...], before: tuple[Any, ...], owners: Collection[str], name: Callable[[str], str]
) -> Iterable[Any]:
    if len(rows) != len(before):
        return rows
    return [
        row for row, old in zip(rows, before, strict=True) if row is not old or (owners and name(row.name) in owners)
    ]


def _endpoint_checks(seen: Seen, view: EndpointView) -> Checks:
    models = tuple(model.id for model in view.models) if seen.by_model else ()
    kept = ("", view.name, view.host, view.engine, models)
    known = seen.plans.get(kept)
    if known is None:
        known = tuple(
            _check(rule, measure, view.name)
            for rule, measure in seen.by_kind.get(Of.ENDPOINT, ())
            if matches(view.name, rule.endpoints)
            and matches(view.host, rule.hosts)
            and rule.engine in (None, view.engine)
            and (not rule.models or any(matches(model, rule.models) for model in models))
        )
        _keep(seen.plans, kept, known)
    return known


def _named(seen: Seen, of: Of, subject: str, host: str) -> Checks:
    """Those of a machine or GPU."""
    kept = (of.value, subject)
    known = seen.plans.get(kept)
    if known is None:
        rules = seen.by_kind.get(of, ())
        known = tuple(_check(rule, measure, subject) for rule, measure in rules if matches(host, rule.hosts))
        _keep(seen.plans, kept, known)
    return known


def _keep(plans: _Plans, kept: tuple[object, ...], known: Checks) -> None:
    if len(plans) >= _MOST_PLANS:
        plans.clear()
    plans[kept] = known


def _check(rule: Rule, measure: Measure, subject: str) -> Check:
    return Check(f"{rule.id} {subject}", rule, measure, measure.value, rule.limit, rule.below, measure.of_state)
