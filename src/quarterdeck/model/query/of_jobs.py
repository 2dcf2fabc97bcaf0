"""What can be asked of a job."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from quarterdeck.model.job import JobState
from quarterdeck.model.query.field import Around, Field, Vocabulary
from quarterdeck.model.query.values import Kind

if TYPE_CHECKING:
    from quarterdeck.model.job import Job


def _state(job: Job) -> Iterable[str]:
    """As it is stored, and as it is shown."""
    return ("queued", "waiting") if job.state is JobState.QUEUED else (job.state.value,)


def _took(job: Job, around: Around) -> float | None:
    if job.started is None:
        return None
    return max(0.0, (around.unix if job.ended is None else job.ended) - job.started)


def _words(job: Job) -> Iterable[str | None]:
    return (*_state(job), job.order.action, job.order.about, job.id, job.user, job.words, job.progress.phase)


JOBS: Vocabulary[Job] = Vocabulary(
    (
        Field("state", "running, waiting, done, failed, cancelled or dead.", "state:failed,dead", texts=lambda job, _: _state(job)),
        Field("action", "What is done.", "action:pull", texts=lambda job, _: (job.order.action, job.order.action.replace("_", " "))),
        Field("what", "Model and endpoint, as the row has them.", "what:qwen3", ("name",), lambda job, _: (job.order.about,)),
        Field("model", "The model.", "model:qwen3", texts=lambda job, _: (job.order.model,)),
        Field("where", "The endpoint or deployment.", "where:mac", ("endpoint", "on", "target"), lambda job, _: (job.order.target,)),
        Field("user", "Who asked for it.", "user:ana", texts=lambda job, _: (job.user,)),
        Field("result", "The result, or why it failed.", "result:disk", ("why", "words"), lambda job, _: (job.words,)),
        Field("id", "Its id.", "id:a1b2", texts=lambda job, _: (job.id,)),
        Field("done", "How far it is.", "done>50%", ("progress",), number=lambda job, _: job.progress.fraction, kind=Kind.SHARE),
        Field("size", "All its bytes, as far as is known.", "size>10GiB", ("mem",), number=lambda job, _: job.progress.total, kind=Kind.BYTES),
        Field("rate", "Bytes a second.", "rate<10MiB/s", number=lambda job, _: job.progress.rate, kind=Kind.BYTES, unit="/s"),
        Field("left", "Time left.", "left>10m", ("eta",), number=lambda job, _: job.progress.eta_s, kind=Kind.SECONDS),
        Field("took", "How long it has worked.", "took>1h", number=_took, kind=Kind.SECONDS, timed=True),
        Field("age", "How long ago it was asked for.", "age<1d", number=lambda job, around: max(0.0, around.unix - job.created), kind=Kind.SECONDS, timed=True),
    ),
    _words,
    "jobs",
)  # fmt: skip
