"""Every state, reached by readings: the right reason, the right since-when, and no flapping."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.fleet import State
from quarterdeck.model.health import remember, settled
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import HISTORY, NOTHING_KNOWN, Memory
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts, Histogram, Outcome, Reading

LIMITS = Limits()
INTERVAL = 2.0


def answer(at: float, tokens: float | None = 0.0, *, running: int = 0, waiting: int = 0, **engine: object) -> Reading:
    one = EngineReading(running=running, waiting=waiting, generation_tokens=tokens, **engine)  # type: ignore[arg-type]
    return Reading(at, Outcome.ANSWERED, latency_s=0.01, facts=Facts("vllm", engines=(one,)))


def idle(at: float) -> Reading:
    return answer(at, 100.0)


def failed(at: float, outcome: Outcome = Outcome.REFUSED, reason: str = "connection refused") -> Reading:
    return Reading(at, outcome, reason)


def silent(at: float) -> Reading:
    return failed(at, Outcome.TIMEOUT, "no answer in 2 s")


def after(readings: Iterable[Reading], limits: Limits = LIMITS) -> Memory:
    memory = NOTHING_KNOWN
    for reading in readings:
        memory = remember(memory, reading, limits)
    return memory


def concluded(*readings: Reading, now: float | None = None) -> tuple[State | None, str, float | None]:
    """What the screen would show at ``now``, or right after the last reading."""
    return settled(after(readings), readings[-1].at if now is None else now, INTERVAL, LIMITS)[:3]


ASLEEP = Reading(
    10.0,
    Outcome.ANSWERED,
    facts=Facts("vllm", sleeping=True, origins={"sleeping": "/metrics vllm:engine_sleep_state"}),
)
PARTLY = Reading(
    10.0, Outcome.AUTH, "401: key missing or wrong", facts=Facts("vllm", engines=(EngineReading(running=1),))
)
LOADING = failed(10.0, Outcome.LOADING, "loading the model")
THROTTLED = failed(10.0, Outcome.BUSY, "429: too many requests")
REFUSED_KEY = failed(10.0, Outcome.AUTH, "401: key missing or wrong")


def routed(at: float, *states: ModelState) -> Reading:
    models = tuple(ModelReading(f"m{i}", state) for i, state in enumerate(states))
    return Reading(at, Outcome.ANSWERED, facts=Facts("llamacpp", models=models))


TABLE: dict[str, tuple[list[Reading], tuple[State, str, float]]] = {
    "idle": ([idle(10.0)], (State.OK, "", 10.0)),
    "idle for long": ([idle(float(at)) for at in range(10, 100, 2)], (State.OK, "", 10.0)),
    "working": ([answer(10, 5, running=2), answer(12, 9, running=2)], (State.OK, "", 10.0)),
    "a queue": ([idle(10.0), answer(12.0, 120, running=2, waiting=10)], (State.BUSY, "10 waiting", 12.0)),
    "a queue for long": (
        [answer(10.0 + 2 * i, 100.0 * i, running=2, waiting=i + 1) for i in range(9)],
        (State.BUSY, "9 waiting", 10.0),
    ),
    "a full cache": ([answer(10.0, 1, running=2, kv_used=0.93)], (State.BUSY, "KV cache 93% full", 10.0)),
    "a server that is loading": ([LOADING], (State.LOADING, "loading the model", 10.0)),
    "a router that is loading": (
        [routed(10.0, ModelState.LOADING, ModelState.INSTALLED)],
        (State.LOADING, "loading m0", 10.0),
    ),
    "a router that loads a second": ([routed(10.0, ModelState.LOADING, ModelState.LOADED)], (State.OK, "", 10.0)),
    "asleep": ([ASLEEP], (State.SLEEPING, "its model is asleep", 10.0)),
    "no key": ([REFUSED_KEY], (State.AUTH, "401: key missing or wrong", 10.0)),
    "no key, but numbers": ([PARTLY], (State.AUTH, "401: key missing or wrong", 10.0)),
    "nobody there": ([failed(10.0), failed(12.0)], (State.DOWN, "connection refused", 10.0)),
    "gone": ([idle(8.0), failed(10.0)], (State.DOWN, "connection refused", 10.0)),
    "never answered": ([silent(10.0), silent(14.0)], (State.DOWN, "no answer in 2 s", 10.0)),
    "somebody else": (
        [idle(8.0), failed(10.0, Outcome.FOREIGN, "answers, but not as vLLM")],
        (State.DOWN, "answers, but not as vLLM", 10.0),
    ),
    "broken": ([failed(10.0, Outcome.FAILED, "500: boom")], (State.DOWN, "500: boom", 10.0)),
    "one missed answer": ([idle(8.0), silent(12.0)], (State.OK, "", 8.0)),
    "stalled": (
        [answer(10.0 + 2 * i, 500.0, running=2, waiting=10) for i in range(5)],
        (State.STALLED, "no token for 8 s; 2 running, 10 waiting", 10.0),
    ),
    "restarted, told by the counter": (
        [idle(8.0), answer(10.0, 3.0)],
        (State.RESTARTED, "its counters began again", 10.0),
    ),
    "restarted after an outage": (
        [answer(4.0, 900.0, started=1.0), failed(6.0), failed(8.0), answer(10.0, 901.0, started=5e8)],
        (State.RESTARTED, "its counters began again", 10.0),
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_states(case: str) -> None:
    readings, expected = TABLE[case]
    assert concluded(*readings) == expected


@pytest.mark.parametrize(
    ("case", "evidence"),
    [
        ("a server that is loading", "1 poll in a row answered so"),
        ("no key", "1 poll in a row answered so"),
        ("asleep", "/metrics vllm:engine_sleep_state says so"),
        ("nobody there", "2 failed polls in a row"),
        ("a queue", "2 running, 10 waiting (busy from 1 on)"),
        ("a full cache", "2 running, 0 waiting (busy from 1 on)"),
        ("stalled", "engine 0: 2 running, 10 waiting; output tokens stand at 500 since 8 s"),
        ("restarted, told by the counter", "generation tokens fell from 100 to 3"),
    ],
)
def test_every_state_but_ok_has_its_evidence(case: str, evidence: str) -> None:
    assert after(TABLE[case][0]).evidence[0] == evidence


def test_the_table_and_the_tests_below_reach_every_state() -> None:
    reached = {expected[0] for _, expected in TABLE.values()}
    assert reached | {State.STALE} == set(State)


def test_nothing_is_known_before_the_first_poll() -> None:
    assert settled(NOTHING_KNOWN, 1e6, INTERVAL, LIMITS)[:3] == (None, "", None)


def test_silence_makes_an_endpoint_stale_and_then_down() -> None:
    memory = after([idle(100.0), silent(104.0), silent(108.0)])
    assert settled(memory, 106.0, INTERVAL, LIMITS)[:3] == (State.OK, "", 100.0)
    assert settled(memory, 106.1, INTERVAL, LIMITS)[:3] == (State.STALE, "no answer in 2 s", 100.0)
    assert settled(memory, 160.0, INTERVAL, LIMITS)[0] is State.STALE
    assert settled(memory, 160.1, INTERVAL, LIMITS)[:3] == (State.DOWN, "no answer in 2 s", 100.0)


def test_what_was_not_asked_is_stale_but_never_down() -> None:
    memory = after([idle(100.0)])
    assert settled(memory, 106.1, INTERVAL, LIMITS)[:3] == (State.STALE, "not polled", 100.0)
    assert settled(memory, 1e6, INTERVAL, LIMITS)[:3] == (State.STALE, "not polled", 100.0)


@pytest.mark.parametrize("refusal", [LOADING, REFUSED_KEY, THROTTLED])
def test_what_is_asked_seldom_because_it_refuses_is_not_stale(refusal: Reading) -> None:
    memory = after([idle(8.0), refusal])
    assert settled(memory, 10.0 + 12.0, INTERVAL, LIMITS)[:3] == (refusal_state(refusal), refusal.reason, 10.0)


def refusal_state(refusal: Reading) -> State:
    return {Outcome.LOADING: State.LOADING, Outcome.AUTH: State.AUTH, Outcome.BUSY: State.BUSY}[refusal.outcome]


@pytest.mark.parametrize("first", [LOADING, REFUSED_KEY, PARTLY, ASLEEP])
def test_any_state_of_an_endpoint_that_falls_silent_becomes_stale(first: Reading) -> None:
    memory = after([idle(8.0), first, silent(12.0), silent(16.0)])
    assert settled(memory, 15.0, INTERVAL, LIMITS)[0] is after([first]).state
    assert settled(memory, 16.5, INTERVAL, LIMITS)[:3] == (State.STALE, "no answer in 2 s", 10.0)
    assert settled(memory, 70.5, INTERVAL, LIMITS)[:3] == (State.DOWN, "no answer in 2 s", 10.0)


def test_an_endpoint_that_keeps_wanting_a_key_answers() -> None:
    memory = after([idle(8.0), *(failed(10.0 + 10 * i, Outcome.AUTH, "401") for i in range(20))])
    assert settled(memory, 201.0, INTERVAL, LIMITS)[:3] == (State.AUTH, "401", 10.0)


def test_a_slow_endpoint_is_given_its_own_interval() -> None:
    memory = after([idle(100.0)])
    assert settled(memory, 180.0, 30.0, LIMITS)[0] is State.OK
    assert settled(memory, 190.1, 30.0, LIMITS)[0] is State.STALE
    assert settled(memory, 101.4, 0.5, LIMITS)[0] is State.OK


def test_after_silence_a_state_begins_anew() -> None:
    memory = after([idle(100.0), silent(104.0), idle(106.0)])
    assert (memory.state, memory.since) == (State.OK, 100.0)
    memory = after([idle(100.0), *(silent(100.0 + 4 * i) for i in range(1, 6)), idle(130.0)])
    assert (memory.state, memory.reason, memory.since, memory.trouble) == (State.OK, "", 130.0, "")


def test_an_outage_ends() -> None:
    assert concluded(idle(8.0), failed(10.0), failed(12.0), idle(14.0)) == (State.OK, "", 14.0)
    assert concluded(failed(10.0), silent(12.0)) == (State.DOWN, "no answer in 2 s", 10.0)


def test_a_frozen_server_is_stalled_within_ten_seconds_of_its_last_token() -> None:
    tokens, memory = 0.0, NOTHING_KNOWN
    seen: float | None = None
    for i in range(40):
        at = 100.0 + 2.0 * i
        tokens += 50.0 if at <= 120.0 else 0.0
        memory = remember(memory, answer(at, tokens, running=2, waiting=3), LIMITS)
        if memory.state is State.STALLED and seen is None:
            seen = at
    assert seen is not None
    assert seen - 120.0 <= 10.0
    assert memory.since == 120.0
    assert memory.reason == "no token for 58 s; 2 running, 3 waiting"


def test_a_stall_ends_with_tokens_at_two_polls_or_with_the_work() -> None:
    stalled = [answer(100.0 + 2 * i, 5.0, running=1) for i in range(6)]
    assert concluded(*stalled)[:2] == (State.STALLED, "no token for 10 s; 1 running")
    token = answer(112.0, 6.0, running=1)
    assert concluded(*stalled, token) == (State.STALLED, "a token came; the next poll decides", 100.0)
    assert concluded(*stalled, token, answer(114.0, 7.0, running=1))[0] is State.OK
    assert concluded(*stalled, answer(112.0, 5.0))[0] is State.OK


def test_one_engine_of_many_can_stall() -> None:
    def poll(at: float, stuck: tuple[int, ...]) -> Reading:
        engines = tuple(
            EngineReading(str(i), running=2, waiting=1, generation_tokens=5.0 if i in stuck else at) for i in range(8)
        )
        return Reading(at, Outcome.ANSWERED, facts=Facts("vllm", engines=engines))

    def stalled(*stuck: int) -> tuple[State | None, str, float | None]:
        return concluded(*(poll(100.0 + 2 * i, stuck) for i in range(6)))

    assert stalled(3) == (State.STALLED, "engine 3: no token for 10 s; 2 running, 1 waiting", 100.0)
    assert stalled(1, 2, 4, 5)[1] == "engines 1, 2, 4 …: no token for 10 s; 8 running, 4 waiting"
    assert stalled(*range(8))[1] == "no token for 10 s; 16 running, 8 waiting"
    assert stalled()[0] is State.BUSY


def test_work_that_comes_to_an_idle_server_is_given_its_time() -> None:
    idle_for_long = [answer(100.0 + 2 * i, 5.0) for i in range(60)]
    assert concluded(*idle_for_long, answer(222.0, 5.0, running=1))[0] is State.OK
    assert concluded(*idle_for_long, answer(222.0, 5.0, running=1), answer(228.0, 5.0, running=1))[0] is State.OK


def test_reading_a_long_prompt_is_no_stall() -> None:
    readings = [answer(100.0 + 2 * i, 5.0, running=1, steps=float(i)) for i in range(60)]
    assert concluded(*readings)[0] is State.OK


@given(st.lists(st.tuples(st.floats(0.1, 500), st.booleans()), max_size=40))
def test_a_server_with_nothing_to_do_is_never_stalled(polls: list[tuple[float, bool]]) -> None:
    memory, at = NOTHING_KNOWN, 0.0
    for gap, lost in polls:
        at += gap
        memory = remember(memory, silent(at) if lost else answer(at, 7.0), LIMITS)
        assert memory.state is not State.STALLED


def test_a_server_without_counters_is_never_stalled() -> None:
    assert concluded(*(answer(10.0 + 2 * i, None, running=1, waiting=2) for i in range(60)))[0] is State.BUSY


def test_restarted_is_shown_for_a_minute_and_dated_anew_by_the_next_restart() -> None:
    readings = [answer(10.0, 100.0), answer(12.0, 1.0)]
    for i in range(1, 29):
        readings.append(answer(12.0 + 2 * i, 1.0 + i))
    assert concluded(*readings) == (State.RESTARTED, "its counters began again", 12.0)
    assert concluded(*readings, answer(72.0, 99.0)) == (State.OK, "", 72.0)
    assert concluded(*readings, answer(70.0, 1.0)) == (State.RESTARTED, "its counters began again", 70.0)


def test_a_restart_has_no_negative_rate() -> None:
    memory = after([answer(10.0, 1000.0), answer(12.0, 1100.0), answer(14.0, 3.0), answer(16.0, 23.0)])
    assert memory.tps_history == (None, 50.0, None, 10.0)


def test_a_rate_over_an_outage_would_be_an_average_of_nothing() -> None:
    memory = after([answer(10.0, 100.0), silent(14.0), failed(16.0), answer(18.0, 900.0), answer(20.0, 910.0)])
    assert memory.tps_history == (None, None, None, None, 5.0)


def test_busy_does_not_flap() -> None:
    memory, seen = NOTHING_KNOWN, []
    for i in range(40):
        waiting = 0 if i % 4 else 1
        memory = remember(memory, answer(10.0 + 2 * i, 10.0 * i, running=2, waiting=waiting), LIMITS)
        seen.append(memory.state)
    assert seen == [State.BUSY] * 40


def test_busy_by_cache_is_left_below_where_it_began() -> None:
    levels = [0.89, 0.90, 0.88, 0.89, 0.86, 0.90, 0.84, 0.84, 0.84, 0.84, 0.84, 0.89]
    memory, seen = NOTHING_KNOWN, []
    for i, level in enumerate(levels):
        memory = remember(memory, answer(10.0 + 2 * i, 10.0 * i, running=2, kv_used=level), LIMITS)
        seen.append("B" if memory.state is State.BUSY else "o")
    assert "".join(seen) == "oBBBBBBBBBoo"


def test_limits_are_those_of_the_fleet() -> None:
    limits = Limits(busy_waiting=5, stalled_after=4.0, restarted_for=1.0)
    assert after([answer(10.0, 1, running=1, waiting=4)], limits).state is State.OK
    assert after([answer(10.0, 1, running=1, waiting=5)], limits).state is State.BUSY
    assert after([answer(10.0 + 2 * i, 1, running=1) for i in range(3)], limits).state is State.STALLED
    assert after([answer(10.0, 5), answer(12.0, 1), answer(14.0, 1)], limits).state is State.OK


def observed(count: float) -> Histogram:
    return Histogram((0.1, 1.0, float("inf")), (0.0, count, count))


def test_percentiles_cover_the_last_minute() -> None:
    memory = after([answer(10.0, 1, ttft=observed(0)), answer(12.0, 2, ttft=observed(100))])
    assert memory.latencies.quantile("ttft", 0.95) == pytest.approx(0.955)
    quiet = [answer(12.0 + 2 * i, 3, ttft=observed(100)) for i in range(1, 60)]
    after_it = after([answer(10.0, 1, ttft=observed(0)), answer(12.0, 2, ttft=observed(100)), *quiet])
    assert after_it.latencies.quantile("ttft", 0.95) is None
    assert len(after(quiet).marks) <= 7


def test_percentiles_forget_what_was_before_a_restart() -> None:
    memory = after(
        [answer(10.0, 50, ttft=observed(10)), answer(12.0, 1, ttft=observed(500)), answer(14.0, 2, ttft=observed(500))]
    )
    assert memory.latencies.quantile("ttft", 0.95) is None


def test_history_is_bounded_and_has_gaps() -> None:
    memory = after([answer(10.0 + 2 * i, 100.0 * i) if i % 10 else failed(10.0 + 2 * i) for i in range(HISTORY * 2)])
    assert len(memory.tps_history) == HISTORY
    assert None in memory.tps_history
    assert 50.0 in memory.tps_history


def test_numbers_of_the_last_good_poll_are_kept() -> None:
    good = answer(10.0, 5, running=3)
    assert after([good, silent(14.0), failed(16.0), failed(18.0, Outcome.AUTH, "401")]).good is good


outcomes = st.sampled_from([*Outcome])


@given(
    st.lists(st.tuples(outcomes, st.floats(-10, 100), st.integers(0, 3), st.floats(0, 1e6), st.booleans()), max_size=30)
)
def test_any_history_has_a_state_a_reason_and_a_since_when(
    history: list[tuple[Outcome, float, int, float, bool]],
) -> None:
    memory, at = NOTHING_KNOWN, 1000.0
    for outcome, gap, work, tokens, partly in history:
        at += gap
        reading = answer(at, tokens, running=work, waiting=work)
        if outcome is not Outcome.ANSWERED:
            facts = reading.facts if outcome is Outcome.AUTH and partly else None
            reading = Reading(at, outcome, outcome.value, facts=facts)
        memory = remember(memory, reading, LIMITS)
        for later in (0.0, 5.0, 7.0, 100.0):
            state, reason, since, _ = settled(memory, at + later, INTERVAL, LIMITS)
            assert state is not None
            assert since is not None
            assert (reason == "") == (state is State.OK)
            if gap >= 0 and all(past[1] >= 0 for past in history):
                assert since <= at


def test_the_silence_of_a_pause_is_ours() -> None:
    memory = after([idle(100.0)])
    assert settled(memory, 400.0, INTERVAL, LIMITS, awake_since=399.0)[:3] == (State.OK, "", 100.0)
    missed = after([idle(100.0), silent(402.0)])
    assert settled(missed, 402.0, INTERVAL, LIMITS, awake_since=399.0)[0] is State.OK
    assert settled(missed, 406.0, INTERVAL, LIMITS, awake_since=399.0)[0] is State.STALE


def test_what_is_asked_seldom_is_not_stale_by_one_missed_deadline() -> None:
    memory = after([idle(80.0), *(failed(at, Outcome.AUTH, "401: key missing or wrong") for at in (82.0, 84.0, 88.0))])
    once = remember(memory, silent(98.0), LIMITS)
    assert settled(once, 100.0, INTERVAL, LIMITS)[0] is State.AUTH
    twice = remember(once, silent(108.0), LIMITS)
    assert settled(twice, 108.0, INTERVAL, LIMITS)[0] is State.STALE


def test_what_was_silent_before_it_refused_is_down_since_its_last_answer() -> None:
    memory = after([idle(100.0), *(silent(100.0 + 10 * i) for i in range(1, 8)), failed(180.0)])
    assert (memory.state, memory.since) == (State.DOWN, 100.0)


def test_an_engine_that_makes_a_token_now_and_then_stays_stalled() -> None:
    memory, seen = NOTHING_KNOWN, []
    for i in range(60):
        memory = remember(memory, answer(100.0 + 2 * i, float(i // 5), running=1), LIMITS)  # one in 10 s
        seen.append(memory.state)
    first = seen.index(State.STALLED)
    assert set(seen[first:]) == {State.STALLED}


def test_what_is_polled_once_a_minute_has_percentiles_of_its_last_interval() -> None:
    memory = after([answer(100.0, 1, ttft=observed(0)), answer(190.0, 2, ttft=observed(100))])
    assert memory.latencies.minute["ttft"].count == 100
