"""`quarterdeck jobs`: what was asked for, and how far it is."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time

from quarterdeck.cli.waiting import wait_for
from quarterdeck.engine.jobs.folder import JobFolder
from quarterdeck.model.job import Job
from quarterdeck.report.jobs import document, line, table

_DAY = 86_400.0


def run(arguments: argparse.Namespace) -> int:
    """0; of `watch` 1 where a job failed or was cancelled."""
    folder = JobFolder()
    if arguments.action == "watch":
        return _watch(folder, arguments)
    if arguments.action == "log":
        return _log(folder, arguments)
    if arguments.action in ("cancel", "resume"):
        act = folder.cancel if arguments.action == "cancel" else folder.resume
        jobs = [act(identity) for identity in arguments.ids]
        _say(jobs, as_json=arguments.json, doing="stopping" if arguments.action == "cancel" else "resumed")
        return 0
    recent = time.time() - _DAY
    jobs = [job for job in folder.read_all() if arguments.all or not job.state.ended or job.created > recent]
    if arguments.json:
        sys.stdout.write(json.dumps([document(job) for job in jobs], ensure_ascii=False, indent=2) + "\n")
    elif jobs:
        sys.stdout.write(table(jobs, time.time()))
    else:
        sys.stderr.write("no jobs" + ("" if arguments.all else " of the last day; --all shows every one") + "\n")
    return 0


def _say(jobs: list[Job], *, as_json: bool, doing: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps([document(job) for job in jobs], ensure_ascii=False, indent=2) + "\n")
        return
    for job in jobs:
        sys.stdout.write(f"{job.id}  {doing}  {line(job)}\n")


def _watch(folder: JobFolder, arguments: argparse.Namespace) -> int:
    named = [folder.read(identity).id for identity in arguments.ids]
    ids = named or [job.id for job in folder.read_all() if not job.state.ended]
    if not ids:
        sys.stderr.write("no job goes on\n")
        return 0
    ended = asyncio.run(wait_for(ids, quiet=arguments.json))
    if arguments.json:
        sys.stdout.write(json.dumps([document(job) for job in ended], ensure_ascii=False, indent=2) + "\n")
    return 0 if all(job.state.value == "done" for job in ended) else 1


def _log(folder: JobFolder, arguments: argparse.Namespace) -> int:
    path = folder.log_path(folder.read(arguments.ids[0]).id)
    if arguments.follow:
        return subprocess.run(["tail", "-n", "+1", "-F", "--", str(path)], check=False).returncode
    try:
        sys.stdout.write(path.read_text("utf-8", "replace"))
    except FileNotFoundError:
        sys.stderr.write("it has written nothing\n")
    return 0
