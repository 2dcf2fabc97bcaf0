"""A server that a job starts is loading, not down; and only that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fakes import endpoint_view
from jobs import NOW, job, order
from quarterdeck.config.fleet import DeploymentSpec
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
