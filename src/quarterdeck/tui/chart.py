"""Charts over the time: from samples to columns, from columns to lines with axes, marks and a cursor. Pure.

A column is a slice of the time. It is drawn where a sample lies in it, or where one tells of it: a sample stands for the time
since the one before it. What nobody measured stays empty; nothing is interpolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from quarterdeck.tui.bars import chart
from quarterdeck.tui.lines import ACCENT, FAINT, Line, Run, fit
from quarterdeck.tui.scales import Scale, Unit, scale, time_ticks

GUTTER = 10
"""Cells left of a plot: the value's label and the axis."""
_TWICE = 2.5
"""A sample stands for the time since the one before it, unless that is so many times longer than usual."""
_CURSOR = "│"


class TimeAxis(NamedTuple):
    """``cells`` columns of ``step`` seconds; the first begins at ``first`` (monotonic), which is ``first_unix``."""

    first: float
    step: float
    cells: int
    first_unix: float

    @property
    def last(self) -> float:
        """Where the last column ends."""
        return self.first + self.step * self.cells

    def column(self, at: float) -> int:
        """The column of a moment; outside of ``range(cells)`` where it isn't shown."""
        return math.floor((at - self.first) / self.step + 1e-9)

    def middle(self, column: int) -> float:
        """The moment in the middle of a column."""
        return self.first + (column + 0.5) * self.step

    def unix(self, at: float) -> float:
        """A moment in Unix seconds."""
        return self.first_unix + at - self.first


class Mark(NamedTuple):
    """Something that happened, shown on the time axis."""

    at: float
    glyph: str
    tone: str
    text: str


def time_axis(until: float, unix: float, window: float, columns: int) -> TimeAxis:
    """The last ``window`` seconds up to ``until`` (Unix: ``unix``) in ``columns``.

    Columns begin at multiples of their length, so that as the time goes on they move by whole cells and don't change.
    """
    count = max(1, columns)
    step = window / count
    first = (math.floor(until / step) - count + 1) * step
    return TimeAxis(first, step, count, unix - (until - first))


def highest(values: Sequence[float]) -> float:
    """Of the samples of a column: for what is bad when it is high."""
    return max(values)


def mean(values: Sequence[float]) -> float:
    """Of the samples of a column."""
    return math.fsum(values) / len(values)


def columns(
    samples: Iterable[tuple[float, float | None]],
    axis: TimeAxis,
    interval: float,
    pick: Callable[[Sequence[float]], float] = mean,
) -> list[float | None]:
    """One value a column: of the samples in it, else of the one that stands for its middle, else ``None``.

    ``samples`` rise in time and should begin some time before the axis; ``interval`` is the usual time between two.
    """
    inside: list[list[float] | None] = [None] * axis.cells
    stands: list[float | None] = [None] * axis.cells
    first, step, count = axis.first, axis.step, axis.cells
    before, usual = -math.inf, interval
    for at, value in samples:
        gap = at - before
        begin = before if gap <= _TWICE * max(interval, usual) else at - interval
        before, usual = at, gap if math.isfinite(gap) else interval
        if value is None or not math.isfinite(value):
            continue
        place = (at - first) / step
        column = math.floor(place + 1e-9)
        if 0 <= column < count:
            found = inside[column]
            if found is None:
                inside[column] = [value]
            else:
                found.append(value)
        start = max(0, math.floor((begin - first) / step - 0.5 + 1e-9) + 1)
        for covered in range(start, min(count, math.floor(place - 0.5) + 1)):
            stands[covered] = value
    return [pick(values) if values else stands[place] for place, values in enumerate(inside)]


def panel(
    values: Sequence[float | None],
    height: int,
    unit: Unit,
    tone: str,
    cursor: int | None = None,
) -> list[Line]:
    """A plot of ``height`` lines, a cell for each value, with its axis at the left."""
    known = [value for value in values if value is not None]
    axis = scale(max(known, default=0.0), height, unit)
    drawn = chart(values, len(values), height, axis.top)
    return [Line((*_gutter(axis, place), *_cursored(text, tone, cursor))) for place, text in enumerate(drawn)]


def _gutter(axis: Scale, place: int) -> tuple[Run, ...]:
    label = axis.labels[place]
    return (Run(fit(label, GUTTER - 2, right=True) + (" ┤" if label else " │"), FAINT),)


def _cursored(text: str, tone: str, cursor: int | None) -> tuple[Run, ...]:
    if cursor is None or not 0 <= cursor < len(text):
        return (Run(text, tone),)
    under = text[cursor]
    shown = _CURSOR if under == " " else under
    return tuple(
        run for run in (Run(text[:cursor], tone), Run(shown, ACCENT), Run(text[cursor + 1 :], tone)) if run.text
    )


def ruler(axis: TimeAxis, marks: Mapping[int, Mark], cursor: int | None = None, *, labelled: bool = True) -> Line:
    """The time axis: a glyph where something happened, the cursor's foot; ``labelled``: ticks and clock times where there is room.

    Ticks move with the time, and every cell that moves is sent: one axis of several that stand below each other has them.
    """
    cells = ["─"] * axis.cells
    taken = {*marks, *({cursor} if cursor is not None else ())}
    until = axis.first_unix + axis.step * axis.cells
    for at, text in time_ticks(axis.first_unix, until, axis.cells) if labelled else ():
        place = math.floor((at - axis.first_unix) / axis.step + 1e-9)
        if not 0 <= place < axis.cells:
            continue
        cells[place] = "┴"
        after = range(place + 1, place + 1 + len(text))
        if after.stop <= axis.cells and taken.isdisjoint(after):
            cells[after.start : after.stop] = text
    runs = [Run(fit("0", GUTTER - 2, right=True) + " └", FAINT)]
    begin = 0
    for place in sorted(place for place in taken if 0 <= place < axis.cells):
        runs += [Run("".join(cells[begin:place]), FAINT), _at(place, marks, cursor)]
        begin = place + 1
    runs.append(Run("".join(cells[begin:]), FAINT))
    return Line(tuple(run for run in runs if run.text))


def _at(place: int, marks: Mapping[int, Mark], cursor: int | None) -> Run:
    if place == cursor and place not in marks:
        return Run("┼", ACCENT)
    mark = marks[place]
    return Run(mark.glyph, ACCENT if place == cursor else mark.tone)


def placed(marks: Iterable[Mark], axis: TimeAxis) -> dict[int, Mark]:
    """Marks by their column, the newest of each; only those that the axis shows."""
    found: dict[int, Mark] = {}
    for mark in marks:
        column = axis.column(mark.at)
        if 0 <= column < axis.cells:
            found[column] = mark
    return found
