"""What a minute of polls gives: windows, shares, and what a machine that slept doesn't."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.fleet import State
from quarterdeck.model.health import remember, settled
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import NOTHING_KNOWN, Memory
from quarterdeck.model.reading import EngineReading, Facts, Histogram, Outcome, Reading

LIMITS = Limits()
BOUNDS = (0.01, 0.1, 1.0, math.inf)


def histogram(*observed: float) -> Histogram:
    return Histogram(BOUNDS, tuple(float(sum(value <= bound for value in observed)) for bound in BOUNDS))


def reading(at: float, *engines: EngineReading, wall: float | None = None) -> Reading:
    return Reading(at, Outcome.ANSWERED, facts=Facts("vllm", engines=engines), wall=wall)


def after(*readings: Reading) -> Memory:
    memory = NOTHING_KNOWN
    for one in readings:
        memory = remember(memory, one, LIMITS)
    return memory


def test_the_last_interval_and_the_last_minute_are_two_windows() -> None:
    memory = after(
        reading(100.0, EngineReading(ttft=histogram())),
        reading(102.0, EngineReading(ttft=histogram(0.05, 0.05, 0.05))),
        reading(104.0, EngineReading(ttft=histogram(0.05, 0.05, 0.05, 0.5))),
    )
    assert memory.latencies.last["ttft"].count == 1
    assert memory.latencies.minute["ttft"].count == 4


def test_a_missed_poll_ends_the_interval_but_not_the_minute() -> None:
    memory = after(
        reading(100.0, EngineReading(ttft=histogram())),
        Reading(102.0, Outcome.TIMEOUT, "no answer"),
        reading(104.0, EngineReading(ttft=histogram(0.5))),
    )
    assert memory.latencies.last == {}
    assert memory.latencies.minute["ttft"].count == 1


def test_nothing_is_claimed_over_the_sleep_of_a_laptop() -> None:
    """Linux' monotonic clock stands still while the machine sleeps; the servers' counters don't."""
    memory = after(
        reading(100.0, EngineReading(generation_tokens=0.0, ttft=histogram()), wall=1e9),
        reading(102.0, EngineReading(generation_tokens=5e6, ttft=histogram(0.5)), wall=1e9 + 28_800),
    )
    assert memory.total.generation_tps is None
    assert memory.latencies.last == memory.latencies.minute == {}
    later = remember(memory, reading(104.0, EngineReading(generation_tokens=5e6 + 20), wall=1e9 + 28_802), LIMITS)
    assert later.total.generation_tps == 10.0


@pytest.mark.parametrize("step", [60.0, 3600.0])
def test_a_pace_that_is_set_by_hand_is_no_pause(step: float) -> None:
    """`status --watch 60`: its first two samples are a second apart."""
    first = after(
        reading(100.0, EngineReading(generation_tokens=0.0)), reading(101.0, EngineReading(generation_tokens=5.0))
    )
    late = reading(101.0 + step, EngineReading(generation_tokens=5.0 + 30 * step))
    assert remember(first, late, LIMITS, awaited=True).total.generation_tps == pytest.approx(30.0)
    assert remember(first, late, LIMITS).total.generation_tps is None, "but where the console rested it is"


def test_a_histogram_that_comes_with_the_first_request_begins_its_window_there() -> None:
    readings = [reading(100.0 + 2 * n, EngineReading(itl=histogram())) for n in range(6)]
    readings += [reading(112.0, EngineReading(itl=histogram(), e2e=histogram(0.5)))]
    readings += [reading(114.0 + 2 * n, EngineReading(itl=histogram(), e2e=histogram(0.5, 0.5))) for n in range(5)]
    memory = after(*readings)
    assert memory.latencies.minute["e2e"].count == 1
    later = remember(memory, reading(124.0, EngineReading(itl=histogram(), e2e=histogram(0.5, 0.5, 0.05))), LIMITS)
    assert later.latencies.minute["e2e"].count == 2


def test_what_is_counted_for_all_engines_together_is_taken_from_there() -> None:
    def poll(at: float, requests: float, *observed: float) -> Reading:
        whole = EngineReading("all", requests=requests, ttft=histogram(*observed))
        facts = Facts("sglang", engines=(EngineReading("0", running=1), EngineReading("1", running=1)), whole=whole)
        return Reading(at, Outcome.ANSWERED, facts=facts)

    memory = after(poll(100.0, 10.0), poll(102.0, 14.0, 0.05, 0.5))
    assert memory.latencies.minute["ttft"].count == 2
    assert memory.total.finished_ps == (("all", 2.0),)


def test_shares_are_of_the_last_minute_or_what_the_server_reports() -> None:
    memory = after(
        reading(100.0, EngineReading(cache_queries=0.0, cache_hits=0.0, draft_tokens=0.0, accepted_tokens=0.0)),
        reading(102.0, EngineReading(cache_queries=100.0, cache_hits=60.0, draft_tokens=10.0, accepted_tokens=7.0)),
    )
    assert (memory.cache_hit_rate, memory.acceptance) == (0.6, 0.7)
    reported = after(
        reading(100.0, EngineReading("0", reported_hit_rate=0.2), EngineReading("1", reported_hit_rate=0.4))
    )
    assert reported.cache_hit_rate == pytest.approx(0.3)
    assert reported.acceptance is None


def test_an_odd_engine_is_told_after_a_while_and_forgotten_after_a_while() -> None:
    def poll(at: float, third: int) -> Reading:
        return reading(
            at, EngineReading("0", running=8), EngineReading("1", running=9), EngineReading("2", running=third)
        )

    memory = NOTHING_KNOWN
    for at in range(0, 10, 2):
        memory = remember(memory, poll(float(at), 40), LIMITS)
        assert memory.odd_engines == {}
    memory = remember(memory, poll(10.0, 40), LIMITS)
    assert memory.odd_engines == {("2", "running"): "40 running, the others 9"}
    memory = remember(memory, poll(12.0, 9), LIMITS)
    assert ("2", "running") in memory.odd_engines
    memory = remember(memory, poll(24.0, 9), LIMITS)
    assert memory.odd_engines == {}


@pytest.mark.parametrize("interval", [0.5, 1.0, 2.0])
def test_a_stall_shows_within_ten_seconds(interval: float) -> None:
    """It answers, requests wait, and its counters stand still."""
    memory, at = NOTHING_KNOWN, 1000.0
    frozen = EngineReading(running=2, waiting=5, generation_tokens=1e4, prompt_tokens=1e4)
    last_token = at
    memory = remember(
        memory, reading(at, EngineReading(running=2, waiting=5, generation_tokens=9e3, prompt_tokens=1e4)), LIMITS
    )
    while settled(memory, at, interval, LIMITS).state is not State.STALLED:
        at += interval
        memory = remember(memory, reading(at, frozen), LIMITS)
        assert at - last_token <= 10.0 + interval
    found = settled(memory, at, interval, LIMITS)
    assert found.since == last_token + interval
    assert found.evidence == ("engine 0: 2 running, 5 waiting; output tokens stand at 10000 since 8 s",)


def test_an_idle_server_is_never_stalled_in_a_thousand_hours() -> None:
    """Polled every 2 s, with now and then a request that comes and goes between two polls or is seen at one."""
    memory, tokens = NOTHING_KNOWN, 0.0
    states = set()
    for poll in range(1000 * 1800):
        if poll % 900 == 0:
            tokens += 100.0
        idle = EngineReading(running=1 if poll % 900 == 0 else 0, waiting=0, generation_tokens=tokens)
        if poll % 1800 > 4:
            # Nothing changes in between: what follows depends on the last minute only.
            continue
        memory = remember(memory, reading(poll * 2.0, idle), LIMITS)
        states.add(memory.state)
    assert states == {State.OK}


numbers = st.sampled_from([0.0, 1.0, 1e3, 1e17, math.nan, math.inf, -1.0]) | st.floats(0, 1e6)
wild_engines = st.builds(
    EngineReading,
    label=st.sampled_from(["0", "1"]),
    running=st.none() | st.integers(0, 5),
    generation_tokens=st.none() | numbers,
    unfinished_tokens=st.none() | numbers,
    prompt_tokens=st.none() | numbers,
    cached_tokens=st.none() | numbers,
    cached_apart=st.booleans(),
    finished=st.lists(st.tuples(st.sampled_from(["stop", "abort"]), numbers), max_size=2).map(tuple),
    requests=st.none() | numbers,
    preemptions=st.none() | numbers,
    cache_queries=st.none() | numbers,
    cache_hits=st.none() | numbers,
    draft_tokens=st.none() | numbers,
    accepted_tokens=st.none() | numbers,
    started=st.none() | numbers,
    ttft=st.none() | st.lists(numbers, min_size=4, max_size=4).map(lambda counts: Histogram(BOUNDS, tuple(counts))),
)


@given(
    st.lists(
        st.tuples(
            st.floats(-100, 100) | st.just(2.0),
            st.floats(-1e5, 1e5) | st.just(2.0),
            st.lists(wild_engines, max_size=2),
            st.sampled_from([Outcome.ANSWERED, Outcome.ANSWERED, Outcome.TIMEOUT, Outcome.REFUSED]),
        ),
        max_size=12,
    )
)
def test_no_interleaving_of_resets_gaps_clock_jumps_and_nan_gives_an_absurd_number(
    polls: list[tuple[float, float, list[EngineReading], Outcome]],
) -> None:
    memory, at, wall = NOTHING_KNOWN, 1000.0, 1e9
    for gap, wall_gap, engines, outcome in polls:
        at, wall = at + gap, wall + wall_gap
        facts = Facts("vllm", engines=tuple(engines)) if outcome is Outcome.ANSWERED else None
        memory = remember(memory, Reading(at, outcome, outcome.value, facts=facts, wall=wall), LIMITS)
        total = memory.total
        rates = [total.generation_tps, total.prompt_tps, total.cached_tps, total.preemptions_ps]
        rates += [value for _, value in total.finished_ps or ()]
        shares = [memory.cache_hit_rate, memory.acceptance]
        latencies = [memory.latencies.quantile("ttft", q) for q in (0.5, 0.95, 0.99)]
        assert all(value is None or 0 <= value < 1e9 for value in (*rates, *latencies))
        assert all(value is None or 0 <= value <= 1 for value in shares)


def test_models_of_one_server_are_not_replicas() -> None:
    engines = (EngineReading("qwen", running=20), EngineReading("gemma", running=0), EngineReading("phi", running=0))
    memory = NOTHING_KNOWN
    for at in range(0, 40, 2):
        facts = Facts("ollama", engines=engines, by_model=True)
        memory = remember(memory, Reading(float(at), Outcome.ANSWERED, facts=facts), LIMITS)
    assert memory.odd_engines == {}


@pytest.mark.parametrize(("gap", "rates"), [(4.0, 25.0), (3600.0, None)])
def test_a_mean_over_a_pause_is_no_rate_of_now(gap: float, rates: float | None) -> None:
    memory, at, tokens = NOTHING_KNOWN, 1000.0, 0.0
    shown = []
    for step in (2.0, 2.0, gap, 2.0):
        at, tokens = at + step, tokens + 25.0 * step
        engine = EngineReading(running=1, waiting=0, generation_tokens=tokens)
        reading = Reading(at, Outcome.ANSWERED, facts=Facts("vllm", engines=(engine,)), wall=1e9 + at)
        memory = remember(memory, reading, Limits())
        shown.append(memory.total.generation_tps)
    assert shown == [None, 25.0, rates, 25.0]


def test_a_slow_poll_still_has_rates() -> None:
    memory, shown = NOTHING_KNOWN, []
    for n in range(3):
        engine = EngineReading(running=1, waiting=0, generation_tokens=600.0 * n)
        facts = Facts("vllm", engines=(engine,))
        memory = remember(memory, Reading(1000.0 + 600 * n, Outcome.ANSWERED, facts=facts), Limits())
        shown.append(memory.total.generation_tps)
    assert shown == [None, 1.0, 1.0]
