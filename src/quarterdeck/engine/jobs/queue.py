"""Whose turn it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.job import Job, JobState

QUEUED_ACTIONS = ("pull", "load", "start", "restart")
"""What takes a machine's disk, link or memory for long; the rest is done at once."""


def before(job: Job, jobs: Sequence[Job], limit: int) -> int:
    """How many jobs have to end before ``job`` may begin: those of its kind on its machine that run, or wait longer."""
    if job.order.action not in QUEUED_ACTIONS:
        return 0
    alike = [
        other
        for other in jobs
        if other.id != job.id
        and not other.state.ended
        and (other.place, other.order.action) == (job.place, job.order.action)
    ]
    running = sum(other.state is JobState.RUNNING for other in alike)
    earlier = sum(
        other.state is JobState.QUEUED and (other.created, other.id) < (job.created, job.id) for other in alike
    )
    return max(0, running + earlier - limit + 1)
