"""Rates and percentiles: unknown rather than wrong, whatever happens between two samples."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.health import NOTHING_KNOWN, Memory, remember
from quarterdeck.model.limits import Limits
from quarterdeck.model.rates import (
    EngineRates,
    Sample,
    engine_rates,
    merged,
    progress_mark,
    quantile,
    restarted,
    total,
)
from quarterdeck.model.reading import EngineReading, Facts, Histogram, Outcome, Reading


def engine(tokens: float | None, *, label: str = "0", **others: float | None) -> EngineReading:
    return EngineReading(label, generation_tokens=tokens, **others)  # type: ignore[arg-type]


def rate(old: EngineReading, new: EngineReading, seconds: float = 2.0) -> EngineRates:
    return engine_rates(Sample(100.0, (old,)), Sample(100.0 + seconds, (new,)))[new.label]


def test_a_rate_is_a_difference_over_time() -> None:
    assert rate(engine(100, prompt_tokens=10), engine(300, prompt_tokens=20)) == EngineRates(100.0, 5.0)


def test_tokens_of_running_requests_belong_to_the_rate() -> None:
    old = engine(1000, unfinished_tokens=0.0, prompt_tokens=5, unfinished_prompt_tokens=0.0)
    mid = engine(1000, unfinished_tokens=80.0, prompt_tokens=5, unfinished_prompt_tokens=40.0)
    new = engine(1100, unfinished_tokens=10.0, prompt_tokens=55, unfinished_prompt_tokens=0.0)
    assert rate(old, mid) == EngineRates(40.0, 20.0)
    assert rate(mid, new) == EngineRates(15.0, 5.0)


@pytest.mark.parametrize(
    ("old", "new", "seconds"),
    [
        (engine(100), engine(50), 2.0),
        (engine(None), engine(50), 2.0),
        (engine(100), engine(None), 2.0),
        (engine(100), engine(200), 0.0),
        (engine(100), engine(200), 0.01),
        (engine(100), engine(200), -5.0),
        (engine(100, label="0"), engine(200, label="1"), 2.0),
        (engine(100, started=1000.0), engine(5000, started=2000.0), 2.0),
        (engine(100, started=2000.0), engine(5000, started=1000.0), 2.0),
        (engine(100, unfinished_tokens=50.0), engine(100), 2.0),
        (engine(100), engine(100, unfinished_tokens=50.0), 2.0),
        (engine(100, unfinished_tokens=50.0), engine(100, unfinished_tokens=0.0), 2.0),
    ],
    ids=["reset", "first", "gone", "same moment", "too close", "clock back", "other engine", "new start", "older start",
         "less known", "more known", "request aborted"],
)  # fmt: skip
def test_what_cannot_be_known_is_unknown(old: EngineReading, new: EngineReading, seconds: float) -> None:
    assert rate(old, new, seconds).generation_tps is None


def test_the_first_sample_has_no_rate() -> None:
    assert engine_rates(None, Sample(0.0, (engine(5),))) == {"0": EngineRates()}


def test_a_rate_that_the_server_reports_is_taken_where_there_is_no_counter() -> None:
    sample = Sample(
        0.0, (EngineReading("0", reported_tps=12.5), EngineReading("1", reported_tps=3.0, generation_tokens=4))
    )
    rates = engine_rates(None, sample)
    assert rates == {"0": EngineRates(12.5), "1": EngineRates()}


@pytest.mark.parametrize(
    ("old", "new", "again"),
    [
        (engine(100), engine(100), False),
        (engine(100), engine(99), True),
        (engine(100, prompt_tokens=9), engine(100, prompt_tokens=8), True),
        (engine(100, started=1000.0), engine(200, started=1000.4), False),
        (engine(100, started=1000.0), engine(200, started=1002.0), True),
        (engine(100, started=1000.0), engine(200, started=900.0), True),
        (engine(100, started=1000.0), engine(50, started=1000.0), False),  # llama.cpp after an idle sleep
        (engine(100, started=1000.0), engine(50), True),
        (engine(None), engine(50), False),
        (engine(100, unfinished_tokens=50.0), engine(100, unfinished_tokens=0.0), False),
        (engine(100, label="a"), engine(5, label="b"), False),
    ],
)
def test_a_restart_is_known(old: EngineReading, new: EngineReading, again: bool) -> None:
    assert restarted(Sample(0.0, (old,)), Sample(2.0, (new,))) is again


def test_one_restarted_engine_of_many_is_enough() -> None:
    old = Sample(0.0, (engine(100, label="0"), engine(100, label="1")))
    assert restarted(old, Sample(2.0, (engine(200, label="0"), engine(3, label="1"))))


@dataclass(frozen=True)
class Step:
    """What happens between two polls, and how the second ends."""

    seconds: float
    tokens_per_s: float
    restart: bool
    outcome: str


steps = st.builds(
    Step,
    st.floats(-50, 50) | st.sampled_from([0.0, 1e-9, 2.0, 2.0, 2.0]),
    st.floats(0, 5000),
    st.booleans(),
    st.sampled_from(["answer", "answer", "answer", "timeout", "refused", "no counter", "auth"]),
)


@given(st.lists(steps, max_size=25), st.booleans())
def test_no_interleaving_gives_an_absurd_rate(history: list[Step], tells_start: bool) -> None:
    memory: Memory = NOTHING_KNOWN
    at, tokens, started = 1000.0, 0.0, 500.0
    for step in history:
        at += step.seconds
        if step.restart:
            tokens, started = 0.0, started + 100.0
        tokens += step.tokens_per_s * max(step.seconds, 0.0)
        counted = EngineReading(
            running=1,
            generation_tokens=None if step.outcome == "no counter" else tokens,
            prompt_tokens=tokens / 2,
            started=started if tells_start else None,
        )
        facts = Facts("vllm", engines=(counted,))
        memory = remember(memory, reading_of(step.outcome, at, facts), Limits())
        for found in (memory.generation_tps, memory.prompt_tps, *memory.tps_history):
            # A step back of the clock makes the time since the last good poll look shorter than it was: nothing is claimed then.
            assert found is None or (found >= 0 and math.isfinite(found))
        if memory.generation_tps is not None and all(past.seconds >= 0 for past in history):
            assert memory.generation_tps <= 5000 * 1.001


def reading_of(outcome: str, at: float, facts: Facts) -> Reading:
    match outcome:
        case "timeout":
            return Reading(at, Outcome.TIMEOUT, "no answer in 2 s")
        case "refused":
            return Reading(at, Outcome.REFUSED, "connection refused")
        case "auth":
            return Reading(at, Outcome.AUTH, "401", facts=facts)
        case _:
            return Reading(at, Outcome.ANSWERED, facts=facts)


def test_totals() -> None:
    assert total([1.0, 2.5]) == 3.5
    assert total([1.0, None]) is None
    assert total([]) is None


def test_marks_move_with_everything_that_shows_work() -> None:
    still = engine(5, prompt_tokens=5, steps=5)
    moved = [
        engine(6, prompt_tokens=5, steps=5),
        engine(5, prompt_tokens=6, steps=5),
        engine(5, prompt_tokens=5, steps=6),
    ]
    assert all(progress_mark(still) != progress_mark(other) for other in moved)
    assert progress_mark(still) == progress_mark(engine(5, prompt_tokens=5, steps=5, kv_used=0.5))
    assert progress_mark(EngineReading(running=5, steps=3)) is None


INF = math.inf


def histogram_of(bounds: list[float], observed: list[float]) -> Histogram:
    ordered = sorted(observed)
    upper = (*bounds, INF)
    return Histogram(upper, tuple(float(bisect.bisect_right(ordered, bound)) for bound in upper))


def prometheus_quantile(q: float, buckets: list[tuple[float, float]]) -> float | None:
    """`histogram_quantile`, as its documentation and its Go source (bucketQuantile) say it, for 0 < q < 1."""
    observations = buckets[-1][1]
    if observations == 0:
        return None
    rank = q * observations
    at = (
        next(i for i in range(len(buckets) - 1) if buckets[i][1] >= rank)
        if any(count >= rank for _, count in buckets[:-1])
        else len(buckets) - 1
    )
    if at == len(buckets) - 1:
        return buckets[-2][0]
    if at == 0 and buckets[0][0] <= 0:
        return buckets[0][0]
    start, end, count = 0.0, buckets[at][0], buckets[at][1]
    if at > 0:
        start = buckets[at - 1][0]
        count -= buckets[at - 1][1]
        rank -= buckets[at - 1][1]
    return start + (end - start) * (rank / count)


bounds_lists = st.lists(st.floats(0.001, 1000), min_size=1, max_size=12, unique=True).map(sorted)
observations = st.lists(st.floats(0.0005, 2000), max_size=40)


@given(bounds_lists, observations, observations, st.sampled_from([0.01, 0.5, 0.9, 0.95, 0.99]))
def test_quantiles_are_those_of_prometheus(
    bounds: list[float], before: list[float], since: list[float], q: float
) -> None:
    old, new = histogram_of(bounds, before), histogram_of(bounds, before + since)
    delta = [(bound, b - a) for bound, a, b in zip(new.bounds, old.counts, new.counts, strict=True)]
    expected = prometheus_quantile(q, delta)
    found = quantile(q, old, new)
    assert found == (None if expected is None else pytest.approx(expected))
    if found is not None and since:
        exact = sorted(since)[math.ceil(q * len(since)) - 1]
        at = bisect.bisect_left(bounds, exact)
        low = bounds[at - 1] if at else 0.0
        high = bounds[at] if at < len(bounds) else bounds[-1]
        assert min(low, high) - 1e-9 <= found <= high + 1e-9  # in the bucket of the true one


A = Histogram((0.1, 1.0, INF), (1.0, 2.0, 3.0))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, A),
        (A, None),
        (A, A),
        (Histogram((0.1, 1.0, INF), (5.0, 9.0, 9.0)), A),
        (Histogram((0.1, 1.0, INF), (1.0, 2.0, 1.0)), Histogram((0.1, 1.0, INF), (0.0, 1.0, 9.0))),
        (Histogram((0.1, INF), (0.0, 0.0)), A),
        (Histogram((INF,), (0.0,)), Histogram((INF,), (5.0,))),
    ],
    ids=["no begin", "no end", "nothing observed", "reset", "some fell", "other buckets", "no finite bound"],
)
def test_percentiles_that_cannot_be_told(old: Histogram | None, new: Histogram | None) -> None:
    assert quantile(0.95, old, new) is None


@given(
    st.lists(st.floats(0, 1e17), min_size=4, max_size=4),
    st.lists(st.floats(0, 1e17), min_size=4, max_size=4),
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3, unique=True),
)
def test_nonsense_histograms_give_a_number_or_nothing(old: list[float], new: list[float], bounds: list[float]) -> None:
    upper = (*sorted(bounds), INF)
    found = quantile(0.95, Histogram(upper, tuple(old)), Histogram(upper, tuple(new)))
    assert found is None or math.isfinite(found)


def test_histograms_of_several_engines_add_up() -> None:
    assert merged([A, A]) == Histogram(A.bounds, (2.0, 4.0, 6.0))
    assert merged([A]) is A
    assert merged([A, None]) is None
    assert merged([A, Histogram((0.5, INF), (1.0, 1.0))]) is None
    assert merged([]) is None
