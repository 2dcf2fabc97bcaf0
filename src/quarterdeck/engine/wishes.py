"""From typed words to orders: the command line and the console read the same words in the same way. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.meant import meant, places, view_of
from quarterdeck.errors import UsageError
from quarterdeck.model.actions import Action, On
from quarterdeck.model.capability import why_not
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.job import Option, Order
from quarterdeck.model.models import ModelReading
from quarterdeck.model.phrasing import takes_model, takes_on

_NO_OPTIONS: Mapping[str, Option] = MappingProxyType({})


class Wish(NamedTuple):
    """What somebody typed: an action, and the values of its slots (`quarterdeck.model.phrasing`)."""

    action: Action
    targets: Sequence[str] = ()
    models: Sequence[str] = ()
    on: Sequence[str] = ()
    options: Mapping[str, Option] = _NO_OPTIONS


class Wanted(NamedTuple):
    """An order, and what it is for as it was seen just now."""

    order: Order
    view: EndpointView | None
    model: ModelReading | None = None


def orders(wish: Wish, fleet: FleetConfig, seen: FleetSnapshot) -> list[Wanted]:
    """What is asked for. Raises UsageError where it can't be done, with the reason."""
    action = wish.action
    if action.on is On.DEPLOYMENT:
        return [_of_deployment(wish, name, fleet, seen) for name in wish.targets]
    if not takes_model(action):
        names = wish.on if takes_on(action) else wish.targets
        views = [view_of(name, seen) for name in names or [_only(action, seen)]]
        return [_checked(action, Order(action.id, view.name, options=wish.options), view, None) for view in views]
    return [
        _checked(action, Order(action.id, view.name, model.id if model else name, wish.options), view, model)
        for name in wish.models
        for view, model in _places(action, name, wish.on, seen)
    ]


def _checked(action: Action, order: Order, view: EndpointView, model: ModelReading | None) -> Wanted:
    reason = why_not(action, view, model)
    if reason:
        raise UsageError(f"{action.label.lower()} {order.about}: {reason}")
    return Wanted(order, view, model)


def _of_deployment(wish: Wish, name: str, fleet: FleetConfig, seen: FleetSnapshot) -> Wanted:
    spec = next((spec for spec in fleet.deployments if spec.name == name), None)
    if spec is None:
        hint = meant(name, [spec.name for spec in fleet.deployments], none="fleet.toml has no [[deployment]].")
        raise UsageError(f"no deployment is called {name!r}", hint=hint)
    view = next((view for view in seen.endpoints if view.name == spec.endpoint), None)
    return Wanted(Order(wish.action.id, name, options=wish.options), view)


def _only(action: Action, seen: FleetSnapshot) -> str:
    """The one endpoint that can; where there are several, somebody must say which."""
    able = [view.name for view in seen.endpoints if not why_not(action, view, None)]
    if len(able) != 1:
        raise UsageError("which endpoint?", hint=f"Say it with --on: {', '.join(able[:8]) or 'none can do that'}.")
    return able[0]


def _places(
    action: Action, name: str, on: Sequence[str], seen: FleetSnapshot
) -> list[tuple[EndpointView, ModelReading | None]]:
    """The endpoints that are meant, with the model there; a download needs no model to be there yet."""
    if action.on is On.ENDPOINT:
        return [(view_of(each, seen), None) for each in on or [_only(action, seen)]]
    return list(places(name, list(on), seen))
