"""`quarterdeck jobs`: what was asked for, and how far it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from quarterdeck.cli.waiting import LOOK_EVERY_S, wait_for
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.engine.jobs.stopping import ENDS_IT, parting_words
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.job import Job, JobState
from quarterdeck.report.jobs import document, line, table

_DAY = 86_400.0
_LONGEST = 2000


def run(arguments: argparse.Namespace) -> int:
    """0; of `watch` 1 where a job failed or was cancelled. Raises QuarterdeckError."""
    folder = JobFolder()
    if folder.path.exists() and not os.access(folder.path, os.R_OK | os.X_OK):
        raise QuarterdeckError(f"{folder.path} can't be read (permission denied)", hint="Jobs are kept there.")
    if arguments.action == "watch":
        return _watch(folder, arguments)
    if arguments.action == "log":
        return _log(folder, arguments)
    if arguments.action in ("cancel", "resume"):
        act = folder.cancel if arguments.action == "cancel" else folder.resume
        ids = list(
            dict.fromkeys(folder.read(identity).id for identity in arguments.ids)
        )  # all exist, or nothing is done
        jobs = [act(identity) for identity in ids]
        _say(jobs, as_json=arguments.json, doing="stopping" if arguments.action == "cancel" else "resumed")
        if arguments.action == "cancel":
            _tell_of_stops(jobs)
        return 0
    recent = time.time() - _DAY
    jobs = [job for job in folder.read_all() if arguments.all or not job.state.ended or job.created > recent]
    there = bool(jobs)
    if arguments.filter is not None:
        from quarterdeck.cli.filtering import kept
        from quarterdeck.model.query.of_jobs import JOBS

        jobs = kept(arguments.filter, JOBS, jobs)
    if arguments.json:
        sys.stdout.write(json.dumps([document(job) for job in jobs], ensure_ascii=False, indent=2) + "\n")
    elif jobs:
        sys.stdout.write(table(jobs, time.time()))
    elif there:
        sys.stderr.write("no job fits the filter\n")
    else:
        sys.stderr.write("no jobs" + ("" if arguments.all else " of the last day; --all shows every one") + "\n")
    return 0


def _say(jobs: list[Job], *, as_json: bool, doing: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps([document(job) for job in jobs], ensure_ascii=False, indent=2) + "\n")
        return
    for job in jobs:
        sys.stdout.write(f"{job.id}  {doing}  {line(job)}\n")


def _tell_of_stops(jobs: list[Job]) -> None:
    """What was asked to end can't be asked back."""
    for job in jobs:
        if job.order.action in ENDS_IT and job.state is JobState.RUNNING:
            sys.stderr.write(f"{printable(job.order.target, 100)}: {parting_words(printable(job.order.target, 100))}\n")


def _watch(folder: JobFolder, arguments: argparse.Namespace) -> int:
    named = list(dict.fromkeys(folder.read(identity).id for identity in arguments.ids))
    ids = named or [job.id for job in folder.read_all() if not job.state.ended]
    if not ids:
        sys.stderr.write("no job goes on\n")
        if arguments.json:
            sys.stdout.write("[]\n")
        return 0
    ended = asyncio.run(wait_for(ids, quiet=arguments.json))
    if arguments.json:
        sys.stdout.write(json.dumps([document(job) for job in ended], ensure_ascii=False, indent=2) + "\n")
    return 0 if all(job.state.value == "done" for job in ended) else 1


def _log(folder: JobFolder, arguments: argparse.Namespace) -> int:
    identity = folder.read(arguments.ids[0]).id
    path = folder.log_path(identity)
    if arguments.json:
        if arguments.follow:
            raise UsageError("a log that is followed is no JSON document", hint="Leave out --json or --follow.")
        sys.stdout.write(json.dumps({"id": identity, "lines": _lines(path)}, ensure_ascii=False, indent=2) + "\n")
    elif arguments.follow:
        _follow(folder, identity, path)
    else:
        lines = _lines(path)
        sys.stdout.write("".join(f"{each}\n" for each in lines))
        if not lines:
            sys.stderr.write("it has written nothing\n")
    return 0


def _lines(path: Path) -> list[str]:
    """What a log says; it holds what servers said, so nothing of it may reach the terminal as it is."""
    try:
        return [printable(each, _LONGEST) for each in path.read_text("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return []


def _follow(folder: JobFolder, identity: str, path: Path) -> None:
    """Print the log as it grows, until the job has ended."""
    said, ended = 0, False
    while not ended:
        ended = folder.read(identity).state.ended  # before the last look, so that its last words are seen
        lines = _lines(path)
        sys.stdout.write("".join(f"{each}\n" for each in lines[said:]))
        sys.stdout.flush()
        said = max(said, len(lines))
        if not ended:
            time.sleep(LOOK_EVERY_S)
