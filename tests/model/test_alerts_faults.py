"""Ten thousand random sequences of faults against a model of the rules that knows nothing of how they are watched.

The model keeps a line for each rule: since when its readings have held without a break, since when they have been calm. By that
alone it says when an alert must be open, when it may be raised, and when it may be cleared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from random import Random
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.model.alerts import hearing, watch
from quarterdeck.model.alerts import memory as memory_module
from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.alerts.watch import Change, step
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State

RULES = (
    Rule("down", "down", Severity.CRITICAL, 0.5, 0.5, for_s=5, calm_s=10),
    Rule("stalled", "stalled", Severity.CRITICAL, 0.5, 0.5, calm_s=10),
    Rule("queue", "waiting", Severity.CRITICAL, 20, 10, for_s=30, calm_s=10),
    Rule("idle", "waiting", Severity.WARNING, 3, 6, below=True, for_s=12, calm_s=4),
)
LENGTHS = (1, 1, 2, 3, 4, 4, 5, 6, 8, 10, 11, 14, 20, 31, 34, 45)
"""Seconds that a fault lasts."""
PAUSES = (2.0, 9.0, 11.0, 60.0, 400.0, 5000.0)
SEQUENCES = 10_000
SHARDS = 8
LONGEST_CALM = 300.0


class Frame(NamedTuple):
    """What there is to see at one moment."""

    passed: float
    """Seconds since the last look, of the monotonic clock …"""
    wall: float
    """… and of the other one."""
    state: State | None = State.OK
    waiting: float | None = 8
    polled: bool = True
    """Whether the row is a new one."""


def frames(script: bytes) -> Iterator[Frame]:
    """A sequence of faults from bytes: what it is in the low half, how long in the high one."""
    last: tuple[State | None, float | None] = (State.OK, 8.0)
    for byte in script:
        kind, length = byte & 15, LENGTHS[byte >> 4]
        state, waiting = FAULTS.get(kind, last)
        last = (state, waiting)
        if kind == PAUSE:
            pause = PAUSES[length % len(PAUSES)]
            yield Frame(pause, pause, state, waiting, length % 2 > 0)
            continue
        if kind == JUMP:
            yield Frame(1.0, 1.0 + (3600.0 if length % 2 else -3600.0), state, waiting)
            continue
        for _ in range(length):
            yield Frame(1.0, 1.0, state, waiting, kind != SILENT)


FAULTS: dict[int, tuple[State | None, float | None]] = {
    0: (State.OK, 8.0),
    1: (State.BUSY, 25.0),
    2: (State.BUSY, 21.0),
    3: (State.BUSY, 15.0),
    4: (State.OK, 1.0),
    5: (State.DOWN, 25.0),
    6: (State.STALLED, 25.0),
    7: (State.STALE, 25.0),
    8: (State.LOADING, 1.0),
    9: (None, None),
    10: (State.AUTH, None),
    11: (State.OK, float("nan")),
    12: (State.RESTARTED, 30.0),
}
SILENT, PAUSE, JUMP = 13, 14, 15
COMES_AND_GOES = bytes(
    [5 | 11 << 4, *[0 | 15 << 4] * 1] * 3
    + [5 | 11 << 4, *[0 | 15 << 4] * 2, 5 | 11 << 4, *[0 | 15 << 4] * 4, 5 | 11 << 4, *[0 | 15 << 4] * 9]
)
"""Down for 14 s, and well for longer each time, until that is as long as it can be asked for."""


@dataclass
class Line:
    """The model of one rule."""

    rule: Rule
    holds_from: float | None = None
    held: float = 0.0
    calm_from: float | None = None
    calm: float = 0.0
    gone_from: float | None = None
    known: float = 0.0
    is_open: bool = False
    raised: int = 0
    holds_now: bool = False

    def rest(self, now: float) -> None:
        """Nobody looked: nothing of before counts."""
        self.holds_from = self.calm_from = self.gone_from = None
        self.known = now

    def hear(self, now: float, at: float, value: float | None, *, gone: bool) -> None:
        """A look: the newest reading, when it was measured, or that there is none."""
        self.holds_now = False
        if value is None:
            self.gone_from = (now if self.gone_from is None else self.gone_from) if gone else None
            if gone:
                self.holds_from, self.calm_from, self.known = None, None, now
            return
        self.gone_from = None
        self.known = max(self.known, at)
        trouble = value < self.rule.limit if self.rule.below else value > self.rule.limit
        well = value >= self.rule.clear if self.rule.below else value <= self.rule.clear
        if not trouble:
            self.holds_from = None
        else:
            self.holds_now = True
            if self.holds_from is None or at - self.held > 10:
                self.holds_from = at
            self.held = at
        if not well:
            self.calm_from = None
        else:
            if self.calm_from is None or at - self.calm > 10:
                self.calm_from = at
            self.calm = at

    @property
    def must_be_open(self) -> bool:
        return self.holds_now and self.holds_from is not None and self.held - self.holds_from >= self.rule.for_s

    @property
    def must_be_over(self) -> bool:
        return self.calm_from is not None and self.calm - self.calm_from >= LONGEST_CALM

    def may_clear(self, now: float) -> bool:
        calm = self.calm_from is not None and self.calm - self.calm_from >= self.rule.calm_s
        gone = self.gone_from is not None and now - self.gone_from >= 10
        return calm or gone or now - self.known > 300


@dataclass
class Model:
    """All of them, and the checks."""

    lines: dict[str, Line] = field(default_factory=lambda: {rule.id: Line(rule) for rule in RULES})
    awake: float = -1e9

    def look(self, now: float, frame: Frame, measured: float) -> None:
        state = frame.state
        if abs(frame.wall - frame.passed) > 5 or not 0 <= frame.passed <= 10:
            self.awake = now
            for line in self.lines.values():
                line.rest(now)
        answers = state not in (None, State.STALE, State.DOWN)
        fresh = answers and state is not State.LOADING and measured >= self.awake
        number = frame.waiting if fresh and frame.waiting == frame.waiting else None
        down = None if state in (None, State.STALE) else float(state is State.DOWN)
        stalled = float(state is State.STALLED) if answers else None
        gone = state in (State.DOWN, State.LOADING)
        self.lines["down"].hear(now, now, down, gone=False)
        self.lines["stalled"].hear(now, now, stalled, gone=gone)
        self.lines["queue"].hear(now, measured, number, gone=gone)
        self.lines["idle"].hear(now, measured, number, gone=gone)

    def check(self, now: float, changes: tuple[Change, ...], open_keys: set[str]) -> None:
        for word, alert in changes:
            line = self.lines[alert.rule]
            assert alert.evidence
            assert alert.what
            assert all(alert.evidence)
            if word == "raised":
                assert not line.is_open, "raised twice"
                assert line.must_be_open, f"{alert.key}: raised without evidence"
                line.raised += 1
            else:
                assert line.is_open, "cleared without having been raised"
                assert line.may_clear(now), f"{alert.key}: cleared without evidence"
                assert alert.ending
            line.is_open = word == "raised"
        for name, line in self.lines.items():
            assert line.is_open == (f"{name} e" in open_keys)
            assert line.is_open or not line.must_be_open, f"{name}: missed after its duration"
            assert not (line.is_open and line.must_be_over), f"{name}: still open"


def run(sequence: Iterator[Frame], rules: tuple[Rule, ...] = RULES) -> tuple[Model, float]:
    """Plays a sequence; the model, and how long it lasted. ``rules`` are those of the watch, not of the model."""
    model, memory, now, wall = Model(), NOTHING, 10_000.0, 1e9
    row = EndpointView("e", "http://e")
    measured = now
    for number, frame in enumerate(sequence):
        now += frame.passed if number else 0.0
        wall += frame.wall if number else 0.0
        first = frame._replace(passed=0.0, wall=0.0) if not number else frame
        if frame.polled or not number:
            measured = now
            row = EndpointView(
                "e",
                "http://e",
                state=frame.state,
                waiting=frame.waiting,  # type: ignore[arg-type]
                answered=measured,
            )
        memory, alerts, changes = step(memory, FleetSnapshot(now, wall, (row,)), rules)
        model.look(now, first._replace(state=row.state, waiting=row.waiting), measured)
        model.check(now, changes, {alert.key for alert in alerts if alert.open})
    return model, now - 10_000.0


@pytest.mark.parametrize("shard", range(SHARDS))
def test_never_missed_and_never_without_evidence(shard: int) -> None:
    @settings(max_examples=SEQUENCES // SHARDS, database=None, derandomize=False)
    @given(st.binary(min_size=1, max_size=9))
    def sequence(script: bytes) -> None:
        run(frames(script))

    sequence()


@given(st.binary(min_size=1, max_size=6), st.integers(0, 5))
def test_a_clock_that_runs_backwards(script: bytes, place: int) -> None:
    parts = (script[:place], script[place:])
    run(frame for part in (frames(parts[0]), iter([Frame(-50.0, 1.0)]), frames(parts[1])) for frame in part)


def test_the_model_sees_alerts_at_all() -> None:
    """A sequence that must raise each rule, so that the property above is about something."""
    for kind, rule in ((1, "queue"), (5, "down"), (6, "stalled"), (4, "idle")):
        model, _ = run(frames(bytes([kind | 15 << 4, 0 | 15 << 4])))
        assert model.lines[rule].raised == 1
        assert not model.lines[rule].is_open or rule == "idle"


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], tuple[Rule, ...]]] = {
    "raises a moment early": lambda patch: tuple(replace(rule, for_s=max(0.0, rule.for_s - 1)) for rule in RULES),
    "raises late": lambda patch: tuple(replace(rule, for_s=rule.for_s + 1) for rule in RULES),
    "another limit": lambda patch: tuple(replace(rule, limit=22) if rule.id == "queue" else rule for rule in RULES),
    "no hysteresis": lambda patch: tuple(replace(rule, clear=rule.limit) for rule in RULES),
    "clears a moment early": lambda patch: tuple(replace(rule, calm_s=rule.calm_s - 1) for rule in RULES),
    "takes a pause for time watched": lambda patch: patched(patch, memory_module, "REST_S", 1e9),
    "trusts a clock that jumps": lambda patch: patched(patch, memory_module, "JUMP_S", 1e9),
    "supersedes at once": lambda patch: patched(patch, watch, "GONE_S", 3.0),
    "forgets too soon": lambda patch: patched(patch, watch, "LOST_S", 100.0),
    "never gets calm": lambda patch: patched(patch, watch, "LONGEST_CALM_S", 1e9),
    "takes old numbers for new ones": lambda patch: patched(patch, hearing, "_STALE", None),
    "takes a dead process's numbers": lambda patch: patched(patch, hearing, "_DOWN", object()),
}
"""What is wrong with a watch, and how it gets there."""


def patched(patch: pytest.MonkeyPatch, where: ModuleType, name: str, value: object) -> tuple[Rule, ...]:
    patch.setattr(where, name, value)
    return RULES


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_watch_that_is_wrong_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is no copy of what it watches: with one thing wrong in that, it speaks up."""
    rules = MUTANTS[mutant](monkeypatch)
    pick = Random(7)
    scripts = [COMES_AND_GOES, *(pick.randbytes(pick.randrange(2, 40)) for _ in range(600))]

    def play() -> None:
        for script in scripts:
            run(frames(script), rules)

    with pytest.raises(AssertionError):
        play()


def test_what_comes_and_goes() -> None:
    model, _ = run(frames(COMES_AND_GOES))
    assert model.lines["down"].raised >= 5
    assert not model.lines["down"].is_open
