"""From a snapshot to the rows of the fleet table: which rows, in which order. Pure; `quarterdeck.tui.cells` draws them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.format import printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.tui.columns import Order
from quarterdeck.tui.lines import cell_width
from quarterdeck.tui.states import severity

if TYPE_CHECKING:
    from quarterdeck.model.models import ModelReading
    from quarterdeck.model.replica import ReplicaView

Key = tuple[str, str]
"""A row's identity across refreshes: the endpoint's name, and "" or what the row below it shows."""


class Row(NamedTuple):
    """One row: an endpoint, or a model or replica of one that is opened."""

    key: Key
    view: EndpointView
    part: ModelReading | ReplicaView | None = None
    last: bool = False
    """Whether no other part of the same endpoint follows."""


def _text(value: str | None) -> str | None:
    return value.casefold() if value else None


def _ago(at: float | None) -> float | None:
    """Smaller the less long ago it was: as the column counts."""
    return None if at is None else -at


def _memory(view: EndpointView) -> float | None:
    """What the column shows: those with a KV cache by how full it is; behind them the others, by their GPU memory."""
    if view.kv_used is not None:
        return 1.0 + view.kv_used
    return None if view.vram_bytes is None else view.vram_bytes / (view.vram_bytes + 2.0**60)


ORDERS = (
    Order("state", "worst first", "state", lambda view: severity(view.state), turned_label="best first"),
    Order("name", "by name", "name", lambda view: view.name.casefold()),
    Order("tps", "most tok/s first", "tps", lambda view: view.generation_tps, None, True, "least tok/s first"),
    Order("queue", "longest queue first", "waiting", lambda view: view.waiting, None, True, "shortest queue first"),
    Order("memory", "fullest first", "memory", _memory, None, True, "emptiest first"),
    Order("engine", "by engine", "engine", lambda view: _text(view.engine)),
    Order("host", "by machine", "host", lambda view: _text(view.host)),
    Order("models", "by model", "models", lambda view: _text(models_text(view))),
    Order("running", "busiest first", "running", lambda view: view.running, None, True, "idlest first"),
    Order("prompt", "most prompt tokens first", "prompt", lambda view: view.prompt_tps, None, True),
    Order("ttft", "slowest first token first", "ttft", lambda view: view.ttft_p95_s, None, True),
    Order("itl", "slowest tokens first", "itl", lambda view: view.itl_p95_s, None, True),
    Order("latency", "slowest answer first", "latency", lambda view: view.latency_s, None, True),
    Order("age", "freshest first", "age", lambda view: _ago(view.answered), turned_label="oldest first"),
    Order(
        "since", "latest change first", "since", lambda view: _ago(view.since), turned_label="longest as it is first"
    ),
    Order("url", "by address", "url", lambda view: _text(view.url)),
)
"""Equal endpoints stay in the order of the fleet file; unknown numbers come last."""
IN_TURN = 4
"""As many of them come in turn; the others have keys of their own, or a click on the title."""


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


def widening(view: EndpointView) -> tuple[object, ...]:
    """All of an endpoint that `wanted_widths` looks at."""
    return view.name, view.engine, view.version, view.models, view.host, view.url


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
