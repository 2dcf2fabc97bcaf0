"""`jobs`, and what can be said to one: watch, cancel, resume, log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.stopping import ENDS_IT, parting_words
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.job import Job, JobState
from quarterdeck.reader import jobs
from quarterdeck.reader.saying import Level
from quarterdeck.reader.speech import name, sentence, spoken

if TYPE_CHECKING:
    from quarterdeck.reader.here import Here

LOG_LINES = 20
_WORDS = ("watch", "cancel", "resume", "log")


async def job_command(here: Here, words: Sequence[str]) -> None:
    """Do what ``words``, those behind "jobs", say. Raises QuarterdeckError."""
    first, *ids = words or ("",)
    folder = JobFolder()
    if first in ("", "all"):
        known = await asyncio.to_thread(folder.read_all)
        await here.voice.say(jobs.jobs(known, here.engine.clock.wall(), every=first == "all"))
    elif first not in _WORDS:
        hint = "It is typed so: jobs, jobs all, jobs watch, jobs cancel ID, jobs resume ID, jobs log ID."
        raise UsageError(f"jobs can't {first!r}", hint=hint)
    elif first == "watch":
        await _watch(here, [folder.read(each).id for each in ids])
    elif len(ids) != 1:
        raise UsageError("which job?", hint=f"It is typed so: jobs {first} ID.")
    elif first == "log":
        await here.voice.say(await asyncio.to_thread(_log, folder, ids[0]))
    else:
        await _turned(
            here, await asyncio.to_thread(folder.cancel if first == "cancel" else folder.resume, ids[0]), first
        )


async def _turned(here: Here, job: Job, how: str) -> None:
    """One was cancelled or resumed."""
    lines = [f"{jobs.called(job)} {'is asked to stop' if how == 'cancel' else 'begins again'}."]
    if how == "resume":
        here.own.add(job.id)
    elif job.order.action in ENDS_IT and job.state is JobState.RUNNING:
        lines.append(sentence(spoken(f"{name(job.order.target)}: {parting_words(name(job.order.target))}")))
    await here.voice.say(lines)


async def _watch(here: Here, ids: Sequence[str]) -> None:
    """Until those jobs have ended, or all that go on; their steps are told as news."""
    here.look()
    going = [job.id for job in here.snapshot.jobs if not job.state.ended]
    new = [each for each in here.own if here.job(each) is None]
    named = list(ids) or [*going, *new]
    if not named:
        await here.voice.say(["No job goes on."])
        return
    before = [each for each in named if _has_ended(here, each)]
    while not all(_has_ended(here, each) for each in named):
        here.ticked.clear()
        await here.ticked.wait()
    untold = named if here.level is Level.QUIET else before
    await here.voice.say([jobs.line(job) for each in untold if (job := here.job(each)) is not None])


def _has_ended(here: Here, identity: str) -> bool:
    job = here.job(identity)
    return job is not None and job.state.ended


def _log(folder: JobFolder, identity: str) -> list[str]:
    """The last lines of what a job wrote. Blocks. Raises QuarterdeckError."""
    job = folder.read(identity)
    try:
        lines = folder.log_path(job.id).read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        lines = []
    except OSError as error:
        raise QuarterdeckError(f"the log of job {job.id} can't be read ({error.strerror})") from None
    return [spoken(line) for line in lines[-LOG_LINES:] if line.strip()] or ["It has written nothing."]
