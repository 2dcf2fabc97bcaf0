"""The fleet as every screen, report and test sees it: one immutable snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what isn't needed to paint the first frame isn't imported before it
    from quarterdeck.model.alerts.alert import Alert
    from quarterdeck.model.chat.price import Price
    from quarterdeck.model.events import Event
    from quarterdeck.model.happening import Happening
    from quarterdeck.model.history import History
    from quarterdeck.model.host import HostView
    from quarterdeck.model.job import Job
    from quarterdeck.model.latency import Latencies
    from quarterdeck.model.models import ModelReading
    from quarterdeck.model.own import OwnRequests
    from quarterdeck.model.reading import AccessLog, Deployment, EngineReading, LoraAdapter, Spend
    from quarterdeck.model.replica import ReplicaView

_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_PRICES: Mapping[str, Price] = MappingProxyType({})
ENDPOINT_SERIES = (
    "generation_tps",
    "prompt_tps",
    "running",
    "waiting",
    "kv_used",
    "ttft_p95_s",
    "itl_p95_s",
    "vram_bytes",
)
"""What is remembered of an endpoint: names of fields of `EndpointView`."""


class State(StrEnum):
    """What an endpoint is, told truthfully. docs/states.md has the table; `quarterdeck.model.health` decides."""

    OK = "OK"
    BUSY = "BUSY"
    LOADING = "LOADING"
    SLEEPING = "SLEEPING"
    STALLED = "STALLED"
    STALE = "STALE"
    DOWN = "DOWN"
    AUTH = "AUTH"
    RESTARTED = "RESTARTED"

    @property
    def answers(self) -> bool:
        """Whether the endpoint's numbers are current."""
        return self not in (State.STALE, State.DOWN)


class Boundary(StrEnum):
    """How far a prompt sent to an endpoint travels."""

    LOCAL = "local"
    VPC = "vpc"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True, eq=False)
class EndpointView:
    """One row of the fleet. Times are monotonic seconds of the snapshot's clock; rates are per second."""

    name: str
    url: str
    """Never with credentials."""
    host: str | None = None
    boundary: Boundary = Boundary.LOCAL
    protected: bool = False
    interval: float = 2.0
    """Seconds between two polls of it."""
    engine: str | None = None
    version: str | None = None
    state: State | None = None
    """``None`` until the first poll ended."""
    reason: str = ""
    since: float | None = None
    """When ``state`` began."""
    evidence: tuple[str, ...] = ()
    """What ``state`` was concluded from, a line each: the numbers then and now."""
    answered: float | None = None
    """When the numbers below were measured; its age is ``snapshot.at - answered``."""
    latency_s: float | None = None
    running: int | None = None
    waiting: int | None = None
    waiting_by_reason: tuple[tuple[str, int], ...] = ()
    generation_tps: float | None = None
    prompt_tps: float | None = None
    """Cached tokens included; ``cached_tps`` is that part of it."""
    cached_tps: float | None = None
    finished_ps: tuple[tuple[str, float], ...] | None = None
    """Requests ended per second by reason, since the last poll; ("all", …) where no reasons are told."""
    preemptions_ps: float | None = None
    cache_hit_rate: float | None = None
    """Fraction of the prompt tokens looked up in the last minute that the prefix cache had."""
    acceptance: float | None = None
    """Fraction of the tokens drafted in the last minute that were accepted (speculative decoding)."""
    latencies: Latencies | None = None
    """Percentiles over the last interval and the last minute."""
    ttft_p95_s: float | None = None
    """Of the last minute, as the next."""
    itl_p95_s: float | None = None
    kv_used: float | None = None
    """The fullest engine's."""
    kv_capacity_tokens: int | None = None
    replicas: tuple[ReplicaView, ...] = ()
    odd: tuple[str, ...] = ()
    """In what it, or an engine of it, differs from the replicas of the same model, in words; held for some seconds."""
    models: tuple[ModelReading, ...] = ()
    adapters: tuple[LoraAdapter, ...] = ()
    max_adapters: int | None = None
    deployments: tuple[Deployment, ...] = ()
    spend: Spend | None = None
    access_log: AccessLog | None = None
    active_at: float | None = None
    """When it was last seen to finish a request, where nothing better is told."""
    certificate_ends: float | None = None
    """Unix seconds when its TLS certificate expires."""
    own: OwnRequests | None = None
    notes: tuple[str, ...] = ()
    identity: tuple[tuple[str, str], ...] = ()
    cannot: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """Actions (`quarterdeck.model.actions`) that this server can't do, and why, in words; what isn't in it can be, or nobody knows."""
    prices: Mapping[str, Price] = field(default_factory=lambda: _NO_PRICES)
    """Model id → what its tokens cost, by the provider's own list."""
    engines: tuple[EngineReading, ...] = ()
    """The raw readings, for those who want to see them …"""
    origins: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    """… and where each field came from."""
    estimates: frozenset[str] = frozenset()
    """Names of fields above that are bounds or estimates: shown with "~"."""
    events: tuple[Event, ...] = ()
    """What happened to it, newest last."""
    history: History | None = None
    """Its last hour (`ENDPOINT_SERIES`); shared between snapshots, never compared."""
    tps_history: tuple[float | None, ...] = ()
    """Generation tok/s of the last polls, oldest first."""

    @property
    def vram_bytes(self) -> int | None:
        """Bytes on GPUs over all loaded models; ``None`` where no model tells."""
        known = [m.vram_bytes for m in self.models if m.vram_bytes is not None]
        return sum(known) if known else None


def is_well(view: EndpointView) -> bool:
    """Whether an endpoint does its work: OK, SLEEPING, or BUSY and known to have answered before."""
    return view.state in (State.OK, State.SLEEPING) or (view.state is State.BUSY and view.answered is not None)


@dataclass(frozen=True, slots=True, eq=False)
class FleetSnapshot:
    """Everything known at one moment. ``endpoints`` and ``hosts`` are the same tuples as before where nothing changed."""

    at: float
    """Monotonic seconds: the clock of every other time in here."""
    time: float
    """Unix seconds of the same moment."""
    endpoints: tuple[EndpointView, ...] = ()
    hosts: tuple[HostView, ...] = ()
    jobs: tuple[Job, ...] = ()
    """Of this user, whoever asked for them and wherever; those that go on first, then the newest."""
    alerts: tuple[Alert, ...] = ()
    """Open ones first, the worst and then the newest on top; then those cleared lately. The same tuple as before where nothing changed."""
    happenings: tuple[Happening, ...] = ()
    """The latest of the whole fleet, newest last; bounded."""

    def unix(self, at: float) -> float:
        """Monotonic ``at`` as Unix seconds, by this snapshot's pair of clocks (so a wall clock that jumps moves nothing)."""
        return self.time - (self.at - at)


EMPTY_FLEET = FleetSnapshot(at=0.0, time=0.0)
