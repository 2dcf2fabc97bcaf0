"""Rates from counters: pure, and unknown rather than wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from quarterdeck.model.reading import EngineReading

SHORTEST_S = 0.05
"""Two samples closer than this give no rate."""
ABSURD = 1e9
"""No rate is that high: a counter that jumps so far tells nothing."""
_RESTART_JUMP_S = 1.0


@dataclass(frozen=True, slots=True)
class Sample:
    """All engines of an endpoint at one moment (monotonic seconds)."""

    at: float
    engines: tuple[EngineReading, ...]
    whole: EngineReading | None = None
    """What is counted for all of them together."""

    @property
    def observers(self) -> tuple[EngineReading, ...]:
        """Who measures latencies."""
        return self.engines if self.whole is None else (self.whole,)


@dataclass(frozen=True, slots=True)
class EngineRates:
    """What one engine did per second between two samples."""

    generation_tps: float | None = None
    prompt_tps: float | None = None
    """Cached tokens included."""
    cached_tps: float | None = None
    finished_ps: tuple[tuple[str, float], ...] | None = None
    """Requests ended, by reason; ("all", …) where the engine tells no reasons."""
    preemptions_ps: float | None = None


NO_RATES = EngineRates()


def restarted(old: Sample, new: Sample) -> str:
    """How it shows that an engine's counters began again in between, in words; "" if none did."""
    before = {engine.label: engine for engine in old.engines}
    again = [engine for engine in new.engines if engine.label in before and _began_again(before[engine.label], engine)]
    if not again:
        return ""
    was = before[again[0].label]
    if was.started is not None and again[0].started is not None:
        return "the start of its counters moved"
    for name in ("generation_tokens", "prompt_tokens"):
        then, now = getattr(was, name), getattr(again[0], name)
        if _fell(then, now):
            return f"{name.replace('_', ' ')} fell from {then:.0f} to {now:.0f}"
    return ""


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


def whole_rates(old: Sample | None, new: Sample, rates: Mapping[str, EngineRates]) -> EngineRates:
    """The rates of all engines together; what is counted for all at once is taken from there."""
    every = summed(rates.values())
    if new.whole is None or old is None or old.whole is None:
        return every
    more = _rates(old.whole, new.whole, new.at - old.at)
    return replace(every, finished_ps=every.finished_ps or more.finished_ps)


def _rates(old: EngineReading | None, new: EngineReading, seconds: float) -> EngineRates:
    if old is None or _began_again(old, new):
        return EngineRates(generation_tps=_reported(new))
    same_kind = (old.unfinished_tokens is None) == (new.unfinished_tokens is None)
    tokens = (
        _rate(_produced(old), _produced(new), seconds) if same_kind else None
    )  # else one holds what the other doesn't
    return EngineRates(
        generation_tps=tokens if tokens is not None else _reported(new),
        prompt_tps=_rate(_prompted(old), _prompted(new), seconds) if same_kind else None,
        cached_tps=_rate(old.cached_tokens, new.cached_tokens, seconds),
        finished_ps=_finished(old, new, seconds),
        preemptions_ps=_rate(old.preemptions, new.preemptions, seconds),
    )


def _reported(engine: EngineReading) -> float | None:
    """The server's own figure, where it counts no tokens."""
    return engine.reported_tps if engine.generation_tokens is None else None


def _finished(old: EngineReading, new: EngineReading, seconds: float) -> tuple[tuple[str, float], ...] | None:
    """Requests a second by reason; a reason that wasn't counted before has no rate yet."""
    if not new.finished:
        rate = _rate(old.requests, new.requests, seconds)
        return None if rate is None else (("all", rate),)
    before = dict(old.finished)
    rates = [(reason, _rate(before.get(reason), count, seconds)) for reason, count in new.finished]
    return tuple((reason, rate) for reason, rate in rates if rate is not None) or None


def _produced(engine: EngineReading) -> float | None:
    """Output tokens so far, those of running requests included where the engine tells them."""
    return _with(engine.generation_tokens, engine.unfinished_tokens)


def _prompted(engine: EngineReading) -> float | None:
    """Prompt tokens so far, computed or found in a cache."""
    cached = engine.cached_tokens if engine.cached_apart else 0.0
    return _with(_with(engine.prompt_tokens, engine.unfinished_prompt_tokens), cached)


def _with(counter: float | None, more: float | None) -> float | None:
    return None if counter is None else counter + (more or 0.0)


def _rate(old: float | None, new: float | None, seconds: float) -> float | None:
    if old is None or new is None or seconds < SHORTEST_S or new < old:
        return None
    rate = (new - old) / seconds
    return rate if rate < ABSURD else None  # also nan and inf


def summed(rates: Collection[EngineRates]) -> EngineRates:
    """All engines of an endpoint together; what one of them doesn't know, nobody knows."""
    if len(rates) == 1:
        return next(iter(rates))
    return EngineRates(
        generation_tps=total([rate.generation_tps for rate in rates]),
        prompt_tps=total([rate.prompt_tps for rate in rates]),
        cached_tps=total([rate.cached_tps for rate in rates]),
        finished_ps=_finished_by_all([rate.finished_ps for rate in rates]),
        preemptions_ps=total([rate.preemptions_ps for rate in rates]),
    )


def _finished_by_all(engines: list[tuple[tuple[str, float], ...] | None]) -> tuple[tuple[str, float], ...] | None:
    sums: dict[str, float] = {}
    for finished in engines:
        if finished is None:
            return None
        for reason, rate in finished:
            sums[reason] = sums.get(reason, 0.0) + rate
    return tuple(sums.items()) or None


def share(old: Sample, new: Sample, part: str, whole: str) -> float | None:
    """The growth of counter ``part`` as a fraction 0–1 of that of ``whole`` (names of fields), over all engines.

    ``None`` where ``whole`` didn't grow, or an engine doesn't tell both or began again.
    """
    before = {engine.label: engine for engine in old.engines}
    pairs = [(before.get(engine.label), engine) for engine in new.engines]
    parts = total([_grown(o, n, part) for o, n in pairs])
    wholes = total([_grown(o, n, whole) for o, n in pairs])
    return min(1.0, parts / wholes) if parts is not None and wholes else None


def _grown(old: EngineReading | None, new: EngineReading, counter: str) -> float | None:
    before: float | None = getattr(old, counter) if old is not None else None
    after: float | None = getattr(new, counter)
    return None if before is None or after is None or not 0 <= after - before < math.inf else after - before


def progress_mark(engine: EngineReading) -> tuple[float | None, ...] | None:
    """Everything that moves while an engine works: two equal marks mean that it didn't. ``None`` where it counts no tokens."""
    if engine.generation_tokens is None or engine.counts_at_end:
        return None
    return (_produced(engine), _prompted(engine), engine.steps)


def total(values: list[float | None]) -> float | None:
    """Sum where every value is known; ``None`` for an empty list or an unknown member."""
    return (
        None if not values or any(value is None for value in values) else math.fsum(v for v in values if v is not None)
    )
