"""From a snapshot to the rows of the models view: which models on which endpoints, in which order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.model.fleet import Boundary
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.tui.columns import Order, in_order
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.states import look

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView, FleetSnapshot
    from quarterdeck.model.reading import LoraAdapter

Key = tuple[str, str, int]
"""A row's identity across refreshes: endpoint, model, and which of several that are called the same; of a group ("", name, 0)."""
_LONGEST = 300
"""Characters of a name that are compared."""
IN_MEMORY = (ModelState.LOADED, ModelState.LOADING, ModelState.SLEEPING)
_STATES = (
    ModelState.FAILED,
    ModelState.LOADING,
    ModelState.LOADED,
    ModelState.SLEEPING,
    ModelState.SERVED,
    ModelState.INSTALLED,
)
_BOUNDARIES = (Boundary.EXTERNAL, Boundary.VPC, Boundary.LOCAL)
_RANKS = {state: rank for rank, state in enumerate(_STATES)}


class ModelRow(NamedTuple):
    """A model of an endpoint."""

    key: Key
    view: EndpointView
    model: ModelReading
    name: str
    """As it is compared: the label, casefolded."""
    listed: bool = True
    """Whether the endpoint lists it; else only its metrics name it (an adapter with requests)."""
    adapter: LoraAdapter | None = None
    """Of a LoRA adapter: whether requests for it run or wait."""
    parent: Key | None = None
    """Of a LoRA adapter: the row of the model that it belongs to."""

    @property
    def answers(self) -> bool:
        """Whether what is told of it is current."""
        return self.view.state is None or self.view.state.answers


class Group(NamedTuple):
    """The title of models with one name, several of them."""

    key: Key
    rows: tuple[ModelRow, ...]


class Shown(NamedTuple):
    """A row of the table."""

    row: ModelRow | Group
    branch: str = ""
    """What ties it to the row that it belongs to, drawn before its name ("├ ", "└ ")."""

    @property
    def models(self) -> tuple[ModelRow, ...]:
        """The models that it stands for."""
        return self.row.rows if isinstance(self.row, Group) else (self.row,)


def rank(row: ModelRow) -> int:
    """By state: what failed and what is in memory first, what an endpoint told that is gone last."""
    return _RANKS[row.model.state] if row.answers else len(_RANKS)


def _folded(value: str | None) -> str | None:
    return value.casefold() if value else None


def _on_gpu(model: ModelReading) -> float | None:
    return model.vram_bytes / model.size_bytes if model.vram_bytes is not None and model.size_bytes else None


ORDERS = (
    Order("state", "failed and in memory first", "state", rank, lambda row: row.name, turned_label="on disk first"),
    Order("name", "by name", "name", lambda row: row.name, rank),
    Order("size", "largest first", "size", lambda row: row.model.size_bytes, lambda row: row.name, True, "smallest first"),
    Order("endpoint", "by endpoint", "endpoint", lambda row: row.view.name.casefold(), lambda row: (rank(row), row.name)),
    Order("host", "by machine", "host", lambda row: _folded(row.view.host), lambda row: row.name),
    Order("boundary", "external first", "boundary", lambda row: _BOUNDARIES.index(row.view.boundary), lambda row: row.name, turned_label="local first"),
    Order("gpu", "least on GPUs first", "gpu", lambda row: _on_gpu(row.model), lambda row: row.name, turned_label="most on GPUs first"),
    Order("quant", "by quantisation", "quant", lambda row: _folded(row.model.quantization), lambda row: row.name),
    Order("context", "longest context first", "context", lambda row: row.model.context_length, lambda row: row.name, True, "shortest context first"),
    Order("stays", "soonest out of memory first", "stays", lambda row: row.model.expires_at, lambda row: row.name, turned_label="longest in memory first"),
)  # fmt: skip
"""Equal rows stay as their endpoints tell them; what isn't known comes last."""
IN_TURN = 4
"""As many of them come in turn; the others have keys of their own, or a click on the title."""


def model_rows(fleet: FleetSnapshot) -> list[ModelRow]:
    """Every model of every endpoint, as they are told."""
    return [row for view in fleet.endpoints for row in rows_of(view)]


def rows_of(view: EndpointView) -> list[ModelRow]:
    """The models of an endpoint, and the adapters that only its metrics name."""
    adapters = {adapter.name: adapter for adapter in view.adapters}
    bases = {model.id: (view.name, model.id, 0) for model in view.models if model.parent is None}
    seen: dict[str, int] = {}
    rows: list[ModelRow] = []
    for model in view.models:
        place = seen.get(model.id, 0)
        seen[model.id] = place + 1
        parent = bases.get(model.parent) if model.parent is not None else None
        key = (view.name, model.id, place)
        rows.append(ModelRow(key, view, model, _name(model), True, adapters.get(model.id), parent))
    return rows + _unlisted(view, rows, [adapter for name, adapter in adapters.items() if name not in seen])


def same_told(one: EndpointView, other: EndpointView) -> bool:
    """Whether two views of an endpoint make the same rows: most polls tell nothing new of its models."""
    return one is other or (
        one.name == other.name
        and one.state is other.state
        and one.reason == other.reason
        and one.boundary is other.boundary
        and (one.engine, one.host) == (other.engine, other.host)
        and (one.prices is other.prices or one.prices == other.prices)
        and one.adapters == other.adapters
        and one.models == other.models
    )


def _unlisted(view: EndpointView, rows: Sequence[ModelRow], adapters: Iterable[LoraAdapter]) -> list[ModelRow]:
    """Adapters that have requests though no list has them; they belong to the model where there is only one."""
    bases = [row for row in rows if row.model.parent is None]
    base = bases[0] if len(bases) == 1 else None
    found = []
    for adapter in adapters:
        model = ModelReading(adapter.name, ModelState.SERVED, parent=base.model.id if base is not None else "?")
        key = (view.name, adapter.name, 0)
        found.append(ModelRow(key, view, model, _name(model), False, adapter, base.key if base is not None else None))
    return found


def _name(model: ModelReading) -> str:
    return model.label[:_LONGEST].casefold()


# ---- the filter


def told_of(row: ModelRow) -> tuple[str | None, ...]:
    """All that a word of a filter looks at: name, endpoint, engine, machine, state, boundary, quantisation, parameters."""
    view, model = row.view, row.model
    seen = model_look(model.state) if row.answers else look(view.state)
    adapter = f"lora adapter of {model.parent[:_LONGEST]}" if model.parent is not None else None
    return (
        model.id[:_LONGEST],
        view.name,
        view.engine,
        view.host,
        seen.word,
        view.boundary.value,
        model.quantization,
        model.parameters,
        adapter,
    )


# ---- the order


def arranged(rows: Iterable[ModelRow], order: Order, *, grouped: bool) -> list[Shown]:
    """The rows, sorted, each LoRA adapter below its model; ``grouped``: by name, under titles."""
    ordered = in_order(rows, order)
    return _in_groups(ordered) if grouped else _below_parents(ordered)


def _below_parents(rows: Sequence[ModelRow]) -> list[Shown]:
    return [shown for family in _families(rows) for shown in family]


def _families(rows: Sequence[ModelRow]) -> list[list[Shown]]:
    """Each model with its adapters; an adapter whose model isn't kept stands for itself."""
    there = {row.key for row in rows}
    children: dict[Key, list[ModelRow]] = {}
    for row in rows:
        if row.parent is not None and row.parent in there:
            children.setdefault(row.parent, []).append(row)
    families = []
    for row in rows:
        if row.parent is None or row.parent not in there:
            below = children.get(row.key, [])
            families.append([Shown(row), *(Shown(child, _branch(child is below[-1])) for child in below)])
    return families


def _in_groups(rows: Sequence[ModelRow]) -> list[Shown]:
    """Models of one name below its title, where there are several; a group stands where its first row would."""
    groups: dict[str, list[list[Shown]]] = {}
    for family in _families(rows):
        first = family[0].row
        groups.setdefault(group_name(first) if isinstance(first, ModelRow) else "", []).append(family)
    shown: list[Shown] = []
    for name, families in groups.items():
        if len(families) == 1:
            shown += families[0]
            continue
        tops = tuple(row for family in families for row in family[0].models)
        shown.append(Shown(Group(("", name, 0), tops)))
        for family in families:
            last = family is families[-1]
            shown.append(Shown(family[0].row, _branch(last)))
            shown += [Shown(each.row, ("  " if last else "│ ") + each.branch) for each in family[1:]]
    return shown


def _branch(last: bool) -> str:
    return "└ " if last else "├ "


def group_name(row: ModelRow) -> str:
    """What models have in common that are one model to people: "Qwen/Qwen3-8B" is "qwen3-8b", "phi4:latest" is "phi4"."""
    return row.name.rpartition("/")[2].removesuffix(":latest").removesuffix(".gguf") or row.name
