"""Percentiles of latency: what histograms of several engines saw between two moments, added up bucket by bucket."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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
        at = next((i for i, count in enumerate(counts) if count >= rank), len(counts) - 1)
        if at == len(counts) - 1:
            return bounds[-2] if len(counts) > 1 else None
        low = bounds[at - 1] if at else 0.0
        below = counts[at - 1] if at else 0.0
        high = bounds[at]
        if high <= 0:
            return high if math.isfinite(high) else None
        return low + (high - low) * (rank - below) / (counts[at] - below)


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


def windows(old: Iterable[EngineReading], new: Iterable[EngineReading]) -> dict[str, Window]:
    """What all engines together observed between two readings, by kind.

    A kind is left out where an engine doesn't tell it, its buckets changed, a count fell, or nothing was observed.
    """
    before = {engine.label: engine for engine in old}
    pairs = [(before.get(engine.label), engine) for engine in new]
    found: dict[str, Window] = {}
    for kind in KINDS:
        window = _summed([(getattr(o, kind) if o is not None else None, getattr(n, kind)) for o, n in pairs])
        if window is not None and window.count > 0:
            found[kind] = window
    return found


def windows_since(marks: Sequence[Iterable[EngineReading]], new: Iterable[EngineReading]) -> dict[str, Window]:
    """What was observed since the oldest of ``marks`` (oldest first) at which a kind was told.

    Some servers show a histogram only after their first request: its window begins where it appeared.
    """
    engines = tuple(new)
    if not marks:
        return {}
    found = windows(marks[0], engines)
    for kind in told(engines) - told(marks[0]):
        first = next((mark for mark in marks if kind in told(mark)), None)
        if first is not None:
            found |= {name: window for name, window in windows(first, engines).items() if name == kind}
    return found


def told(engines: Iterable[EngineReading]) -> frozenset[str]:
    """The kinds that every engine has a histogram of."""
    known = tuple(engines)
    return frozenset(kind for kind in KINDS if known and all(getattr(engine, kind) is not None for engine in known))


def _summed(pairs: list[tuple[Histogram | None, Histogram | None]]) -> Window | None:
    counts: list[float] = []
    bounds: tuple[float, ...] = ()
    for old, new in pairs:
        if old is None or new is None or old.bounds != new.bounds or (bounds and new.bounds != bounds):
            return None
        delta = [after - before for before, after in zip(old.counts, new.counts, strict=True)]
        if min(delta) < 0:
            return None
        bounds = new.bounds
        counts = delta if not counts else [a + b for a, b in zip(counts, delta, strict=True)]
    return Window(bounds, tuple(counts)) if bounds else None
