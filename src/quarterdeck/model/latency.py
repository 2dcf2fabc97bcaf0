"""Percentiles of latency: what histograms of several engines saw between two moments, added up bucket by bucket."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import Any

from quarterdeck.model.reading import EngineReading, Histogram

KINDS = ("ttft", "itl", "e2e", "queue")
"""Names of the histograms of `EngineReading`: time to first token, inter-token latency (TPOT), whole request, time in the queue."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was observed between two moments: cumulative counts at rising bounds (seconds), the last of them ``inf``."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    @property
    def count(self) -> float:
        """How many were observed."""
        return self.counts[-1]

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0–1), seconds, linear inside its bucket as Prometheus' ``histogram_quantile`` has it.

        The last finite bound where it falls into the open bucket; ``None`` where nothing was observed.
        """
        counts, bounds = self.counts, self.bounds
        if counts[-1] <= 0:
            return None
        rank = q * counts[-1]
        at = bisect_left(counts, rank)
        if at >= len(counts) - 1:
            return bounds[-2] if len(counts) > 1 else None
        low = bounds[at - 1] if at else 0.0
        below = counts[at - 1] if at else 0.0
        high = bounds[at]
        if high <= 0:
            return high if math.isfinite(high) else None
        seen = counts[at] - below
        return low + (high - low) * (rank - below) / seen if seen > 0 else high  # where counts fall, nothing is sure


@dataclass(frozen=True, slots=True)
class Latencies:
    """Windows by kind (`KINDS`); a kind that the server doesn't tell, or that saw nothing, is left out."""

    last: Mapping[str, Window] = field(default_factory=dict)
    """Between the last two polls."""
    minute: Mapping[str, Window] = field(default_factory=dict)
    """In the last minute, as far as it was watched."""

    def quantile(self, kind: str, q: float) -> float | None:
        """Over the last minute, seconds."""
        window = self.minute.get(kind)
        return None if window is None else window.quantile(q)


NO_LATENCIES = Latencies()


class Windows(Mapping[str, Window]):
    """By kind, what all engines together observed since a reading; each is worked out when somebody asks for it.

    A kind is left out where an engine doesn't tell it, its buckets changed, a count fell, or nothing was observed.
    """

    __slots__ = ("_known", "_marks", "_new")

    def __init__(self, marks: Sequence[tuple[EngineReading, ...]], new: tuple[EngineReading, ...]) -> None:
        """Since the oldest of ``marks`` (oldest first) at which a kind was told.

        Some servers show a histogram only after their first request: its window begins where it appeared.
        """
        self._marks = marks
        self._new = new
        self._known: dict[str, Window | None] = {}

    def __getitem__(self, kind: str) -> Window:
        """The window of a kind. Raises KeyError where it is left out."""
        found: Window | None = self.get(kind)
        if found is None:
            raise KeyError(kind)
        return found

    def get(self, kind: str, default: Any = None) -> Any:
        """The window of a kind."""
        if kind not in self._known:
            self._known[kind] = self._window(kind) if kind in KINDS else None
        found = self._known[kind]
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        """The kinds that have one."""
        return (kind for kind in KINDS if self.get(kind) is not None)

    def __len__(self) -> int:
        """How many kinds have one."""
        return sum(1 for _ in self)

    def _window(self, kind: str) -> Window | None:
        mark = next((mark for mark in self._marks if _tell(mark, kind)), None)
        if mark is None or not _tell(self._new, kind):
            return None
        before = {engine.label: getattr(engine, kind) for engine in mark}
        window = _summed([(before.get(engine.label), getattr(engine, kind)) for engine in self._new])
        return window if window is not None and window.count > 0 else None


def _tell(engines: tuple[EngineReading, ...], kind: str) -> bool:
    """Whether every engine has a histogram of it."""
    for engine in engines:
        if getattr(engine, kind) is None:
            return False
    return bool(engines)


def told(engines: Iterable[EngineReading]) -> frozenset[str]:
    """The kinds that every engine has a histogram of."""
    known = tuple(engines)
    kinds = list(KINDS) if known else []
    for engine in known:
        kinds = [kind for kind in kinds if getattr(engine, kind) is not None]
    return frozenset(kinds)


def _summed(pairs: list[tuple[Histogram | None, Histogram | None]]) -> Window | None:
    counts: tuple[float, ...] = ()
    bounds: tuple[float, ...] = ()
    for old, new in pairs:
        if old is None or new is None or old.bounds != new.bounds or (bounds and new.bounds != bounds):
            return None
        delta = tuple(map(sub, new.counts, old.counts))
        if min(delta) < 0:
            return None
        bounds = new.bounds
        counts = delta if not counts else tuple(map(add, counts, delta))
    return Window(bounds, counts) if bounds else None
