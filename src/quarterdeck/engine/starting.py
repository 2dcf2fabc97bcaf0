"""What jobs tell of endpoints: a server that is being started is not simply down, nor is one whose start failed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import age, printable
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.job import Job, JobState

START_FAILED = "start failed "
"""How the reason of an endpoint begins that is down because its start failed."""
TOLD_FOR_S = 86_400.0
"""So long a start that failed is told to be why nothing answers."""
_STARTS = ("start", "restart")
_SILENT = (None, State.DOWN, State.STALE)
_JUST_NOW_S = 60.0


def starting(fleet: FleetSnapshot, deployments: Sequence[DeploymentSpec]) -> FleetSnapshot:
    """``fleet``, with what the last job on each endpoint's server tells of why it doesn't answer.

    LOADING and the phase in place of DOWN where a job is starting it; why the start failed, where it did and nothing answered since.
    Rows stay the same objects where nothing changed.
    """
    becomes = {spec.name: spec.endpoint for spec in deployments}
    running = {
        becomes[job.order.target]: job
        for job in fleet.jobs
        if job.state is JobState.RUNNING and job.order.action in _STARTS and job.order.target in becomes
    }
    failed = tuple(
        (name, job, _when(fleet.time - (job.ended or job.created)))
        for name, job in _failed(fleet, becomes).items()
        if name not in running
    )
    endpoints = _told(fleet.endpoints, failed) if failed else fleet.endpoints
    if running:
        endpoints = tuple(
            _loading(view, running[view.name], fleet) if view.name in running else view for view in endpoints
        )
    return fleet if endpoints is fleet.endpoints else replace(fleet, endpoints=endpoints)


def _loading(view: EndpointView, job: Job, fleet: FleetSnapshot) -> EndpointView:
    if view.state not in _SILENT:
        return view
    share = "" if job.progress.fraction is None else f" {job.progress.fraction:.0%}"
    began = job.started if job.started is not None else job.created
    return replace(
        view,
        state=State.LOADING,
        reason=f"starting: {job.progress.phase or 'begun'}{share}",
        since=fleet.at - max(0.0, fleet.time - began),
        evidence=(f"job {job.id} starts it",),
    )


def _failed(fleet: FleetSnapshot, becomes: dict[str, str]) -> dict[str, Job]:
    """By endpoint that is down: the last job on its server, where that is a start that failed and nothing answered since."""
    last: dict[str, Job] = {}
    for job in fleet.jobs:
        name = becomes.get(job.order.target) if job.order.action in (*_STARTS, "stop") else None
        if name is not None and (name not in last or job.created > last[name].created):
            last[name] = job
    down = {view.name: view for view in fleet.endpoints if view.state is State.DOWN} if last else {}
    return {
        name: job
        for name, job in last.items()
        if name in down
        and job.order.action in _STARTS
        and job.state in (JobState.FAILED, JobState.DEAD)
        and fleet.time - (job.ended or job.created) < TOLD_FOR_S
        and not _answered_since(down[name], job, fleet)
    }


def _answered_since(view: EndpointView, job: Job, fleet: FleetSnapshot) -> bool:
    return view.answered is not None and fleet.unix(view.answered) > (job.ended or job.created)


def _when(seconds: float) -> str:
    return "just now" if seconds < _JUST_NOW_S else f"{age(seconds)} ago"


@lru_cache(maxsize=2)
def _told(endpoints: tuple[EndpointView, ...], failed: tuple[tuple[str, Job, str], ...]) -> tuple[EndpointView, ...]:
    """Kept from one snapshot to the next, as each row is: who draws compares them by identity."""
    told = {name: (job, when) for name, job, when in failed}
    return tuple(_start_failed(view, *told[view.name]) if view.name in told else view for view in endpoints)


@lru_cache(maxsize=64)
def _start_failed(view: EndpointView, job: Job, when: str) -> EndpointView:
    cause, _, advice = job.words.partition("\n")
    evidence = [printable(advice, 300), f"job {job.id} tried to start it", view.reason and f"now: {view.reason}"]
    return replace(
        view,
        reason=f"{START_FAILED}{when}: {printable(cause, 300) or 'nobody knows why'}",
        evidence=(*(text for text in evidence if text), *view.evidence),
    )
