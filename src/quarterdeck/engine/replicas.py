"""Endpoints that serve the same model, compared with one another. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.imbalance import Held, Key, Member, held, odd_ones, shown
from quarterdeck.model.memory import member
from quarterdeck.model.models import ModelState

_COMPARED = (State.OK, State.BUSY, State.STALLED, State.RESTARTED)


def replica_groups(views: Iterable[EndpointView]) -> list[list[EndpointView]]:
    """Endpoints with load numbers that serve the same one model, two or more of them."""
    groups: dict[str, list[EndpointView]] = {}
    for view in views:
        model = _only_model(view)
        if model is not None and view.state in _COMPARED and view.running is not None:
            groups.setdefault(model, []).append(view)
    return [group for group in groups.values() if len(group) > 1]


def _only_model(view: EndpointView) -> str | None:
    """What it serves, where that is one model (and its adapters): others share a server for other reasons."""
    served = [m for m in view.models if m.state in (ModelState.LOADED, ModelState.SERVED) and m.parent is None]
    return served[0].label if len(served) == 1 else None


def compared(views: Iterable[EndpointView], before: Mapping[Key, Held], now: float) -> dict[Key, Held]:
    """Which endpoints differ from the replicas of their model, and since when."""
    found: dict[Key, str] = {}
    for group in replica_groups(views):
        found |= odd_ones([_member(view) for view in group])
    return held(before, found, now)


def odd_endpoints(odd: Mapping[Key, Held]) -> dict[str, tuple[str, ...]]:
    """Endpoint → in what it is odd, for long enough to be told."""
    told: dict[str, tuple[str, ...]] = {}
    for (name, _), text in shown(odd).items():
        told[name] = (*told.get(name, ()), f"of its replicas: {text}")
    return told


def _member(view: EndpointView) -> Member:
    """As it is compared: requests per engine, so that four engines aren't odd beside one."""
    engines = max(1, len(view.replicas))
    minute = view.latencies.minute if view.latencies is not None else {}
    one = member(view.name, view.running, view.kv_used, minute)
    return Member(one.name, (one.running or 0) / engines, one.kv_used, one.ttft_s, one.itl_s)
