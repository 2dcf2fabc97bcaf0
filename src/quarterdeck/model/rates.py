"""Rates from counters and percentiles from histograms: pure, and unknown rather than wrong."""

from __future__ import annotations

import math
from dataclasses import dataclass

from quarterdeck.model.reading import EngineReading, Histogram

SHORTEST_S = 0.05
"""Two samples closer than this give no rate."""
_RESTART_JUMP_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """All engines of an endpoint at one moment (monotonic seconds)."""

    at: float
    engines: tuple[EngineReading, ...]


@dataclass(frozen=True, slots=True)
class EngineRates:
    """Tokens per second of one engine."""

    generation_tps: float | None = None
    prompt_tps: float | None = None


def restarted(old: Sample, new: Sample) -> bool:
    """Whether any engine's counters began again in between: its start time jumped, or a counter went down."""
    before = {engine.label: engine for engine in old.engines}
    return any(engine.label in before and _began_again(before[engine.label], engine) for engine in new.engines)


def _began_again(old: EngineReading, new: EngineReading) -> bool:
    if old.started is not None and new.started is not None:
        return abs(new.started - old.started) > _RESTART_JUMP_S  # either way: some count from the machine's start
    return _fell(old.generation_tokens, new.generation_tokens) or _fell(old.prompt_tokens, new.prompt_tokens)


def _fell(old: float | None, new: float | None) -> bool:
    return old is not None and new is not None and new < old


def engine_rates(old: Sample | None, new: Sample) -> dict[str, EngineRates]:
    """Rates per engine label between two samples; what can't be known (first sample, reset, no counter) is ``None``."""
    before = {engine.label: engine for engine in old.engines} if old is not None else {}
    seconds = new.at - old.at if old is not None else 0.0
    return {engine.label: _rates(before.get(engine.label), engine, seconds) for engine in new.engines}


def _rates(old: EngineReading | None, new: EngineReading, seconds: float) -> EngineRates:
    if new.generation_tokens is None and new.reported_tps is not None:
        return EngineRates(generation_tps=new.reported_tps)
    if old is None or _began_again(old, new):
        return EngineRates()
    if (old.unfinished_tokens is None) != (new.unfinished_tokens is None):
        return EngineRates()  # the one holds tokens that the other doesn't
    return EngineRates(
        generation_tps=_rate(_produced(old), _produced(new), seconds),
        prompt_tps=_rate(_prompted(old), _prompted(new), seconds),
    )


def _produced(engine: EngineReading) -> float | None:
    """Output tokens so far, those of running requests included where the engine tells them."""
    return _with(engine.generation_tokens, engine.unfinished_tokens)


def _prompted(engine: EngineReading) -> float | None:
    return _with(engine.prompt_tokens, engine.unfinished_prompt_tokens)


def _with(counter: float | None, unfinished: float | None) -> float | None:
    return None if counter is None else counter + (unfinished or 0.0)


def _rate(old: float | None, new: float | None, seconds: float) -> float | None:
    if old is None or new is None or seconds < SHORTEST_S or new < old:
        return None
    rate = (new - old) / seconds
    return rate if math.isfinite(rate) else None


def progress_mark(engine: EngineReading) -> tuple[float | None, ...] | None:
    """Everything that moves while an engine works: two equal marks mean that it didn't. ``None`` where it counts no tokens."""
    if engine.generation_tokens is None:
        return None
    return (_produced(engine), _prompted(engine), engine.steps)


def total(values: list[float | None]) -> float | None:
    """Sum where every value is known; ``None`` for an empty list or an unknown member."""
    return (
        None if not values or any(value is None for value in values) else math.fsum(v for v in values if v is not None)
    )


def merged(histograms: list[Histogram | None]) -> Histogram | None:
    """Histograms of several engines as one, bucket by bucket; ``None`` if one is missing or their bounds differ."""
    known = [histogram for histogram in histograms if histogram is not None]
    if not known or len(known) != len(histograms) or any(h.bounds != known[0].bounds for h in known):
        return None
    if len(known) == 1:
        return known[0]
    return Histogram(known[0].bounds, tuple(map(math.fsum, zip(*(h.counts for h in known), strict=True))))


def quantile(q: float, old: Histogram | None, new: Histogram | None) -> float | None:
    """The q-quantile of what was observed between two histograms, seconds; ``None`` where nothing was or it can't be told.

    Linear inside a bucket, as Prometheus' ``histogram_quantile``: the last finite bound when it falls into the open bucket.
    """
    if old is None or new is None or old.bounds != new.bounds:
        return None
    counts = [after - before for before, after in zip(old.counts, new.counts, strict=True)]
    if min(counts) < 0 or counts[-1] <= 0:
        return None
    rank = q * counts[-1]
    at = next((i for i, count in enumerate(counts) if count >= rank), len(counts) - 1)
    if at == len(counts) - 1:
        return new.bounds[-2] if len(counts) > 1 else None
    low = new.bounds[at - 1] if at else 0.0
    below = counts[at - 1] if at else 0.0
    high = new.bounds[at]
    if high <= 0:
        return high if math.isfinite(high) else None
    return low + (high - low) * (rank - below) / (counts[at] - below)
