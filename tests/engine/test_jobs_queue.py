"""Whose turn it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import job, order
from quarterdeck.engine.jobs.queue import before
from quarterdeck.model.job import Job, JobState


def queued(identity: str, created: float, state: JobState = JobState.QUEUED, place: str = "box") -> Job:
    return replace(job(place=place), id=identity, created=created, state=state)


def test_the_limit_counts_what_runs_and_what_waits_longer() -> None:
    a, b, c = (queued(name, at) for at, name in enumerate("abc"))
    every = [a, b, c]
    assert [before(each, every, 1) for each in every] == [0, 1, 2]
    assert [before(each, every, 2) for each in every] == [0, 0, 1]
    every[0] = replace(a, state=JobState.DONE)
    assert before(b, every, 1) == 0


def test_another_machine_is_another_queue() -> None:
    a, b = queued("a", 0.0), queued("b", 1.0, place="other")
    assert before(b, [a, b], 1) == 0


def test_what_is_done_at_once_waits_for_nobody() -> None:
    a, b = queued("a", 0.0, JobState.RUNNING), replace(queued("b", 1.0), order=order("unload"))
    assert before(b, [a, b], 1) == 0


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        ("load", "start", True),
        ("start", "restart", True),
        ("restart", "load", True),
        ("pull", "pull", True),
        ("pull", "start", False),
        ("load", "pull", False),
        ("stop", "start", False),
        ("start", "stop", False),
    ],
)
def test_what_takes_memory_is_one_queue_and_what_takes_the_link_another(first: str, second: str, waits: bool) -> None:
    a = replace(queued("a", 0.0, JobState.RUNNING), order=order(first))
    b = replace(queued("b", 1.0), order=order(second))
    assert bool(before(b, [a, b], 1)) is waits


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.sampled_from(JobState)), max_size=8), st.integers(1, 3))
def test_whatever_the_clocks_somebody_may_always_go_on_and_never_too_many(
    told: list[tuple[float, JobState]], limit: int
) -> None:
    jobs = [queued(f"j{place}", created, state) for place, (created, state) in enumerate(told)]
    running = [each for each in jobs if each.state is JobState.RUNNING]
    waiting = [each for each in jobs if each.state is JobState.QUEUED]
    may = [each for each in waiting if not before(each, jobs, limit)]
    assert len(may) == max(0, min(len(waiting), limit - len(running)))
