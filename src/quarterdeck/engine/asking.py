"""Questions about one model that no poll asks: what its server tells of it, and whether its registry has a newer one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK
from quarterdeck.engine.opening import Opening
from quarterdeck.errors import QuarterdeckError, UsageError

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Actor

_T = TypeVar("_T")


async def show(fleet: FleetConfig, endpoint: str, engine: str, model: str) -> Mapping[str, object]:
    """Parameters, template, capabilities, licence, sizes: as the server tells them. Raises QuarterdeckError."""
    return await _ask(fleet, endpoint, engine, lambda actor: actor.show(model))


async def newer(fleet: FleetConfig, endpoint: str, engine: str, model: str) -> str:
    """Whether the model's registry has another one under its tag, in words. Raises QuarterdeckError."""
    return await _ask(fleet, endpoint, engine, lambda actor: actor.newer(model))


async def _ask(fleet: FleetConfig, endpoint: str, engine: str, question: Callable[[Actor], Awaitable[_T]]) -> _T:
    from quarterdeck.endpoints.acting.open import actor_for
    from quarterdeck.wire.failure import Failure

    spec = spec_of(fleet, endpoint)
    tunnel = Opening().tunnel(spec, SYSTEM_CLOCK)
    try:
        actor = actor_for(spec, engine, tunnel=tunnel)
        try:
            return await question(actor)
        finally:
            await actor.close()
    except Failure as failure:
        raise QuarterdeckError(f"{endpoint}: {failure.reason}") from None


def spec_of(fleet: FleetConfig, endpoint: str) -> EndpointSpec:
    """The endpoint of that name. Raises UsageError that names those there are."""
    spec = next((spec for spec in fleet.endpoints if spec.name == endpoint), None)
    if spec is None:
        names = ", ".join(spec.name for spec in fleet.endpoints[:8]) or "none"
        raise UsageError(f"no endpoint is called {endpoint!r}", hint=f"There are {names}.")
    return spec
