"""Jobs in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quarterdeck.model.actions import BY_ID
from quarterdeck.model.job import Job, JobState
from quarterdeck.reader import speech
from quarterdeck.reader.speech import counted, lasting, name, sentence, spoken

RECENT_S = 86_400.0
_MOST = 20
_ENDED = {
    JobState.DONE: "is done",
    JobState.FAILED: "has FAILED",
    JobState.CANCELLED: "was cancelled",
    JobState.DEAD: "is DEAD",
}


def what(job: Job) -> str:
    """ "pull qwen3:8b on mac"."""
    label = BY_ID[job.order.action].label if job.order.action in BY_ID else job.order.action.replace("_", " ")
    return f"{label[:1].lower()}{label[1:]} {name(job.order.about, 160)}"


def called(job: Job) -> str:
    """ "Job abcde, pull qwen3:8b on mac,"."""
    return f"Job {job.id}, {what(job)},"


def line(job: Job) -> str:
    """How far it is, or how it ended, in one line."""
    return ended(job) if job.state.ended else going(job)


def going(job: Job) -> str:
    """How far it is."""
    if job.state is JobState.QUEUED:
        return f"{called(job)} waits for its turn."
    far = ", ".join(_far(job))
    phase = spoken(job.progress.phase, 200)
    told = ", ".join(part for part in (phase, far) if part)
    return sentence(f"{called(job)} goes on{': ' if told else ''}{told}")


def ended(job: Job) -> str:
    """How it ended; what to try, where that is told, comes behind."""
    first, _, rest = job.words.partition("\n")
    words, hint = spoken(first, 400), spoken(rest, 400)
    told = f": {words}" if words and words != job.state.value else ""
    text = sentence(f"{called(job)} {_ENDED.get(job.state, job.state.value)}{told}")
    return f"{text} {sentence(hint)}" if hint else text


def _far(job: Job) -> list[str]:
    progress = job.progress
    parts = [speech.percent(progress.fraction)] if progress.fraction is not None else []
    if progress.completed is not None:
        of = f" of {speech.size(progress.total)}" if progress.total else ""
        parts.append(f"{speech.size(progress.completed)}{of}")
    if progress.rate is not None:
        parts.append(f"{speech.size(progress.rate)} per second")
    if progress.eta_s is not None:
        parts.append(f"{lasting(progress.eta_s)} left")
    return parts


def jobs(known: Sequence[Job], unix: float, *, every: bool = False) -> list[str]:
    """Those that go on, and those of the last day (or ``every`` one that is kept)."""
    shown = [job for job in known if not job.state.ended or every or unix - job.created <= RECENT_S]
    if not shown:
        return ["There are no jobs." if every or not known else "There are no jobs of the last day."]
    lines = [line(job) for job in shown[:_MOST]]
    if len(shown) > _MOST:
        lines.append(f"And {len(shown) - _MOST} more: quarterdeck jobs lists them all.")
    return lines


def left_behind(known: Sequence[Job], own: Iterable[str] = ()) -> str:
    """What goes on when the reader ends, with what was begun here (``own``) a moment ago; "" where nothing does."""
    seen = {job.id for job in known}
    going_on = [*(job.id for job in known if not job.state.ended), *sorted(each for each in own if each not in seen)]
    if not going_on:
        return ""
    verb = "goes" if len(going_on) == 1 else "go"
    return f"{counted(len(going_on), 'job')} {verb} on: {speech.listed(going_on, 10)}."
