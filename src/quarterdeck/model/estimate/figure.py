"""An estimated number of bytes: with its bounds, and how it was come by."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from quarterdeck.format import size


@dataclass(frozen=True, slots=True)
class Figure:
    """``low`` ≤ ``bytes`` ≤ ``high``."""

    bytes: int
    low: int
    high: int
    method: str
    """Such as "file size" or "8.0B parameters × 4.89 bits"."""

    @property
    def words(self) -> str:
        """For people: "~5.2 GiB (4.9 GiB – 5.8 GiB)"; the bounds need not lie evenly."""
        if self.low == self.high:
            return size(self.bytes)
        return f"~{size(self.bytes)} ({size(self.low)} – {size(self.high)})"

    def shared(self, ways: int) -> Figure:
        """One of ``ways`` equal parts, rounded up."""
        return Figure(-(-self.bytes // ways), -(-self.low // ways), -(-self.high // ways), self.method)

    def times(self, count: int) -> Figure:
        """``count`` times as much."""
        return Figure(self.bytes * count, self.low * count, self.high * count, self.method)


def exact(count: int, method: str) -> Figure:
    """A figure without doubt."""
    return Figure(count, count, count, method)


def within(count: int, low: float, high: float, method: str) -> Figure:
    """A figure from ``low`` to ``high`` times itself."""
    return Figure(count, math.floor(count * low), math.ceil(count * high), method)


def total(figures: Iterable[Figure | None]) -> Figure | None:
    """The sum; ``None`` where a part is unknown."""
    known: list[Figure] = []
    for figure in figures:
        if figure is None:
            return None
        known.append(figure)
    low, high = sum(each.low for each in known), sum(each.high for each in known)
    return Figure(sum(each.bytes for each in known), low, high, " + ".join(each.method for each in known))
