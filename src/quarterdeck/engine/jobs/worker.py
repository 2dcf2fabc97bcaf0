"""The worker of one job: a process of its own, which nobody's leaving ends.

`python -m quarterdeck.engine.jobs.worker FOLDER LOCK`: FOLDER is the job's, LOCK the descriptor of its lock, held until the end.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.engine.jobs.hands import Hands
    from quarterdeck.model.job import Job, JobState

TURN_EVERY_S = 0.5


def main(argv: list[str]) -> int:
    """Leave a child behind, and go: so nobody has to wait for it."""
    folder, lock = Path(argv[0]), int(argv[1])
    if not _is_its_lock(folder, lock):
        sys.stderr.write("this is no lock of that job, or another worker has it\n")
        return 2
    if os.fork():
        return 0
    os.set_inheritable(lock, False)  # what a job starts must not keep it alive
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the servers that a job starts would inherit
    asyncio.run(work(folder))
    return 0


def _is_its_lock(folder: Path, lock: int) -> bool:
    """Whether the descriptor ``lock`` holds the lock of the job in ``folder``: no job ever has two workers."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(lock), (folder / "lock").stat())
    except OSError:
        return False


async def work(path: Path) -> None:
    """Carry out the job in the folder ``path`` to its end. Never raises."""
    from quarterdeck.engine.jobs.folder import JobFolder
    from quarterdeck.engine.jobs.hands import Hands
    from quarterdeck.engine.threads import use_daemon_threads
    from quarterdeck.model.job import JobState

    use_daemon_threads()
    folder = JobFolder(path.parent)
    hands = Hands(_recorded(path), folder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, hands.stopping.set)
    hands.becomes(JobState.QUEUED, worker=os.getpid())
    attending = asyncio.create_task(hands.attend())
    try:
        state, words = await _done(hands, lambda: turn(hands, folder))
    except Exception as error:  # noqa: BLE001  (a bug here is a result too, not a job that seems to have been killed)
        state, words = JobState.FAILED, _bug(hands, error)
    finally:
        attending.cancel()
    await hands.finish(state, words)


def _recorded(path: Path) -> Job:
    """The record; not by `read_one`, which asks for a lock that is our own."""
    import json

    from quarterdeck.engine.jobs.record import from_json

    return from_json(path.name, json.loads((path / "job.json").read_bytes()))


async def _done(hands: Hands, wait_for_turn: Callable[[], Awaitable[None]]) -> tuple[JobState, str]:
    """Look whether it may be, wait for its turn, and do it; how it ended."""
    from quarterdeck.engine.audit import BEGUN, Audit
    from quarterdeck.engine.jobs.carrying import carry_out, fleet_of
    from quarterdeck.engine.jobs.hands import Failed
    from quarterdeck.engine.safety import check
    from quarterdeck.errors import QuarterdeckError
    from quarterdeck.model.job import JobState

    job = hands.job
    try:
        check(fleet_of(job), job.order, job.confirmed)
        await wait_for_turn()
        if hands.stopping.is_set():
            return JobState.CANCELLED, "cancelled before it began"
        fleet = fleet_of(job)  # somebody may have thought better of it meanwhile
        check(fleet, job.order, job.confirmed)
        audit = Audit()
    except (QuarterdeckError, Failed) as error:
        return JobState.FAILED, _in_words(error)
    except OSError as error:
        return JobState.FAILED, f"nothing was done: the audit log can't be written ({error.strerror or error})"
    began = time.monotonic()
    deed = _audited(job)
    try:
        try:
            audit.write({**deed, "result": BEGUN})
        except OSError as error:
            return JobState.FAILED, f"nothing was done: the audit log can't be written ({error.strerror or error})"
        hands.becomes(JobState.RUNNING, started=time.time())
        state, words = await _ended(hands, lambda: carry_out(hands, fleet))
        took = round(time.monotonic() - began, 3)
        try:
            audit.write({**deed, "result": state.value, "duration_s": took, "words": words})
        except OSError as error:  # what is done is done
            return state, f"{words}\nThe audit log could not be written ({error.strerror or error})."
    finally:
        audit.close()
    return state, words


async def _ended(hands: Hands, deed: Callable[[], Awaitable[str]]) -> tuple[JobState, str]:
    """Do it, or stop where somebody asks for that."""
    from quarterdeck.engine.jobs.hands import Failed
    from quarterdeck.errors import QuarterdeckError
    from quarterdeck.model.job import JobState

    doing = asyncio.ensure_future(deed())
    stopped = asyncio.ensure_future(hands.stopping.wait())
    await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    was_stopped = not doing.done()
    stopped.cancel()
    if was_stopped:
        doing.cancel()
    try:
        words = await doing
    except asyncio.CancelledError:
        return JobState.CANCELLED, hands.parting
    except (Failed, QuarterdeckError) as error:
        return JobState.FAILED, _in_words(error)
    except Exception as error:  # noqa: BLE001  (so that its end is written down)
        return JobState.FAILED, _bug(hands, error)
    return JobState.DONE, words


def _bug(hands: Hands, error: Exception) -> str:
    """What nobody thought of, in words; all of it goes to the log."""
    import traceback

    hands.log("".join(traceback.format_exception(error)))
    return f"a bug in this program: {type(error).__name__}; its log has more"


def _in_words(error: Exception) -> str:
    hint = getattr(error, "hint", "")
    return f"{error}\n{hint}" if hint else str(error)


def _audited(job: Job) -> dict[str, object]:
    """What is written down of it: options name models, paths and numbers; nothing secret is ever one."""
    order = job.order
    return {
        "action": order.action,
        "target": order.target,
        "model": order.model,
        "options": dict(order.options) or None,
        "url": job.url,
        "job": job.id,
        "confirmed": job.confirmed or None,
    }


async def turn(hands: Hands, folder: object) -> None:
    """Wait until fewer than the limit of jobs like this one run on the machine it is for, and none waits longer."""
    from quarterdeck.engine.jobs.board import JobBoard
    from quarterdeck.engine.jobs.carrying import fleet_of
    from quarterdeck.engine.jobs.folder import JobFolder
    from quarterdeck.engine.jobs.queue import before

    if not isinstance(folder, JobFolder):
        return
    board = JobBoard(folder)  # those that ended are read once
    limit = fleet_of(hands.job).jobs.per_host
    while not hands.stopping.is_set():
        ahead = before(hands.job, board.read(), limit)
        if not ahead:
            return
        from quarterdeck.model.job import Progress

        hands.report(
            Progress(f"waits for {ahead} job{'s' if ahead > 1 else ''} on {hands.job.place or 'that machine'}")
        )
        await asyncio.sleep(TURN_EVERY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
