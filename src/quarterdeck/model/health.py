"""What state an endpoint is in: pure functions from what was known and what a poll found. docs/states.md is the same as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from quarterdeck.model.fleet import State
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelState
from quarterdeck.model.rates import EngineRates, Sample, engine_rates, merged, progress_mark, quantile, restarted, total
from quarterdeck.model.reading import EngineReading, Facts, Histogram, Outcome, Reading

KV_LEAVE = 0.05
"""BUSY by KV cache ends this far below the limit at which it began."""
CALM_POLLS = 2
"""BUSY ends after so many polls in a row without a reason for it."""
WINDOW_S = 60.0
"""Percentiles cover the last minute …"""
MARK_EVERY_S = 10.0
"""… in steps of this."""
MISSED_WHEN_BACKED_OFF = 2
"""What is asked seldom is STALE after so many missed deadlines, however long they took."""
HISTORY = 120
"""Polls kept of tok/s."""


@dataclass(frozen=True, slots=True)
class LatencyMark:
    """Latency histograms over all engines at one moment: where a window of percentiles may begin."""

    at: float
    ttft: Histogram | None
    itl: Histogram | None


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """All that is remembered of one endpoint from poll to poll. Times are monotonic seconds."""

    state: State | None = None
    reason: str = ""
    since: float | None = None
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
    rates: dict[str, EngineRates] | None = None
    generation_tps: float | None = None
    prompt_tps: float | None = None
    ttft_p95_s: float | None = None
    itl_p95_s: float | None = None
    marks: tuple[LatencyMark, ...] = ()
    moved_at: Mapping[str, float] = field(default_factory=dict)
    """Engine label -> when a counter of it last moved, or nothing was to be done."""
    restarted_at: float | None = None
    calm_polls: int = 0
    failures: int = 0
    """Polls in a row that brought no facts."""
    tps_history: tuple[float | None, ...] = ()


NOTHING_KNOWN = Memory()
_BEGAN_BEFORE = (State.STALLED, State.RESTARTED)
"""States that know themselves when they began."""


def remember(memory: Memory, reading: Reading, limits: Limits) -> Memory:
    """What is known after ``reading``."""
    came_back = memory.missed >= limits.stale_after
    silent_since = memory.heard if memory.trouble and came_back else None
    if reading.facts is not None:
        memory = _measured(memory, reading, reading.facts, limits)
    else:
        history = (*memory.tps_history[-HISTORY + 1 :], None)
        memory = replace(memory, unbroken=False, failures=memory.failures + 1, tps_history=history)
    if reading.outcome is Outcome.TIMEOUT and memory.state not in (None, State.DOWN):
        # Silent for now: `settled` makes it STALE in time.
        return replace(memory, trouble=reading.reason, missed=memory.missed + 1)
    state, reason, since = _concluded(memory, reading, limits)
    if state is State.DOWN and silent_since is not None:
        since = silent_since  # it was gone before it refused
    lasts = state is memory.state and memory.since is not None and state not in _BEGAN_BEFORE and not came_back
    return replace(
        memory,
        state=state,
        reason=reason,
        since=memory.since if lasts else since,
        heard=memory.heard if reading.outcome is Outcome.TIMEOUT else reading.at,
        trouble="",
        missed=0,
    )


def settled(
    memory: Memory, now: float, interval: float, limits: Limits, awake_since: float = -math.inf
) -> tuple[State | None, str, float | None]:
    """State, reason and since-when at ``now``: what was good is STALE, then DOWN, when nothing new came for too long.

    ``awake_since``: when polling began again after a pause; the silence before it was ours.
    """
    if memory.heard is None or memory.state in (None, State.DOWN):
        return memory.state, memory.reason, memory.since
    silent = now - max(memory.heard, awake_since)
    if silent <= max(limits.stale_after * interval, interval + 1.0):
        return memory.state, memory.reason, memory.since
    backed_off = memory.failures > memory.missed  # AUTH, LOADING, BUSY by 429: asked seldom, because it failed
    if backed_off and memory.missed < MISSED_WHEN_BACKED_OFF:
        return memory.state, memory.reason, memory.since
    if not memory.trouble:
        return State.STALE, "not polled", memory.heard
    if silent > max(limits.down_after, limits.stale_after * interval):
        return State.DOWN, memory.trouble, memory.heard
    return State.STALE, memory.trouble, memory.heard


def _measured(memory: Memory, reading: Reading, facts: Facts, limits: Limits) -> Memory:
    """The numbers of a reading with facts: rates, percentiles, movement, restarts."""
    new = Sample(reading.at, facts.engines)
    old = (
        Sample(memory.good.at, memory.good.facts.engines)
        if memory.good is not None and memory.good.facts is not None
        else None
    )
    again = old is not None and restarted(old, new)
    rates = engine_rates(old if memory.unbroken else None, new)
    tps = total([rate.generation_tps for rate in rates.values()])
    mark = LatencyMark(reading.at, merged([e.ttft for e in facts.engines]), merged([e.itl for e in facts.engines]))
    marks = () if again else tuple(m for m in memory.marks if mark.at - m.at <= WINDOW_S)
    first = marks[0] if marks else None
    if not marks or mark.at - marks[-1].at >= MARK_EVERY_S:
        marks = (*marks, mark)
    busy = _is_busy(memory, facts, limits) != ""
    return replace(
        memory,
        good=reading,
        unbroken=True,
        failures=0,
        rates=rates,
        generation_tps=tps,
        prompt_tps=total([rate.prompt_tps for rate in rates.values()]),
        ttft_p95_s=quantile(0.95, first.ttft, mark.ttft) if first else None,
        itl_p95_s=quantile(0.95, first.itl, mark.itl) if first else None,
        marks=marks,
        moved_at=_moved_at(memory, old, new),
        restarted_at=reading.at if again else memory.restarted_at,
        calm_polls=0 if busy else memory.calm_polls + 1,
        tps_history=(*memory.tps_history[-HISTORY + 1 :], tps),
    )


def _moved_at(memory: Memory, old: Sample | None, new: Sample) -> dict[str, float]:
    """When each engine last moved as far as is known: now, unless it has work and no counter changed since ``old``."""
    before = {engine.label: engine for engine in old.engines} if old is not None else {}
    return {
        engine.label: memory.moved_at.get(engine.label, new.at)
        if _stands_still(before.get(engine.label), engine)
        else new.at
        for engine in new.engines
    }


def _stands_still(old: EngineReading | None, new: EngineReading) -> bool:
    """Whether an engine that had work before, and has now, did nothing in between."""
    if old is None or not _has_work(old) or not _has_work(new):
        return False  # the work came after the last poll, or there is none
    mark = progress_mark(new)
    return mark is not None and mark == progress_mark(old)


def _has_work(engine: EngineReading) -> bool:
    return (engine.running or 0) + (engine.waiting or 0) > 0


def _concluded(memory: Memory, reading: Reading, limits: Limits) -> tuple[State, str, float]:
    """State, reason and, should the state be new, its beginning."""
    match reading.outcome:
        case Outcome.LOADING:
            return State.LOADING, reading.reason, reading.at
        case Outcome.AUTH:
            return State.AUTH, reading.reason, reading.at
        case Outcome.BUSY:
            return State.BUSY, reading.reason, reading.at
        case Outcome.ANSWERED if reading.facts is not None:
            return _of_facts(memory, reading.at, reading.facts, limits)
    return State.DOWN, reading.reason, reading.at


def _of_facts(memory: Memory, at: float, facts: Facts, limits: Limits) -> tuple[State, str, float]:
    if facts.sleeping:
        return State.SLEEPING, "the server put its model to sleep", at
    stalled = [e for e in facts.engines if at - memory.moved_at.get(e.label, at) >= limits.stalled_after]
    if stalled:
        moved = min(memory.moved_at[engine.label] for engine in stalled)
        return State.STALLED, f"{_which(stalled, facts)}no token for {at - moved:.0f} s; {_work(stalled)}", moved
    if memory.restarted_at is not None and at - memory.restarted_at < limits.restarted_for:
        return State.RESTARTED, "its counters began again", memory.restarted_at
    busy = _is_busy(memory, facts, limits)
    if busy:
        return State.BUSY, busy, at
    if memory.state is State.BUSY and memory.calm_polls < CALM_POLLS:
        return State.BUSY, memory.reason, at
    return _by_models(facts, at)


def _by_models(facts: Facts, at: float) -> tuple[State, str, float]:
    loading = [model.id for model in facts.models if model.state is ModelState.LOADING]
    if loading and not any(model.state is ModelState.LOADED for model in facts.models):
        return State.LOADING, f"loading {loading[0]}", at
    return State.OK, "", at


def _is_busy(memory: Memory, facts: Facts, limits: Limits) -> str:
    """Why the endpoint is busy; "" if it isn't."""
    waiting = sum(engine.waiting or 0 for engine in facts.engines)
    if waiting >= limits.busy_waiting:
        return f"{waiting} waiting"
    fullest = max((engine.kv_used or 0.0 for engine in facts.engines), default=0.0)
    limit = limits.busy_kv - (KV_LEAVE if memory.state is State.BUSY else 0.0)
    return f"KV cache {fullest:.0%} full" if fullest >= limit else ""


def _which(stalled: list[EngineReading], facts: Facts) -> str:
    """Names the stalled engines where others go on."""
    if len(stalled) == len(facts.engines):
        return ""
    names = ", ".join(engine.label for engine in stalled[:3]) + (" …" if len(stalled) > 3 else "")
    return f"engine{'s' if len(stalled) > 1 else ''} {names}: "


def _work(stalled: list[EngineReading]) -> str:
    """What the stalled engines have to do."""
    running = sum(engine.running or 0 for engine in stalled)
    waiting = sum(engine.waiting or 0 for engine in stalled)
    return f"{running} running, {waiting} waiting" if waiting else f"{running} running"
