"""Where the operator was: views and pages, as a browser remembers them. Pure."""

from __future__ import annotations

Place = tuple[object, ...]
"""What a screen is of: its name in the command table, and which endpoint, model or GPU it shows."""
MOST = 100


class Visits:
    """The places that were seen, in order, and at which of them one is."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = -1

    def visit(self, place: Place) -> None:
        """Somebody looks at ``place``. Where he came from is kept, where he had gone back from no longer."""
        if self._places and self._places[self._at] == place:
            return
        del self._places[self._at + 1 :]
        self._places.append(place)
        del self._places[:-MOST]
        self._at = len(self._places) - 1

    def step(self, by: int) -> Place | None:
        """The place before (-1) or after (+1), at which one is from now on; ``None`` where there is none."""
        if not 0 <= self._at + by < len(self._places):
            return None
        self._at += by
        return self._places[self._at]
