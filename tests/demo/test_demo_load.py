"""The simulated load: numbers that agree with each other, over simulated hours."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.demo.job import Profile
from quarterdeck.demo.load import Load

HOUR = 3600.0


def make_load(seed: str = "x", **profile: float) -> Load:
    return Load(Profile(**profile), seed=seed, start=0.0)  # type: ignore[arg-type]


def facts(load: Load) -> tuple[object, ...]:
    tally = load.tally
    return (
        load.running,
        load.waiting,
        load.generation_tokens,
        tally.prompt_tokens,
        tally.finished,
        tally.ttft.counts,
        tally.itl.counts,
        load.kv_used,
    )


def check_consistent(load: Load) -> None:
    tally = load.tally
    assert 0 <= load.kv_used <= 1
    assert 0 <= load.running <= load.profile.max_seqs
    assert tally.itl.count == load.generation_tokens - tally.ttft.count
    assert tally.prompt_cached <= tally.prompt_tokens
    assert tally.prefix_hits <= tally.prefix_queries
    per_request = (tally.e2e, tally.queue, tally.prefill, tally.decode, tally.request_prompt, tally.request_generation)
    assert {histogram.count for histogram in per_request} == {tally.requests}
    assert tally.request_generation.sum == tally.finished_tokens
    assert sum(tally.itl.counts) == tally.itl.count


def test_an_hour_is_consistent_and_never_falls() -> None:
    load = make_load(arrivals=1.0)
    before = (0, 0, 0, 0)
    for second in range(0, 3600, 7):
        load.advance(float(second))
        check_consistent(load)
        tally = load.tally
        now = (load.generation_tokens, tally.prompt_tokens, tally.requests, tally.itl.count)
        assert all(b >= a for a, b in zip(before, now, strict=True))
        before = now
    assert load.tally.requests > 3000


def test_littles_law() -> None:
    load = make_load(arrivals=1.0, swing=0.0)
    seen = []
    for second in range(3600):
        load.advance(float(second))
        seen.append(load.running + load.waiting)
    tally = load.tally
    inside = sum(seen) / len(seen)
    assert inside == pytest.approx(tally.e2e.sum / HOUR, rel=0.05)
    assert tally.e2e.sum == pytest.approx(tally.queue.sum + tally.prefill.sum + tally.decode.sum)


def test_latencies_follow_the_engine() -> None:
    load = make_load(step_s=0.030, step_per_seq_s=0.0, arrivals=0.2, cache_hits=0.0)
    load.advance(HOUR)
    assert load.tally.itl.sum / load.tally.itl.count == pytest.approx(0.030, rel=0.1)
    assert load.tally.ttft.sum / load.tally.ttft.count > 0.02


def test_reading_often_changes_nothing() -> None:
    often, seldom = make_load(), make_load()
    for tick in range(6000):
        often.advance(tick * 0.1)
    seldom.advance(5999 * 0.1)
    assert facts(often) == facts(seldom)


def test_the_seed_decides() -> None:
    one, same, other = make_load("a"), make_load("a"), make_load("b")
    for load in (one, same, other):
        load.advance(600.0)
    assert facts(one) == facts(same)
    assert facts(one) != facts(other)


def test_time_does_not_go_back() -> None:
    load = make_load()
    load.advance(100.0)
    was = facts(load)
    load.advance(50.0)
    assert facts(load) == was


def test_a_rush_builds_a_queue_that_drains() -> None:
    load = make_load(arrivals=0.5, max_seqs=8)
    load.advance(60.0)
    load.boost = 10.0
    load.advance(90.0)
    assert load.running == 8
    assert load.waiting > 20
    load.boost = 0.0
    load.advance(900.0)
    assert load.waiting == load.running == 0
    check_consistent(load)


def test_a_stall_freezes_the_counters_and_lets_requests_wait() -> None:
    load = make_load(arrivals=2.0)
    load.advance(60.0)
    load.stall(True, 60.0)
    was, waiting = (load.generation_tokens, load.tally.prompt_tokens, load.tally.itl.count), load.waiting
    load.advance(90.0)
    assert (load.generation_tokens, load.tally.prompt_tokens, load.tally.itl.count) == was
    assert load.waiting > waiting
    assert load.running
    load.stall(False, 90.0)
    load.advance(150.0)
    assert load.generation_tokens > was[0]
    assert load.waiting == 0
    check_consistent(load)


def test_the_cache_of_keys_and_values_is_never_overfull() -> None:
    load = make_load(arrivals=20.0, kv_tokens=20_000, max_seqs=256)
    for second in range(0, 300, 5):
        load.advance(float(second))
        check_consistent(load)
    assert load.waiting > 0
    assert load.kv_used > 0.3


def test_a_real_request_takes_part() -> None:
    load = make_load(arrivals=0.0)
    load.advance(10.0)
    job = load.submit(100, 50, 50, 10.0)
    assert (load.running, load.generated(job)) == (1, 0)
    load.advance(10.5)
    assert 0 < load.generated(job) < 50
    assert load.generation_tokens == load.generated(job)
    load.advance(20.0)
    assert job.finished is not None
    assert load.generation_tokens == job.made == 50
    assert load.tally.finished == {"stop": 0, "length": 1, "abort": 0}
    check_consistent(load)


def test_a_client_that_leaves_gives_its_place_back() -> None:
    load = make_load(arrivals=0.0, max_seqs=1)
    first, second, third = (load.submit(64, 500, 1000, 0.0) for _ in range(3))
    load.advance(1.0)
    assert (load.running, load.waiting) == (1, 2)
    load.cancel(second, 1.0)
    assert load.waiting == 1
    load.cancel(first, 2.0)
    assert (load.running, load.waiting) == (1, 0)
    load.cancel(first, 2.0)
    load.advance(60.0)
    assert third.finished is not None
    assert load.tally.finished == {"stop": 1, "length": 0, "abort": 2}
    check_consistent(load)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["advance", "submit", "cancel", "stall", "resume", "boost"]), st.floats(0, 30)),
        max_size=25,
    )
)
def test_any_course_of_events_is_consistent(course: list[tuple[str, float]]) -> None:
    load, now, jobs = make_load(arrivals=1.0, max_seqs=6, kv_tokens=20_000), 0.0, []
    for what, seconds in course:
        now += seconds
        load.advance(now)
        if what == "submit":
            jobs.append(load.submit(int(seconds * 40), int(seconds * 9), 300, now))
        elif what == "cancel" and jobs:
            load.cancel(jobs.pop(), now)
        elif what in ("stall", "resume"):
            load.stall(what == "stall", now)
        elif what == "boost":
            load.boost = seconds
        check_consistent(load)
        assert load.busy_s <= now + 1e-6
