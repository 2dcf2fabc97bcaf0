"""Which model of which endpoint: a list to type in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from quarterdeck.format import printable
from quarterdeck.model.fleet import Boundary, EndpointView, FleetSnapshot
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.tui.screens.palette import Entry, PaletteScreen

Take = Callable[[str, str], None]
_ORDER = {
    ModelState.LOADED: 0,
    ModelState.SERVED: 0,
    ModelState.LOADING: 1,
    ModelState.SLEEPING: 2,
    ModelState.INSTALLED: 3,
    ModelState.FAILED: 4,
}
_BOUNDARY_WIDTH, _STATE_WIDTH = 8, 9


class PickScreen(PaletteScreen):
    """Models of the whole fleet."""

    DEFAULT_CSS = """
    PickScreen > Vertical { width: 96; }
    """

    def __init__(self, entries: list[Entry]) -> None:
        super().__init__(entries)
        self._prompt.placeholder = "model, endpoint, boundary or state; Enter takes it"


def offered(fleet: FleetSnapshot) -> list[tuple[EndpointView, ModelReading]]:
    """What can be asked: in memory first, then by endpoint as they stand in the fleet; external last."""
    found = [(view, one) for view in fleet.endpoints for one in view.models]
    return sorted(
        found,
        key=lambda pair: (
            pair[0].state is not None and not pair[0].state.answers,
            pair[0].boundary is Boundary.EXTERNAL,
            _ORDER[pair[1].state],
        ),
    )


def entries(fleet: FleetSnapshot, take: Take) -> list[Entry]:
    """MODEL · ENDPOINT, and at the right boundary and state."""
    return [
        Entry(
            f"{printable(one.label, 80)}  ·  {printable(view.name, 40)}",
            _aside(view, one),
            partial(take, view.name, one.id),
        )
        for view, one in offered(fleet)
    ]


def _aside(view: EndpointView, one: ModelReading) -> str:
    boundary = view.boundary.value.upper() if view.boundary is Boundary.EXTERNAL else view.boundary.value
    state = one.state.value if view.state is None or view.state.answers else view.state.value
    return f"{boundary.ljust(_BOUNDARY_WIDTH)} {state.ljust(_STATE_WIDTH)}"


def first_choice(fleet: FleetSnapshot) -> tuple[str, str] | None:
    """What a first column is: a model in memory that is not external, of an endpoint that answers."""
    for view, one in offered(fleet):
        if (
            view.boundary is not Boundary.EXTERNAL
            and view.state is not None
            and view.state.answers
            and one.state in (ModelState.LOADED, ModelState.SERVED)
            and "embed" not in one.id
        ):
            return view.name, one.id
    return None
