"""Keeps what is known of every endpoint and host, and makes the snapshot from it. Rows that did not change stay the same object."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.engine.machines import host_view
from quarterdeck.engine.occurrences import Occurrences
from quarterdeck.engine.ownership import Ownership
from quarterdeck.engine.replicas import compared, odd_endpoints
from quarterdeck.engine.views import endpoint_view, series_of
from quarterdeck.model.fleet import ENDPOINT_SERIES, EndpointView, FleetSnapshot
from quarterdeck.model.health import remember, settled
from quarterdeck.model.history import History
from quarterdeck.model.host import HostView
from quarterdeck.model.imbalance import Held, Key
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import NOTHING_KNOWN, Memory
from quarterdeck.model.own import MOST_OWN, OwnRequest, lately
from quarterdeck.model.reading import Reading

if TYPE_CHECKING:
    from quarterdeck.hosts.base import HostReading


@dataclass(slots=True)
class _Watched:
    """One endpoint: what it is, what is remembered, and the row last made of it."""

    spec: EndpointSpec
    interval: float
    memory: Memory = NOTHING_KNOWN
    occurrences: Occurrences = field(default_factory=Occurrences)
    history: History = field(default_factory=lambda: History(ENDPOINT_SERIES))
    own: deque[OwnRequest] = field(default_factory=lambda: deque(maxlen=MOST_OWN))
    odd: tuple[str, ...] = ()
    view: EndpointView | None = None
    made_of: tuple[object, ...] = ()


@dataclass(slots=True)
class Store:
    """The mutable middle between polls and screens. Single-threaded: used from the event loop only."""

    limits: Limits
    _endpoints: dict[str, _Watched] = field(default_factory=dict)
    _hosts: dict[str, HostView] = field(default_factory=dict)
    _rows: tuple[EndpointView, ...] = ()
    _host_rows: tuple[HostView, ...] = ()
    _odd: Mapping[Key, Held] = field(default_factory=dict)
    _ownership: Ownership = field(default_factory=Ownership)

    def watch(self, spec: EndpointSpec, interval: float) -> None:
        """Give ``spec`` a row (or its row a new interval)."""
        watched = self._endpoints.setdefault(spec.name, _Watched(spec, interval))
        watched.interval = interval

    def watch_host(self, spec: HostSpec, interval: float) -> None:
        """Give a host a row (or its row a new interval)."""
        source = "local" if spec.gpus == "local" else spec.gpus
        old = self._hosts.get(spec.name)
        if old is None or old.interval != interval:
            self._hosts[spec.name] = replace(old or HostView(spec.name, source), interval=interval)

    def apply(self, name: str, reading: Reading, *, awaited: bool = False) -> None:
        """Take in the result of a poll; ``awaited``: one of those whose pace somebody sets by hand, be it an hour."""
        watched = self._endpoints.get(name)
        if watched is None:
            return
        before, watched.memory = watched.memory, remember(watched.memory, reading, self.limits, awaited=awaited)
        watched.occurrences.compare(before, watched.memory, reading)
        facts = reading.facts
        values = series_of(watched.memory, facts) if facts is not None else [None] * len(ENDPOINT_SERIES)
        watched.history.record(reading.at, values)

    def note_own(self, name: str, request: OwnRequest) -> None:
        """Take in the timing of a request that we made ourselves."""
        watched = self._endpoints.get(name)
        if watched is not None:
            watched.own.append(request)

    def apply_host(self, name: str, reading: HostReading) -> None:
        """Take in a host reading; GPUs that can't be read keep their last values for ``down_after``, with the reason."""
        old = self._hosts.get(name)
        if old is not None:
            self._hosts[name] = host_view(old, reading, self.limits.down_after)

    def snapshot(self, now: float, wall: float, settle_at: float, awake_since: float) -> FleetSnapshot:
        """The fleet at ``now``. ``endpoints`` and ``hosts`` are the same tuples as last time where nothing changed.

        Silence counts against an endpoint from ``awake_since`` (the end of the last pause) up to ``settle_at`` (the beginning
        of this one, while paused).
        """
        rows = tuple(self._row(watched, settle_at, awake_since) for watched in self._endpoints.values())
        if not _same(rows, self._rows):
            self._compare(rows, settle_at)
            self._rows = rows
        host_rows = tuple(self._hosts.values())
        if not _same(host_rows, self._host_rows):
            self._host_rows = host_rows
        hosts = self._ownership.owned(self._host_rows, self._rows)
        return FleetSnapshot(at=now, time=wall, endpoints=self._rows, hosts=hosts)

    def _compare(self, rows: tuple[EndpointView, ...], now: float) -> None:
        """See which replicas are odd; the rows made next say so."""
        self._odd = compared(rows, self._odd, now)
        told = odd_endpoints(self._odd)
        for name, watched in self._endpoints.items():
            watched.odd = told.get(name, ())

    def _row(self, watched: _Watched, now: float, awake_since: float) -> EndpointView:
        memory = watched.memory
        found = settled(memory, now, watched.interval, self.limits, awake_since)
        watched.occurrences.settled(found, now)
        own = lately(watched.own, now)
        made_of = (memory, found, watched.interval, watched.odd, watched.occurrences.events, own)
        if watched.view is None or made_of != watched.made_of:
            watched.view = endpoint_view(
                watched.spec,
                watched.interval,
                memory,
                found,
                odd=watched.odd,
                events=watched.occurrences.events,
                history=watched.history,
                own=own,
            )
            watched.made_of = made_of
        return watched.view


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))
