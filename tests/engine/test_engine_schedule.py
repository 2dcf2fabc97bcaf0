"""When polls are due: on a grid, spread where they are many, rarer where they fail, never twice at once."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.engine.schedule import LONGEST_BACK_OFF_S, TOGETHER, Schedule


def run(schedule: Schedule, seconds: float, *, start: float = 100.0, ok: bool = True) -> list[tuple[float, str]]:
    """Every poll of that time, each ended at once."""
    polls = []
    while (at := schedule.next_at()) is not None and at <= start + seconds:
        for name in schedule.due(at):
            polls.append((at - start, name))
            schedule.ended(name, at, ok=ok)
    return polls


def scheduled(intervals: dict[str, float], now: float = 100.0) -> Schedule:
    schedule = Schedule(jitter=lambda: 0.5)
    schedule.set(intervals, now)
    return schedule


def test_a_few_start_together_at_once_and_stay_on_the_grid() -> None:
    polls = run(scheduled({"a": 2.0, "b": 2.0, "c": 4.0}), 8.0)
    assert polls == [
        (0.0, "a"), (0.0, "b"), (0.0, "c"), (2.0, "a"), (2.0, "b"), (4.0, "a"), (4.0, "b"), (4.0, "c"),
        (6.0, "a"), (6.0, "b"), (8.0, "a"), (8.0, "b"), (8.0, "c"),
    ]  # fmt: skip


@pytest.mark.parametrize("count", [9, 50, 200, 500])
def test_many_are_spread_evenly_over_the_interval(count: int) -> None:
    polls = run(scheduled({f"e{i}": 2.0 for i in range(count)}), 19.99)
    per_moment = Counter(at for at, _ in polls)
    assert set(Counter(name for _, name in polls).values()) == {10}
    assert max(per_moment.values()) <= max(TOGETHER, -(-count // 20))
    assert len(per_moment) / 20.0 <= 10.0  # wake-ups a second


def test_one_that_is_added_later_starts_at_once_and_joins_the_others() -> None:
    schedule = scheduled({"a": 2.0})
    run(schedule, 2.0)
    schedule.set({"a": 2.0, "b": 2.0}, 103.3)
    polls = run(schedule, 10.0)
    assert [at for at, name in polls if name == "b"] == pytest.approx([3.3, 6.0, 8.0, 10.0])
    assert [at for at, name in polls if name == "a"] == [4.0, 6.0, 8.0, 10.0]


def test_lateness_does_not_accumulate() -> None:
    schedule = scheduled({"a": 2.0})
    for poll in range(50):
        at = schedule.next_at()
        assert at == 100.0 + 2.0 * poll
        schedule.due(at + 0.7)
        schedule.ended("a", at + 0.9, ok=True)


def test_a_long_sleep_is_not_caught_up() -> None:
    schedule = scheduled({"a": 2.0})
    assert schedule.due(100.0) == ["a"]
    schedule.ended("a", 100.1, ok=True)
    assert schedule.due(4000.5) == ["a"]
    assert schedule.missed == 0
    schedule.ended("a", 4000.6, ok=True)
    assert schedule.next_at() == 4002.0


def test_what_is_still_running_is_passed_over_and_counted() -> None:
    schedule = scheduled({"a": 2.0, "b": 2.0})
    assert schedule.due(100.0) == ["a", "b"]
    schedule.ended("b", 100.1, ok=True)
    assert schedule.due(102.0) == ["b"]
    assert schedule.missed == 1
    schedule.ended("a", 103.0, ok=True)
    schedule.ended("b", 103.0, ok=True)
    assert schedule.due(104.0) == ["a", "b"]


def test_what_fails_is_asked_less_and_less_often() -> None:
    polls = run(scheduled({"a": 2.0}), 70.0, ok=False)
    gaps = [round(later - earlier, 3) for (earlier, _), (later, _) in pairwise(polls)]
    assert gaps == [2.0, 4.0, 8.0, *[LONGEST_BACK_OFF_S] * (len(gaps) - 3)]


def test_back_off_has_jitter_and_ends_with_the_first_answer() -> None:
    ends = []
    for jitter in (0.0, 1.0):
        schedule = Schedule(jitter=lambda jitter=jitter: jitter)  # type: ignore[misc]
        schedule.set({"a": 2.0}, 100.0)
        ends.append([at for at, _ in run(schedule, 30.0, ok=False)])
    assert ends[0][:2] == ends[1][:2] == [0.0, 2.0]
    assert all(early < late for early, late in zip(ends[0][2:], ends[1][2:], strict=False))
    schedule = scheduled({"a": 2.0})
    run(schedule, 30.0, ok=False)
    at = schedule.next_at()
    assert at is not None
    schedule.due(at)
    schedule.ended("a", at, ok=True)
    following = schedule.next_at()
    assert following is not None
    assert 1.0 <= following - at <= 3.0


def test_a_slow_interval_is_never_asked_faster_for_failing() -> None:
    polls = run(scheduled({"a": 30.0}), 300.0, ok=False)
    assert [at for at, _ in polls] == [30.0 * i for i in range(11)]


def test_hurry_overrules_back_off_but_not_a_running_poll() -> None:
    schedule = scheduled({"a": 2.0, "b": 2.0})
    run(schedule, 30.0, ok=False)
    schedule.hurry(["a", "nobody"], 131.0)
    assert schedule.due(131.0) == ["a"]
    schedule.hurry(["a"], 131.5)
    assert schedule.due(131.5) == []
    assert schedule.missed == 0


def test_skipping_lets_polls_pass_on_the_grid() -> None:
    schedule = scheduled({"a": 2.0, "b": 3.0})
    schedule.skip(104.5)
    assert schedule.missed == 0
    assert run(schedule, 9.0) == [(6.0, "a"), (8.0, "a"), (9.0, "b")]


def test_a_new_interval_takes_effect_at_once() -> None:
    schedule = scheduled({"a": 60.0})
    run(schedule, 0.0)
    schedule.set({"a": 1.0}, 101.5)
    assert [at for at, _ in run(schedule, 5.0)] == pytest.approx([1.5, 3.0, 4.0, 5.0])


def test_what_is_taken_away_is_forgotten() -> None:
    schedule = scheduled({"a": 2.0, "b": 2.0})
    schedule.due(100.0)
    schedule.set({"b": 2.0}, 101.0)
    schedule.ended("a", 101.0, ok=True)
    schedule.set({}, 101.0)
    assert schedule.next_at() is None
    assert schedule.due(200.0) == []


events = st.lists(
    st.tuples(
        st.sampled_from(["due", "due", "ok", "failed", "hurry", "skip", "set"]),
        st.floats(0, 7),
        st.sampled_from("abc"),
        st.sampled_from([0.5, 1.0, 2.0, 60.0]),
    ),
    max_size=60,
)


@given(events)
def test_no_order_of_events_overlaps_or_forgets_a_poll(history: list[tuple[str, float, str, float]]) -> None:
    intervals = {"a": 2.0, "b": 2.0, "c": 0.5}
    schedule, running, now = Schedule(), set[str](), 100.0
    schedule.set(intervals, now)
    for event, gap, name, interval in history:
        now += gap
        match event:
            case "due":
                due = schedule.due(now)
                assert not running & set(due)
                running |= set(due)
                following = schedule.next_at()
                assert following is not None
                assert following > now
            case "ok" | "failed" if name in running:
                schedule.ended(name, now, ok=event == "ok")
                running.discard(name)
            case "hurry":
                schedule.hurry([name], now)
            case "skip":
                schedule.skip(now)
            case "set":
                intervals[name] = interval
                schedule.set(intervals, now)
    for name in running:
        schedule.ended(name, now, ok=True)
    later = now + 91.0  # a point of the grid is at most one and a half intervals away, after an interval changed
    assert set(schedule.due(later)) == {"a", "b", "c"}
