"""Cancelling and resuming a job from the console."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.job import Job, JobState
from quarterdeck.tui.acting.flow import refused

if TYPE_CHECKING:
    from quarterdeck.tui.app import ConsoleApp


def cancel(app: ConsoleApp, job: Job | None) -> None:
    """Stop it; asks first, because what runs is stopped half-way."""
    if job is None or job.state.ended:
        app.say("there is no job" if job is None else f"job {job.id} has ended")
        return
    if refused(app, "Cancel the job"):
        return
    from quarterdeck.tui.screens.confirm import ConfirmScreen

    question = f"Cancel {job.order.action.replace('_', ' ')} {job.order.about}?"
    impact = ["What is done so far stays on the server; R goes on from there, as long as the server keeps it."]
    app.push_screen(ConfirmScreen(question, impact, "Cancel the job", lambda: _begin(app, job, "cancel")))


def resume(app: ConsoleApp, job: Job | None) -> None:
    """Begin it again."""
    if job is None or not job.state.ended or job.state is JobState.DONE:
        said = "there is no job" if job is None else f"job {job.id} is {job.state.value}"
        app.say(f"{said}: only what failed, was cancelled or lost its worker can be resumed" if job else said)
        return
    if not refused(app, "Resume the job"):
        _begin(app, job, "resume")


def _begin(app: ConsoleApp, job: Job, what: str) -> None:
    app.run_worker(_do(app, job, what), exit_on_error=False, group="acting")


async def _do(app: ConsoleApp, job: Job, what: str) -> None:
    from quarterdeck.engine.jobs.folder import JobFolder

    folder = JobFolder()
    try:
        if what == "cancel":
            await asyncio.to_thread(folder.cancel, job.id)
            app.say(f"job {job.id}: stopping")
        else:
            app.follow_job(await asyncio.to_thread(folder.resume, job.id))
            app.say(f"job {job.id}: resumed")
    except QuarterdeckError as error:
        app.say(printable(". ".join(part for part in (error.message, error.hint) if part), 300))
