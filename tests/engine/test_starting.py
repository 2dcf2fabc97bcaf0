"""A server that a job starts is loading, not down; and only that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import endpoint_view
from jobs import NOW, job, order
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.starting import starting
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.job import Job, JobState, Progress

DEPLOYMENTS = (DeploymentSpec("d", "e"),)


def running(**known: object) -> Job:
    usual: dict[str, object] = {"state": JobState.RUNNING, "started": NOW - 30, "id": "abcde"}
    progress = Progress("loading weights", 0.42)
    return job(order("start", "d", None), **(usual | {"progress": progress} | known))


def seen(state: State | None, *jobs: Job) -> FleetSnapshot:
    return FleetSnapshot(
        at=1000.0, time=NOW, endpoints=(replace(endpoint_view("e"), state=state), endpoint_view("other")), jobs=jobs
    )


@pytest.mark.parametrize("action", ["start", "restart"])
@pytest.mark.parametrize("state", [None, State.DOWN, State.STALE])
def test_what_is_being_started_is_loading(state: State | None, action: str) -> None:
    view = starting(seen(state, running(order=order(action, "d", None))), DEPLOYMENTS).endpoints[0]
    assert (view.state, view.reason) == (State.LOADING, "starting: loading weights 42%")
    assert view.since == 970.0, "for as long as the job runs"
    assert view.evidence == ("job abcde starts it",)


def test_what_answers_tells_itself_how_it_is() -> None:
    fleet = seen(State.OK, running())
    assert starting(fleet, DEPLOYMENTS).endpoints == fleet.endpoints


@pytest.mark.parametrize(
    "one",
    [
        running(state=JobState.QUEUED),
        running(state=JobState.FAILED),
        running(state=JobState.DEAD),
        running(order=order("stop", "d", None)),
        running(order=order("start", "another", None)),
        running(order=order("start", "e", None)),
    ],
    ids=["queued", "failed", "dead", "stop", "another", "the endpoint's name"],
)
def test_other_jobs_change_nothing(one: Job) -> None:
    fleet = seen(State.DOWN, one)
    assert starting(fleet, DEPLOYMENTS) is fleet


def test_a_job_that_has_told_nothing_yet_and_a_clock_that_went_back() -> None:
    view = starting(seen(State.DOWN, running(started=NOW + 99, progress=Progress())), DEPLOYMENTS).endpoints[0]
    assert view.reason == "starting: begun"
    assert view.since == 1000.0


def test_the_others_are_left_as_they_are() -> None:
    fleet = seen(State.DOWN, running())
    assert starting(fleet, DEPLOYMENTS).endpoints[1] is fleet.endpoints[1]


# ---- a start that failed


def failed(**known: object) -> Job:
    usual: dict[str, object] = {
        "state": JobState.FAILED,
        "created": NOW - 200,
        "started": NOW - 199,
        "ended": NOW - 150,
        "id": "fffff",
        "words": "max_model_len needs 14.2 GiB of KV cache, 9.8 GiB are available\nTry --max-model-len 22000.",
    }
    return job(order("start", "d", None), **(usual | known))


def silent(*jobs: Job, answered: float | None = None) -> FleetSnapshot:
    fleet = seen(State.DOWN, *jobs)
    down = replace(fleet.endpoints[0], reason="connection refused", evidence=("3 polls",), answered=answered)
    return replace(fleet, endpoints=(down, fleet.endpoints[1]))


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.DEAD])
@pytest.mark.parametrize("action", ["start", "restart"])
def test_a_start_that_failed_is_why_it_is_down(action: str, state: JobState) -> None:
    fleet = starting(silent(failed(order=order(action, "d", None), state=state)), DEPLOYMENTS)
    view = fleet.endpoints[0]
    assert view.state is State.DOWN
    assert view.reason == "start failed 2m ago: max_model_len needs 14.2 GiB of KV cache, 9.8 GiB are available"
    assert view.evidence == (
        "Try --max-model-len 22000.",
        "job fffff tried to start it",
        "now: connection refused",
        "3 polls",
    )
    assert fleet.endpoints[1].reason == ""


def test_rows_of_failed_starts_stay_the_same_objects() -> None:
    fleet = silent(failed())
    before = starting(fleet, DEPLOYMENTS).endpoints
    assert starting(replace(fleet, at=1001.0, time=NOW + 1), DEPLOYMENTS).endpoints is before
    other = replace(fleet, endpoints=(fleet.endpoints[0], replace(fleet.endpoints[1], running=9)))
    assert starting(other, DEPLOYMENTS).endpoints[0] is before[0]
    assert (
        starting(replace(fleet, at=1060.0, time=NOW + 60), DEPLOYMENTS)
        .endpoints[0]
        .reason.startswith("start failed 3m ago")
    )


@pytest.mark.parametrize(
    "fleet",
    [
        silent(failed(), running(state=JobState.QUEUED, created=NOW - 10)),
        silent(failed(), failed(id="ggggg", state=JobState.DONE, created=NOW - 100, ended=NOW - 90)),
        silent(failed(), failed(id="ggggg", order=order("stop", "d", None), state=JobState.DONE, created=NOW - 100)),
        silent(failed(order=order("stop", "d", None))),
        silent(failed(order=order("pull", "d", "x"))),
        silent(failed(state=JobState.CANCELLED)),
        silent(failed(created=NOW - 100_000, ended=NOW - 99_000)),
        silent(failed(), answered=1000.0 - 60),
        seen(State.OK, failed()),
        seen(State.STALE, failed()),
    ],
    ids=["begun anew", "done since", "stopped since", "a stop", "a pull", "cancelled", "old", "answered since", "up", "stale"],
)  # fmt: skip
def test_other_ends_are_not_why(fleet: FleetSnapshot) -> None:
    assert starting(fleet, DEPLOYMENTS) is fleet


def test_a_start_that_failed_is_told_though_it_answered_before() -> None:
    view = starting(silent(failed(), answered=1000.0 - 500), DEPLOYMENTS).endpoints[0]
    assert view.reason.startswith("start failed")


def test_a_failed_start_without_words_and_a_clock_that_went_back() -> None:
    view = starting(silent(failed(words="", ended=NOW + 500)), DEPLOYMENTS).endpoints[0]
    assert view.reason == "start failed just now: nobody knows why"


def test_the_next_start_is_loading_again() -> None:
    view = starting(silent(failed(), running(created=NOW - 10)), DEPLOYMENTS).endpoints[0]
    assert view.state is State.LOADING
