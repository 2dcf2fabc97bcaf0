"""What waits to be told: the newest of each thing; what flaps is told once, and jobs speak at sensible steps. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from quarterdeck.model.job import Job
from quarterdeck.reader.changes import Change, Kind
from quarterdeck.reader.speech import counted, lasting, name

FLAPS, FLAP_S, SETTLED_S = 5, 60.0, 30.0
"""What changes so often in so many seconds is told no more, until it has stayed as it is for so long."""
STEP = 0.25
"""A job speaks at every quarter of its way …"""
STEP_S, LONGEST_SILENCE_S = 10.0, 300.0
"""… and when its phase is another one, but not more often than this; and at least so often while it moves."""
_FLAPS = "things keep changing"
_NUMBERS = re.compile(r"\d+")

Key = tuple[Kind, str]
"""Kind and subject."""
Group = tuple[Kind, str]
"""Kind and word."""


class Step(NamedTuple):
    """What was told of a job: when (monotonic seconds), the quarter of its way, its phase without numbers."""

    at: float
    quarter: int
    phase: str


class Restless(NamedTuple):
    """What flaps: its last change, when that was (monotonic seconds), and how many there were."""

    last: Change
    at: float
    number: int


@dataclass(frozen=True, slots=True)
class Memory:
    """What waits to be told, and what was told lately."""

    held: Mapping[Key, Change] = field(default_factory=lambda: MappingProxyType({}))
    lately: Mapping[Key, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """When each thing changed, in the last `FLAP_S` (monotonic seconds)."""
    restless: Mapping[Key, Restless] = field(default_factory=lambda: MappingProxyType({}))
    steps: Mapping[str, Step] = field(default_factory=lambda: MappingProxyType({}))
    at: float = 0.0
    """Monotonic seconds when it last heard of anything."""
    floods: Mapping[Group, float] = field(default_factory=lambda: MappingProxyType({}))
    """When a sum was last told, by what it was of."""
    advised: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """When an advice was last told."""


def heard(memory: Memory, found: Iterable[Change], now: float) -> Memory:
    """With what was found; ``now``: monotonic seconds. A later change of the same thing takes the place of one that waits."""
    turn = _Turn(dict(memory.held), dict(memory.lately), dict(memory.restless), dict(memory.steps), now)
    turn.settle()
    for one in found:
        turn.take(one)
    return replace(memory, held=turn.held, lately=turn.lately, restless=turn.restless, steps=turn.steps, at=now)


class _Turn(NamedTuple):
    """A memory that is being changed."""

    held: dict[Key, Change]
    lately: dict[Key, tuple[float, ...]]
    restless: dict[Key, Restless]
    steps: dict[str, Step]
    now: float

    def settle(self) -> None:
        """What has not changed for long enough is told again."""
        for key, one in list(self.restless.items()):
            if self.now - one.at >= SETTLED_S:
                del self.restless[key]
                self._hold(replace(one.last, text=f"{called(one.last)} has settled: {one.last.text}"))
        for key, times in list(self.lately.items()):
            kept = tuple(at for at in times if self.now - at < FLAP_S)
            if kept:
                self.lately[key] = kept
            else:
                del self.lately[key]

    def take(self, one: Change) -> None:
        """One change."""
        if one.kind is Kind.PROGRESS:
            self._progress(one)
            return
        if one.kind is Kind.JOB:
            self._job(one)
            return
        if one.about and any((kind, one.about) in self.restless for kind in (Kind.STATE, Kind.GPU, Kind.HOST)):
            return  # that it flaps was told
        key = one.key
        times = (*self.lately.get(key, ()), self.now)
        self.lately[key] = times
        if key in self.restless:
            self.restless[key] = Restless(one, self.now, self.restless[key].number + 1)
        elif len(times) >= FLAPS:
            self.restless[key] = Restless(one, self.now, len(times))
            text = _restless(one, len(times), self.now - times[0])
            self._hold(replace(one, word="flaps", text=text, several=_FLAPS, reason="", advice=""))
        else:
            self._hold(one)

    def _hold(self, one: Change) -> None:
        self.held.pop(one.key, None)  # so that it stands at its new place
        self.held[one.key] = one

    def _job(self, one: Change) -> None:
        self.held.pop((Kind.PROGRESS, one.subject), None)
        self.steps.pop(one.subject, None)
        if one.word == "begun":
            self.steps[one.subject] = Step(self.now, 0, "")
        self._hold(one)

    def _progress(self, one: Change) -> None:
        if one.job is None:
            return
        before, step = self.steps.get(one.subject), _step(one.job, self.now)
        if before is None:
            self.steps[one.subject] = step
            return
        passed = self.now - before.at
        further = step.quarter > before.quarter or step.phase != before.phase
        if (further and passed >= STEP_S) or passed >= LONGEST_SILENCE_S:
            self.steps[one.subject] = step
            self._hold(one)


def _step(job: Job, now: float) -> Step:
    fraction = job.progress.fraction or 0.0
    return Step(now, int(fraction / STEP), _NUMBERS.sub("", job.progress.phase))


def _restless(one: Change, number: int, seconds: float) -> str:
    """What is said of something that changed too often to be told each time."""
    often = f"{counted(number, 'time')} in {lasting(seconds)}"
    now = one.text
    return f"{called(one)} keeps changing, {often}. Now: {now} It is told again when it has stayed so for {lasting(SETTLED_S)}."


def called(one: Change) -> str:
    """What it is about, by name."""
    return one.named or name(one.subject)
