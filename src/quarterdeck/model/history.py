"""What a few values were over the last hour: every sample of 15 minutes, one in 15 seconds before that.

The store appends to a `History`, screens read it; snapshots share it, so it is never compared. Times are monotonic seconds.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

FULL_S = 15 * 60.0
"""So far back every sample is kept …"""
THIN_S = 60 * 60.0
"""… and so far back one in `THIN_STEP_S`."""
THIN_STEP_S = 15.0
_SLACK = 64
"""Samples dropped at once, so that dropping them costs nothing each time."""


@dataclass(frozen=True, slots=True)
class Span:
    """The known samples of one slice of time."""

    low: float
    mean: float
    high: float
    last: float


class History:
    """Samples of several series, taken together. A value that was not known is a gap."""

    __slots__ = ("_at", "_columns", "_thin_from", "names")

    def __init__(self, names: Sequence[str]) -> None:
        """``names`` of the series."""
        self.names = tuple(names)
        self._at = array("d")
        self._columns = [array("d") for _ in self.names]
        self._thin_from = 0
        """Samples before this place were thinned."""

    def __len__(self) -> int:
        return len(self._at)

    @property
    def first_at(self) -> float | None:
        """When its oldest sample was taken."""
        return self._at[0] if self._at else None

    @property
    def last_at(self) -> float | None:
        """When its newest sample was taken."""
        return self._at[-1] if self._at else None

    def record(self, at: float, values: Sequence[float | None]) -> None:
        """Append a sample of every series; one that is not later than the last is left out."""
        if self._at and at <= self._at[-1]:
            return
        self._at.append(at)
        for column, value in zip(self._columns, values, strict=True):
            column.append(math.nan if value is None else value)
        self._thin(at)

    def samples(self, name: str, since: float = -math.inf, until: float = math.inf) -> list[tuple[float, float | None]]:
        """Times and values of one series, oldest first. Raises ValueError for a name that it doesn't have."""
        column = self._columns[self.names.index(name)]
        first, last = bisect_left(self._at, since), bisect_left(self._at, until)
        return [
            (self._at[i], None if math.isnan(column[i]) else column[i])
            for i in range(first, min(last + 1, len(column)))
            if self._at[i] <= until
        ]

    def spans(self, name: str, since: float, until: float, count: int) -> list[Span | None]:
        """``count`` equal slices of the time from ``since`` to ``until``; ``None`` where nothing is known."""
        step = (until - since) / count if count > 0 else 0.0
        if step <= 0:
            return [None] * max(0, count)
        kept: list[list[float]] = [[] for _ in range(count)]
        for at, value in self.samples(name, since, until):
            if value is not None:
                kept[min(count - 1, int((at - since) / step))].append(value)
        return [Span(min(v), math.fsum(v) / len(v), max(v), v[-1]) if v else None for v in kept]

    def at(self, name: str, when: float, within: float) -> float | None:
        """The value at the sample nearest to ``when``, no further away than ``within`` seconds."""
        column = self._columns[self.names.index(name)]
        place = bisect_left(self._at, when)
        near = [i for i in (place - 1, place) if 0 <= i < len(self._at) and abs(self._at[i] - when) <= within]
        if not near:
            return None
        value = column[min(near, key=lambda i: abs(self._at[i] - when))]
        return None if math.isnan(value) else value

    def _thin(self, now: float) -> None:
        """Keep the last sample of every step of what is older than `FULL_S`; forget what is older than `THIN_S`."""
        if self._thin_from + _SLACK < len(self._at) and self._at[self._thin_from + _SLACK] < now - FULL_S:
            end = self._thin_from + _SLACK
            steps = [math.floor(at / THIN_STEP_S) for at in self._at[self._thin_from : end + 1]]
            kept = [self._thin_from + i for i in range(end - self._thin_from) if steps[i] != steps[i + 1]]
            self._replace(self._thin_from, end, kept)
            self._thin_from += len(kept)
        if self._thin_from > _SLACK and self._at[_SLACK] < now - THIN_S:
            self._replace(0, _SLACK, [])
            self._thin_from -= _SLACK

    def _replace(self, first: int, end: int, kept: list[int]) -> None:
        for column in (self._at, *self._columns):
            column[first:end] = array("d", [column[i] for i in kept])
