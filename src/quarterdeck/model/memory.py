"""What is remembered of an endpoint from poll to poll, and the numbers that two polls or a minute of them give. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from quarterdeck.model.fleet import State
from quarterdeck.model.imbalance import Held, Key, Member, held, odd_ones, shown
from quarterdeck.model.latency import NO_LATENCIES, Latencies, Window, Windows, told
from quarterdeck.model.rates import (
    NO_RATES,
    EngineRates,
    Sample,
    engine_rates,
    progress_mark,
    restarted,
    share,
    whole_rates,
)
from quarterdeck.model.reading import EngineReading, Facts, Reading

WINDOW_S = 60.0
"""Percentiles and shares cover the last minute …"""
MARK_EVERY_S = 10.0
"""… in steps of this."""
HISTORY = 120
"""Polls kept of tok/s."""
SLEPT_S = 5.0
"""The machine slept when the wall clock went so much further than the monotonic one."""
RESTED_S = 10.0
RESTED_STEPS = 3.0
"""Two readings further apart than both, the second in steps of before, give no rate."""
FEWEST = 5
"""So many observations make a median worth comparing."""


_NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Memory(NamedTuple):
    """All that is remembered of one endpoint. Times are monotonic seconds."""

    state: State | None = None
    reason: str = ""
    since: float | None = None
    evidence: tuple[str, ...] = ()
    good: Reading | None = None
    """The last reading whose facts are complete; its numbers are shown until better ones come."""
    heard: float | None = None
    """When the endpoint last said anything, if only that it is loading or wants a key."""
    trouble: str = ""
    """Why the polls since then brought no answer …"""
    missed: int = 0
    """… and how many of them there were."""
    unbroken: bool = False
    """Whether the poll before was a good one too (a rate over an outage would be an average of nothing)."""
    step: float | None = None
    """Seconds between the last two good readings."""
    rates: Mapping[str, EngineRates] = _NOTHING
    """By engine label."""
    total: EngineRates = NO_RATES
    latencies: Latencies = NO_LATENCIES
    by_engine: Mapping[str, Mapping[str, Window]] = _NOTHING
    """Engine label → its windows of the last minute; only where there are several engines."""
    cache_hit_rate: float | None = None
    acceptance: float | None = None
    marks: tuple[Sample, ...] = ()
    """Where windows of the last minute may begin, oldest first."""
    moved_at: Mapping[str, float] = _NOTHING
    """Engine label -> when a counter of it last moved, or nothing was to be done."""
    odd: Mapping[Key, Held] = _NOTHING
    """Engines that differ from their siblings, and since when."""
    restarted_at: float | None = None
    began_again: str = ""
    """How the last restart showed."""
    calm_polls: int = 0
    """Polls in a row without a reason to call it busy …"""
    busy_at: float | None = None
    """… and when there last was one."""
    moving_polls: int = 0
    """Polls in a row at which no engine that has work stood still."""
    failures: int = 0
    """Polls in a row that brought no facts."""
    tps_history: tuple[float | None, ...] = ()

    @property
    def sample(self) -> Sample | None:
        """The engines as last seen."""
        good = self.good
        return None if good is None or good.facts is None else Sample(good.at, good.facts.engines, good.facts.whole)

    @property
    def odd_engines(self) -> dict[Key, str]:
        """What is odd for long enough to be told."""
        return shown(self.odd)


NOTHING_KNOWN = Memory()


def without_facts(memory: Memory) -> Memory:
    """After a poll that brought none."""
    history = (*memory.tps_history[-HISTORY + 1 :], None)
    return memory._replace(unbroken=False, failures=memory.failures + 1, tps_history=history)


def measured(memory: Memory, reading: Reading, facts: Facts, *, busy: bool, awaited: bool = False) -> Memory:
    """After a poll that did: rates, percentiles, movement, restarts. ``awaited``: however late, it came when it was meant to."""
    new, old = Sample(reading.at, facts.engines, facts.whole), memory.sample
    again = restarted(old, new) if old is not None else ""
    slept = _slept(memory.good, reading)
    step = reading.at - memory.good.at if memory.good is not None else None
    unbroken = memory.unbroken and not slept and (awaited or not _rested(memory.step, step))
    rates = engine_rates(old if unbroken else None, new)
    all_together = whole_rates(old if unbroken else None, new, rates)
    marks = _marks(memory, new.at) if not slept and not again else ()
    first, since = marks[0] if marks else None, [mark.observers for mark in marks]
    if not marks or new.at - marks[-1].at >= MARK_EVERY_S or told(new.observers) - told(marks[-1].observers):
        marks = (*marks, new)
    by_engine, standing = _by_engine(first, new), _standing(old, new)
    return memory._replace(
        good=reading,
        unbroken=True,
        step=step,
        failures=0,
        rates=rates,
        total=all_together,
        latencies=Latencies(
            last=Windows((old.observers,), new.observers) if old is not None and unbroken and not again else {},
            minute=Windows(since, new.observers),
        ),
        by_engine=by_engine,
        cache_hit_rate=_share(first, new, "cache_hits", "cache_queries", "reported_hit_rate"),
        acceptance=_share(first, new, "accepted_tokens", "draft_tokens", "reported_acceptance"),
        marks=marks,
        moved_at=_moved_at(memory, new, standing),
        odd={} if facts.by_model else held(memory.odd, _odd(new, by_engine), new.at),
        restarted_at=reading.at if again else memory.restarted_at,
        began_again=again or memory.began_again,
        calm_polls=0 if busy else memory.calm_polls + 1,
        busy_at=reading.at if busy else memory.busy_at,
        moving_polls=0 if standing else memory.moving_polls + 1,
        tps_history=(*memory.tps_history[-HISTORY + 1 :], all_together.generation_tps),
    )


def _marks(memory: Memory, now: float) -> tuple[Sample, ...]:
    """Where the last minute may begin; of what is polled more seldom than that, the poll before."""
    recent = tuple(mark for mark in memory.marks if now - mark.at <= WINDOW_S)
    return recent or (memory.marks[-1:] if memory.unbroken else ())


def _slept(old: Reading | None, new: Reading) -> bool:
    """Whether this machine stood still between two readings: its monotonic clock did, the server's counters didn't."""
    if old is None or old.wall is None or new.wall is None:
        return False
    return (new.wall - old.wall) - (new.at - old.at) > SLEPT_S


def _rested(before: float | None, step: float | None) -> bool:
    """Whether nobody polled for long (paused, or this program was stopped): a mean over that time is no rate of now."""
    return before is not None and step is not None and step > max(RESTED_S, RESTED_STEPS * before)


def _share(first: Sample | None, new: Sample, part: str, whole: str, reported: str) -> float | None:
    """A share over the last minute; where there are no counters, what the servers report, averaged over the engines."""
    if any(getattr(engine, whole) is not None for engine in new.engines):
        return share(first, new, part, whole) if first is not None else None
    told = [value for engine in new.engines if (value := getattr(engine, reported)) is not None]
    return math.fsum(told) / len(told) if told else None


def _by_engine(first: Sample | None, new: Sample) -> dict[str, Windows]:
    if first is None or len(new.engines) < 2:
        return {}
    before = {engine.label: engine for engine in first.engines}
    return {e.label: Windows(((before[e.label],),), (e,)) for e in new.engines if e.label in before}


def _odd(new: Sample, by_engine: Mapping[str, Mapping[str, Window]]) -> dict[Key, str]:
    """Engines that differ from their siblings now."""
    if len(new.engines) < 2:
        return {}
    return odd_ones([member(e.label, e.running, e.kv_used, by_engine.get(e.label, {})) for e in new.engines])


def member(name: str, running: int | None, kv_used: float | None, minute: Mapping[str, Window]) -> Member:
    """A replica as it is compared: medians of the last minute, where it saw enough requests."""
    return Member(name, running, kv_used, _median(minute.get("ttft")), _median(minute.get("itl")))


def _median(window: Window | None) -> float | None:
    return window.quantile(0.5) if window is not None and window.count >= FEWEST else None


def _standing(old: Sample | None, new: Sample) -> frozenset[str]:
    """The engines that have work and did nothing since ``old``."""
    before = {engine.label: engine for engine in old.engines} if old is not None else {}
    return frozenset([e.label for e in new.engines if _stands_still(before.get(e.label), e)])


def _moved_at(memory: Memory, new: Sample, standing: frozenset[str]) -> dict[str, float]:
    """When each engine last moved, as far as is known."""
    known = memory.moved_at
    return {e.label: known.get(e.label, new.at) if e.label in standing else new.at for e in new.engines}


def _stands_still(old: EngineReading | None, new: EngineReading) -> bool:
    """Whether an engine that had work before, and has now, did nothing in between."""
    if old is None or not has_work(old) or not has_work(new):
        return False  # the work came after the last poll, or there is none
    mark = progress_mark(new)
    return mark is not None and mark == progress_mark(old)


def has_work(engine: EngineReading) -> bool:
    """Whether requests run or wait."""
    return (engine.running or 0) + (engine.waiting or 0) > 0
