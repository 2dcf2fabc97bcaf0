"""What jobs tell of endpoints: a server that is being started refuses connections, and is not simply down. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from quarterdeck.config.fleet import DeploymentSpec
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.job import Job, JobState

_STARTS = ("start", "restart")
_SILENT = (None, State.DOWN, State.STALE)


def starting(fleet: FleetSnapshot, deployments: Sequence[DeploymentSpec]) -> FleetSnapshot:
    """``fleet``, with LOADING and the phase in place of DOWN where a job is starting the endpoint's server."""
    becomes = {spec.name: spec.endpoint for spec in deployments}
    jobs = {
        becomes[job.order.target]: job
        for job in fleet.jobs
        if job.state is JobState.RUNNING and job.order.action in _STARTS and job.order.target in becomes
    }
    if not jobs:
        return fleet
    views = tuple(_loading(view, jobs[view.name], fleet) if view.name in jobs else view for view in fleet.endpoints)
    return replace(fleet, endpoints=views)


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
