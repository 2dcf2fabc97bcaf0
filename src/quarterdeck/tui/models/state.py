"""What the models view remembers while other views are seen. The app keeps it."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.tui.columns import RowsState
from quarterdeck.tui.models.rows import IN_TURN, ORDERS, Key


class ModelsState(RowsState[Key]):
    """Mode and marks, besides what every table remembers."""

    def __init__(self) -> None:
        """As it is when the view is first opened."""
        super().__init__(ORDERS, IN_TURN)
        self.grouped = False
        self.marked: set[Key] = set()
        self.told: set[str] = set()
        """Columns that had anything to tell; they stay, so that none comes and goes."""
        self.licences: dict[tuple[str, str], str] = {}
        """(endpoint, model) → licence, of models whose pages were opened."""


def licence_of(told: Mapping[str, object]) -> str:
    """What a server tells of a model's licence, in one line: its first words; an id is not guessed."""
    said = told.get("license")
    lines = said.splitlines() if isinstance(said, str) else []
    return next((line.strip() for line in lines if line.strip()), "")
