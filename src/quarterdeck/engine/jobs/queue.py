"""Whose turn it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.job import Job, JobState

QUEUES = (("pull",), ("load", "start", "restart"))
"""What takes a machine's link and disk for long, and what takes its memory; the rest is done at once.

Two queues, so that downloads of hours keep no server from being started.
"""


def before(job: Job, jobs: Sequence[Job], limit: int) -> int:
    """How many jobs have to end before ``job`` may begin: those of its kind on its machine that run, or wait longer."""
    queue = next((queue for queue in QUEUES if job.order.action in queue), ())
    alike = [
        other
        for other in jobs
        if other.id != job.id and not other.state.ended and other.place == job.place and other.order.action in queue
    ]
    if not queue:
        return 0
    running = sum(other.state is JobState.RUNNING for other in alike)
    earlier = sum(
        other.state is JobState.QUEUED and (other.created, other.id) < (job.created, job.id) for other in alike
    )
    return max(0, running + earlier - limit + 1)
