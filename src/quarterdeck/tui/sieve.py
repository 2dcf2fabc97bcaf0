"""Filters of the console: which fields there are in which view, and rows through a filter. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from quarterdeck.format import printable
from quarterdeck.model.query.field import Around
from quarterdeck.model.query.query import query
from quarterdeck.tui.lines import WARN, Line, Run, cell_width, cut, spread

if TYPE_CHECKING:
    from quarterdeck.model.query.field import Vocabulary
    from quarterdeck.tui.contract import Frame

Row = TypeVar("Row")
NO_LICENCES: Mapping[tuple[str, str], str] = {}
_PLACES = {
    "fleet": ("quarterdeck.model.query.of_fleet", "ENDPOINTS"),
    "gpus": ("quarterdeck.tui.gpus.fields", "GPUS"),
    "models": ("quarterdeck.tui.models.fields", "MODELS"),
    "alerts": ("quarterdeck.model.query.of_events", "ALERTS"),
    "events": ("quarterdeck.model.query.of_events", "HAPPENINGS"),
    "jobs": ("quarterdeck.model.query.of_jobs", "JOBS"),
}
VIEWS = tuple(_PLACES)
"""What can be filtered by fields."""


class Sieved(NamedTuple, Generic[Row]):
    """The rows that a filter keeps."""

    rows: list[Row]
    said: str = ""
    """What is wrong with the filter."""
    timed: bool = False
    """Whether other rows may be kept though no row has changed."""


def summed_up(line: Line, needle: str, kept: int, total: int, width: int) -> Line:
    """The line above a table, with the filter in force and how many rows it keeps at the right."""
    told = Run(f"  /{printable(needle.strip(), 24)} {kept} of {total} ", WARN)
    room = max(0, width - cell_width(told.text) - 1)
    return Line(spread(cut(line.runs, room), (told,), width), line.ground)


def vocabulary(view: str) -> Vocabulary[Any]:
    """The fields of a view."""
    module, name = _PLACES[view]
    found: Vocabulary[Any] = getattr(importlib.import_module(module), name)
    return found


def sieved(
    rows: Sequence[Row],
    needle: str,
    view: str,
    frame: Frame,
    licences: Mapping[tuple[str, str], str] = NO_LICENCES,
) -> Sieved[Row]:
    """The rows of ``view`` that ``needle`` keeps."""
    if not needle.strip():
        return Sieved(list(rows))
    asked = query(needle, vocabulary(view))
    kept = asked.keep(rows, Around(*frame, licences))
    said = printable("; ".join(str(problem) for problem in kept.problems[:1]), 300)
    return Sieved(kept.rows, said, asked.timed)
