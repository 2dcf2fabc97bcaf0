"""What state an endpoint is in: pure functions from what was known and what a poll found. docs/states.md is the same as a table."""

from __future__ import annotations

import math
from typing import NamedTuple

from quarterdeck.model.fleet import State
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import Memory, has_work, measured, without_facts
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading

KV_LEAVE = 0.05
"""BUSY by KV cache ends this far below the limit at which it began."""
CALM_POLLS, CALM_S = 2, 10.0
"""BUSY ends after so many polls in a row, and so many seconds, without a reason for it."""
MOVING_POLLS = 2
"""STALLED ends after so many polls in a row at which tokens had come, or when the work is gone."""
MISSED_WHEN_BACKED_OFF = 2
"""What is asked seldom is STALE after so many missed deadlines, however long they took."""
_BEGAN_BEFORE = (State.STALLED, State.RESTARTED)
"""States that know themselves when they began."""


class Conclusion(NamedTuple):
    """What state an endpoint is in, why, since when (monotonic seconds), and the numbers that show it, a line each."""

    state: State | None
    reason: str
    since: float | None
    evidence: tuple[str, ...] = ()


def remember(memory: Memory, reading: Reading, limits: Limits, *, awaited: bool = False) -> Memory:
    """What is known after ``reading``. ``awaited``: nobody paused, however long after the last one it was taken."""
    came_back = memory.missed >= limits.stale_after
    silent_since = memory.heard if memory.trouble and came_back else None
    if reading.facts is not None:
        busy = _is_busy(memory, reading.facts, limits) != ""
        memory = measured(memory, reading, reading.facts, busy=busy, awaited=awaited)
    else:
        memory = without_facts(memory)
    if reading.outcome is Outcome.TIMEOUT and memory.state not in (None, State.DOWN):
        # Silent for now: `settled` makes it STALE in time.
        return memory._replace(trouble=reading.reason, missed=memory.missed + 1)
    found = _concluded(memory, reading, limits)
    since = found.since
    if found.state is State.DOWN and silent_since is not None:
        since = silent_since  # it was gone before it refused
    lasts = (
        found.state is memory.state and memory.since is not None and found.state not in _BEGAN_BEFORE and not came_back
    )
    return memory._replace(
        state=found.state,
        reason=found.reason,
        since=memory.since if lasts else since,
        evidence=found.evidence,
        heard=memory.heard if reading.outcome is Outcome.TIMEOUT else reading.at,
        trouble="",
        missed=0,
    )


def settled(memory: Memory, now: float, interval: float, limits: Limits, awake_since: float = -math.inf) -> Conclusion:
    """What is true at ``now``: what was good is STALE, then DOWN, when nothing new came for too long.

    ``awake_since``: when polling began again after a pause; the silence before it was ours.
    """
    known = Conclusion(memory.state, memory.reason, memory.since, memory.evidence)
    if memory.heard is None or memory.state in (None, State.DOWN):
        return known
    silent = now - max(memory.heard, awake_since)
    if silent <= max(limits.stale_after * interval, interval + 1.0):
        return known
    backed_off = memory.failures > memory.missed  # AUTH, LOADING, BUSY by 429: asked seldom, because it failed
    if backed_off and memory.missed < MISSED_WHEN_BACKED_OFF:
        return known
    if not memory.trouble:
        return Conclusion(State.STALE, "not polled", memory.heard)
    evidence = (
        f"{memory.missed} poll{'s' if memory.missed != 1 else ''} in a row without an answer: {memory.trouble}",
        f"before that it was {memory.state.value}" + (f": {memory.reason}" if memory.reason else ""),
    )
    gone = silent > max(limits.down_after, limits.stale_after * interval)
    return Conclusion(State.DOWN if gone else State.STALE, memory.trouble, memory.heard, evidence)


def _concluded(memory: Memory, reading: Reading, limits: Limits) -> Conclusion:
    """The conclusion from a reading; its since-when counts should the state be new."""
    match reading.outcome:
        case Outcome.LOADING:
            return Conclusion(State.LOADING, reading.reason, reading.at, _told_so(memory))
        case Outcome.AUTH:
            return Conclusion(State.AUTH, reading.reason, reading.at, _told_so(memory))
        case Outcome.BUSY:
            return Conclusion(State.BUSY, reading.reason, reading.at, _told_so(memory))
        case Outcome.ANSWERED if reading.facts is not None:
            return _of_facts(memory, reading.at, reading.facts, limits)
    polls = memory.failures
    evidence = (f"{polls} failed poll{'s' if polls != 1 else ''} in a row",)
    return Conclusion(State.DOWN, reading.reason, reading.at, evidence)


def _told_so(memory: Memory) -> tuple[str, ...]:
    """How often in a row the server answered with a refusal and no numbers."""
    polls = memory.failures
    return (f"{polls} poll{'s' if polls != 1 else ''} in a row answered so",) if polls else ()


def _of_facts(memory: Memory, at: float, facts: Facts, limits: Limits) -> Conclusion:
    if facts.sleeping:
        origin = facts.origins.get("sleeping", "")
        evidence = (f"{origin} says so",) if origin else ()
        return Conclusion(State.SLEEPING, "its model is asleep", at, evidence)
    stalled = _stalled(memory, at, facts, limits)
    if stalled is not None:
        return stalled
    if memory.restarted_at is not None and at - memory.restarted_at < limits.restarted_for:
        return Conclusion(State.RESTARTED, "its counters began again", memory.restarted_at, (memory.began_again,))
    return _busy(memory, at, facts, limits) or _by_models(facts, at)


def _stalled(memory: Memory, at: float, facts: Facts, limits: Limits) -> Conclusion | None:
    stalled = [e for e in facts.engines if at - memory.moved_at.get(e.label, at) >= limits.stalled_after]
    if not stalled:
        if memory.state is State.STALLED and memory.moving_polls < MOVING_POLLS and any(map(has_work, facts.engines)):
            return Conclusion(State.STALLED, "a token came; the next poll decides", memory.since or at, memory.evidence)
        return None
    moved = min(memory.moved_at[engine.label] for engine in stalled)
    evidence = tuple(
        f"engine {e.label}: {_work([e])}; output tokens stand at {e.generation_tokens or 0:.0f}"
        f" since {at - memory.moved_at[e.label]:.0f} s"
        for e in stalled[:8]
    )
    reason = f"{_which(stalled, facts)}no token for {at - moved:.0f} s; {_work(stalled)}"
    return Conclusion(State.STALLED, reason, moved, evidence)


def _busy(memory: Memory, at: float, facts: Facts, limits: Limits) -> Conclusion | None:
    reason = _is_busy(memory, facts, limits)
    if reason:
        return Conclusion(State.BUSY, reason, at, _busy_evidence(memory, facts, limits))
    calm = at - memory.busy_at if memory.busy_at is not None else CALM_S
    if memory.state is not State.BUSY or (memory.calm_polls >= CALM_POLLS and calm >= CALM_S):
        return None
    waited = f"that was {calm:.0f} s ago; OK after {CALM_S:.0f} s without"
    return Conclusion(State.BUSY, memory.reason, at, (waited,))


def _by_models(facts: Facts, at: float) -> Conclusion:
    loading = [model.id for model in facts.models if model.state is ModelState.LOADING]
    if loading and not any(model.state is ModelState.LOADED for model in facts.models):
        return Conclusion(State.LOADING, f"loading {loading[0]}", at)
    return Conclusion(State.OK, "", at)


def _busy_evidence(memory: Memory, facts: Facts, limits: Limits) -> tuple[str, ...]:
    running = sum(engine.running or 0 for engine in facts.engines)
    waiting = sum(engine.waiting or 0 for engine in facts.engines)
    fullest = max((engine.kv_used for engine in facts.engines if engine.kv_used is not None), default=None)
    tps = memory.total.generation_tps
    return (
        f"{running} running, {waiting} waiting (busy from {limits.busy_waiting} on)",
        *(() if fullest is None else (f"KV cache {fullest:.0%} full (busy from {limits.busy_kv:.0%} on)",)),
        *(() if tps is None else (f"{tps:.0f} tok/s: tokens come",)),
    )


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
