"""What the models view remembers while other views are seen. The app keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from quarterdeck.tui.models.rows import ORDERS, Key, Order

if TYPE_CHECKING:
    from quarterdeck.tui.everywhere import Everywhere


class ModelsState:
    """Order, filter, mode, selection, marks and scroll."""

    def __init__(self) -> None:
        """As it is when the view is first opened."""
        self.order: Order = ORDERS[0]
        self.needle = ""
        self.grouped = False
        self.selected: Key | None = None
        """``None`` until somebody chooses: then it is the first row."""
        self.marked: set[Key] = set()
        self.top = 0
        """The first row in view."""
        self.told: set[str] = set()
        """Columns that had anything to tell; they stay, so that none comes and goes."""
        self.licences: dict[tuple[str, str], str] = {}
        """(endpoint, model) → licence, of models whose pages were opened."""

    def next_order(self) -> Order:
        """Sort otherwise."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        return self.order


def state_of(app: Everywhere) -> ModelsState:
    """The one state of a console."""
    if app.models_state is None:
        app.models_state = ModelsState()
    return app.models_state


def licence_of(told: Mapping[str, object]) -> str:
    """What a server tells of a model's licence, in one line: its first words; an id is not guessed."""
    said = told.get("license")
    lines = said.splitlines() if isinstance(said, str) else []
    return next((line.strip() for line in lines if line.strip()), "")
