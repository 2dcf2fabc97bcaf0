"""Records of jobs: what is written comes back, and whatever lies there is a job or nothing worse."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import job, order
from quarterdeck.engine.jobs.record import UNREADABLE, from_json, to_json
from quarterdeck.model.job import Job, JobState, Order, Progress

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)
fields = st.sampled_from(list(to_json(job())))


def through_a_file(one: Job) -> Job:
    return from_json(one.id, json.loads(json.dumps(to_json(one))))


def test_everything_comes_back() -> None:
    one = Job(
        "abcde",
        order("load", "mac", "qwen3:8b", context=32768, keep_alive="forever", really=True, share=0.5),
        JobState.RUNNING,
        created=1.5,
        started=2.5,
        ended=3.5,
        progress=Progress("pulling 1 of 2", 0.25, 10, 40, 3.5, 8.5),
        words="ä\nb",
        attempts=3,
        place="box",
        user="me",
        confirmed="mac",
        fleet="/f.toml",
        url="http://x",
        engine="ollama",
        expected_bytes=40,
        worker=17,
    )
    assert through_a_file(one) == one


def test_an_order_without_options_can_be_written() -> None:
    assert through_a_file(Job("abcde", Order("wake", "v"))).order == Order("wake", "v")


def test_a_name_that_is_no_text_can_be_written() -> None:
    assert through_a_file(Job("abcde", order(model="a\udcff"))).order.model == "a\udcff"


@given(anything)
def test_any_json_is_a_job(told: object) -> None:
    one = from_json("abcde", told)
    assert one.id == "abcde"
    assert json.dumps(to_json(one))


@given(fields, anything)
def test_one_wrong_field_costs_that_field_only(name: str, value: object) -> None:
    written = to_json(Job("abcde", order(target="there")))
    one = from_json("abcde", {**written, name: value})
    if name != "order":
        assert one.order.target == "there"
    assert json.dumps(to_json(one))


@pytest.mark.parametrize("told", [None, [], {}, {"state": "flying"}, {"state": 10**400}])
def test_a_record_that_tells_no_state_is_dead_and_says_so(told: object) -> None:
    one = from_json("abcde", told)
    assert (one.state, one.words) == (JobState.DEAD, UNREADABLE)


def test_a_share_stays_between_nothing_and_all() -> None:
    assert from_json("abcde", {"progress": {"fraction": 7}}).progress.fraction == 1.0
    assert from_json("abcde", {"progress": {"fraction": -7}}).progress.fraction == 0.0
    assert from_json("abcde", {"progress": {"fraction": float("nan")}}).progress.fraction is None
