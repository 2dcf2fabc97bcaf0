"""Rates and percentiles: unknown rather than wrong, whatever happens between two samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.health import remember
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import NOTHING_KNOWN, Memory
from quarterdeck.model.rates import (
    EngineRates,
    Sample,
    engine_rates,
    progress_mark,
    restarted,
    share,
    summed,
    total,
)
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading


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
    assert bool(restarted(Sample(0.0, (old,)), Sample(2.0, (new,)))) is again


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
        for found in (memory.total.generation_tps, memory.total.prompt_tps, *memory.tps_history):
            # A step back of the clock makes the time since the last good poll look shorter than it was: nothing is claimed then.
            assert found is None or (found >= 0 and math.isfinite(found))
        if memory.total.generation_tps is not None and all(past.seconds >= 0 for past in history):
            assert memory.total.generation_tps <= 5000 * 1.001


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


def test_requests_are_told_by_reason_and_new_reasons_have_no_rate_yet() -> None:
    old = EngineReading(finished=(("stop", 10.0), ("length", 4.0)))
    new = EngineReading(finished=(("stop", 14.0), ("length", 4.0), ("error", 3.0)))
    assert rate(old, new).finished_ps == (("stop", 2.0), ("length", 0.0))


def test_requests_of_engines_without_reasons() -> None:
    assert rate(EngineReading(requests=10.0), EngineReading(requests=15.0)).finished_ps == (("all", 2.5),)
    assert rate(EngineReading(), EngineReading(requests=15.0)).finished_ps is None


def test_cached_prompt_tokens_belong_to_the_prompt_whether_the_engine_counts_them_apart_or_not() -> None:
    old = engine(0, prompt_tokens=100, cached_tokens=40)
    new = engine(0, prompt_tokens=300, cached_tokens=140)
    found = rate(old, new)
    assert (found.prompt_tps, found.cached_tps) == (100.0, 50.0)
    apart = [
        EngineReading(prompt_tokens=e.prompt_tokens, cached_tokens=e.cached_tokens, cached_apart=True)
        for e in (old, new)
    ]
    found = rate(apart[0], apart[1])
    assert (found.prompt_tps, found.cached_tps) == (150.0, 50.0)


def test_engines_add_up_and_what_one_does_not_know_nobody_knows() -> None:
    one = EngineRates(10.0, 5.0, 1.0, (("stop", 1.0), ("abort", 0.5)), 0.0)
    assert summed([one]) is one
    assert summed([one, one]) == EngineRates(20.0, 10.0, 2.0, (("stop", 2.0), ("abort", 1.0)), 0.0)
    assert summed([one, EngineRates()]) == EngineRates()
    assert summed([]) == EngineRates()


def test_a_counter_that_jumps_absurdly_has_no_rate() -> None:
    assert rate(engine(0), engine(1e17)).generation_tps is None


def cache(queries: float | None, hits: float | None, label: str = "0") -> EngineReading:
    return EngineReading(label, cache_queries=queries, cache_hits=hits)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([cache(0, 0)], [cache(100, 25)], 0.25),
        ([cache(0, 0), cache(0, 0, "1")], [cache(100, 100), cache(300, 0, "1")], 0.25),
        ([cache(100, 25)], [cache(100, 25)], None),
        ([cache(100, 25)], [cache(50, 10)], None),
        ([cache(0, 0)], [cache(None, 10)], None),
        ([], [cache(100, 25)], None),
        ([cache(0, 0)], [cache(10, 11)], 1.0),
        ([cache(0, 0)], [cache(math.inf, 11)], None),
    ],
    ids=["one", "weighted", "nothing asked", "reset", "unknown", "no begin", "rounding", "infinite"],
)
def test_shares(old: list[EngineReading], new: list[EngineReading], expected: float | None) -> None:
    assert share(Sample(0.0, tuple(old)), Sample(2.0, tuple(new)), "cache_hits", "cache_queries") == expected
