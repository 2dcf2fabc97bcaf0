"""What the console needs of an engine. `quarterdeck.engine.engine.Engine` is one; so is a fake in a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.model.fleet import FleetSnapshot

if TYPE_CHECKING:
    from quarterdeck.config.specs import DeploymentSpec
    from quarterdeck.model.models import ModelReading
    from quarterdeck.model.own import OwnRequest


class EngineLike(Protocol):
    """A running engine, as far as the console uses it."""

    @property
    def fleet(self) -> FleetConfig:
        """What is watched: the fleet file, and what was added since."""
        ...

    @property
    def paused(self) -> bool:
        """Whether polling is stopped for now."""
        ...

    @property
    def interval(self) -> float:
        """Seconds between two polls of an endpoint that has no interval of its own."""
        ...

    async def start(self) -> None:
        """Begin polling in the background; returns at once."""
        ...

    async def stop(self) -> None:
        """End every task and close every connection."""
        ...

    def snapshot(self) -> FleetSnapshot:
        """What is known now. ``endpoints`` and ``hosts`` are the same tuples as last time if nothing changed in them."""
        ...

    def add(
        self,
        endpoints: tuple[EndpointSpec, ...],
        hosts: tuple[HostSpec, ...] = (),
        deployments: tuple[DeploymentSpec, ...] = (),
    ) -> None:
        """Watch more."""
        ...

    def refresh(self, name: str | None = None) -> None:
        """Poll one endpoint, or everything, as soon as possible."""
        ...

    def pause(self, paused: bool) -> None:
        """Stop or resume polling."""
        ...

    def set_interval(self, seconds: float) -> None:
        """Change the interval."""
        ...

    async def probe(self, name: str) -> tuple[ModelReading, OwnRequest]:
        """Send one small request to an endpoint and time it: the model it went to, and what it took.

        Raises UsageError where it can't or must not be sent, QuarterdeckError where it fails.
        """
        ...


class Notice(NamedTuple):
    """What a preparation found: one line for the status line, and what to show while the table is empty."""

    text: str
    lines: tuple[str, ...] = ()


Prepare = Callable[[EngineLike], Awaitable[Notice | None]]
"""Runs after the first frame, while the engine polls: discovery, or starting the demo fleet. May call ``engine.add``."""

MakeEngine = Callable[[FleetConfig], EngineLike]
"""Called after the first frame, so that what an engine imports delays nothing that is seen."""


class Frame(NamedTuple):
    """What a screen draws: a snapshot, and when it is drawn (monotonic and Unix seconds)."""

    fleet: FleetSnapshot
    now: float
    unix: float


def same_fleet(one: FleetSnapshot, other: FleetSnapshot) -> bool:
    """Whether nothing but the clock differs between two snapshots."""
    return (
        one.endpoints is other.endpoints
        and one.hosts is other.hosts
        and one.jobs is other.jobs
        and one.alerts is other.alerts
        and one.happenings is other.happenings
    )


@runtime_checkable
class TakesText(Protocol):
    """A screen with a line to type in."""

    def takes_text(self, character: str) -> bool:
        """Put in a character that was typed before that line had the keys; ``False`` if nothing is being typed."""
        ...
