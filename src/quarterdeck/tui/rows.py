"""From a snapshot to the rows of the fleet table: which rows, in which order. Pure; `quarterdeck.tui.cells` draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from quarterdeck.format import printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, ReplicaView
from quarterdeck.model.models import ModelReading
from quarterdeck.tui.lines import cell_width
from quarterdeck.tui.states import look, severity

Key = tuple[str, str]
"""A row's identity across refreshes: the endpoint's name, and "" or what the row below it shows."""


class Row(NamedTuple):
    """One row: an endpoint, or a model or replica of one that is opened."""

    key: Key
    view: EndpointView
    part: ModelReading | ReplicaView | None = None
    last: bool = False
    """Whether no other part of the same endpoint follows."""


class Order(NamedTuple):
    """A way to sort; ``column`` is where its arrow stands."""

    id: str
    label: str
    column: str
    arrow: str
    key: Callable[[EndpointView], tuple[float, str]]


def _largest_first(value: float | None) -> float:
    return math.inf if value is None else -value


ORDERS = (
    Order("severity", "worst first", "state", "↑", lambda view: (severity(view.state), "")),
    Order("name", "by name", "name", "↑", lambda view: (0, view.name.casefold())),
    Order("tps", "most tok/s first", "tps", "↓", lambda view: (_largest_first(view.generation_tps), "")),
    Order("waiting", "longest queue first", "waiting", "↓", lambda view: (_largest_first(view.waiting), "")),
)
"""Equal endpoints stay in the order of the fleet file; unknown numbers come last."""


def matches(view: EndpointView, needle: str) -> bool:
    """Whether a filter keeps an endpoint: ``needle`` is in its name, engine, host, state or a model; "!x" keeps the others."""
    wanted = needle.strip().casefold()
    inverse = wanted.startswith("!")
    wanted = wanted.removeprefix("!").strip()
    if not wanted:
        return True
    fields = (
        view.name,
        view.engine or "",
        view.host or "",
        look(view.state).word,
        *(model.id for model in view.models),
    )
    return any(wanted in field.casefold() for field in fields) is not inverse


def endpoints(fleet: FleetSnapshot, order: Order, needle: str) -> list[EndpointView]:
    """The endpoints that the filter keeps, sorted."""
    return sorted((view for view in fleet.endpoints if matches(view, needle)), key=order.key)


def rows(views: Iterable[EndpointView], opened: Collection[str]) -> list[Row]:
    """A row for each endpoint, and below each opened one its models and replicas."""
    listed: list[Row] = []
    for view in views:
        listed.append(Row((view.name, ""), view))
        if view.name in opened:
            listed += parts(view)
    return listed


def parts(view: EndpointView) -> list[Row]:
    """The rows below an endpoint: replicas where there are several, then models."""
    found: list[tuple[str, ModelReading | ReplicaView]] = []
    if len(view.replicas) > 1:
        found += [(f"replica {place} {replica.engine}", replica) for place, replica in enumerate(view.replicas)]
    found += [(f"model {place} {model.id}", model) for place, model in enumerate(view.models)]
    return [
        Row((view.name, identity), view, part, last=place == len(found) - 1)
        for place, (identity, part) in enumerate(found)
    ]


def has_parts(view: EndpointView) -> bool:
    """Whether there is anything to open below an endpoint."""
    return bool(view.models) or len(view.replicas) > 1


def engine_text(view: EndpointView, width: int = 60) -> str:
    """Engine and version; the version only whole."""
    engine = printable(view.engine or "", 24)
    both = f"{engine} {printable(view.version or '', 32)}".strip()
    return both if len(both) <= width else engine


def models_text(view: EndpointView) -> str:
    """The model, or how many: loaded of all where some are only on disk."""
    if not view.models:
        return ""
    if len(view.models) == 1:
        return printable(view.models[0].label, 80)
    in_use = [model for model in view.models if model.state.value in ("loaded", "loading")]
    if len(in_use) == 1:
        return f"{printable(in_use[0].label, 60)} +{len(view.models) - 1}"
    if in_use and len(in_use) < len(view.models):
        return f"{len(in_use)} of {len(view.models)} loaded"
    return f"{len(view.models)} models"


def wanted_widths(fleet: FleetSnapshot) -> dict[str, int]:
    """How many cells the growing columns want for what a fleet has."""
    wanted = {"reason": 60, "trend": 30}
    for view in fleet.endpoints:
        for column, text in (
            ("name", printable(view.name, 60)),
            ("engine", engine_text(view)),
            ("models", models_text(view)),
            ("host", printable(view.host or "", 60)),
            ("url", printable(view.url, 100)),
        ):
            wanted[column] = max(wanted.get(column, 0), cell_width(text))
    return wanted
