"""What sending needs of an engine, without one: a fleet, a snapshot, and what was noted."""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.model.chat.request import ChatRequest, Message, Role, Sampling
from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView, FleetSnapshot
from quarterdeck.model.own import OwnRequest


class NoTunnels:
    """Everything is reached directly."""

    def tunnel(self, spec: EndpointSpec, clock: Clock) -> None:
        """None."""


@dataclass
class FakeDesk:
    """See `quarterdeck.engine.chat.sending.Desk`."""

    fleet: FleetConfig = field(default_factory=FleetConfig)
    clock: Clock = SYSTEM_CLOCK
    shown: FleetSnapshot = EMPTY_FLEET
    noted: list[tuple[str, OwnRequest]] = field(default_factory=list)

    @property
    def opening(self) -> NoTunnels:
        """Opens none."""
        return NoTunnels()

    def snapshot(self) -> FleetSnapshot:
        """What is known."""
        return self.shown

    def note_own(self, name: str, request: OwnRequest) -> None:
        """Remember."""
        self.noted.append((name, request))


def desk_of(*specs: EndpointSpec, views: tuple[EndpointView, ...] = (), **config: object) -> FakeDesk:
    """A desk for these endpoints."""
    fleet = FleetConfig(endpoints=specs, **config)  # type: ignore[arg-type]
    return FakeDesk(fleet, shown=FleetSnapshot(at=0.0, time=0.0, endpoints=views))


def prompt(text: str = "Say hello.", model: str = "m", **sampling: object) -> ChatRequest:
    """A request with one message."""
    return ChatRequest(model, (Message(Role.USER, text),), Sampling(**sampling))  # type: ignore[arg-type]
