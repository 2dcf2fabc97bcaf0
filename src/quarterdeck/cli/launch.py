"""`quarterdeck launch`: a new vLLM on this machine, saved as a deployment and started.

Exit codes: 0 it serves (or was begun, with --detach), 1 it did not come up, 2 wrong usage, 3 refused (read-only, protected, or not
agreed to), 130 interrupted (it goes on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
from typing import TYPE_CHECKING

from quarterdeck.cli.act import FAILED, REFUSED
from quarterdeck.cli.agreeing import question
from quarterdeck.cli.fleets import as_forbidden, chosen
from quarterdeck.cli.waiting import wait_for
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.launches import Launched, asking, begin, collisions, default_file, file_of, stop_with
from quarterdeck.engine.safety import Asking, Refused
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.launch import Launch, read
from quarterdeck.report.jobs import document

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.engine.preflight import Check
    from quarterdeck.model.job import Job

_PLAIN = ("model", "name", "port", "max_model_len", "gpu_memory_utilization", "quantization", "gpus", "program")


def run(arguments: argparse.Namespace) -> int:
    """Start it, and wait until it serves unless --detach says otherwise."""
    choice = chosen(arguments)
    if choice.problems:
        raise ConfigError(choice.problems)
    launch = wanted(arguments)
    wrong = collisions(launch, choice.fleet)
    if wrong:
        raise UsageError("; ".join(wrong.values()))
    return asyncio.run(_run(arguments, launch, as_forbidden(choice.fleet, arguments)))


def wanted(arguments: argparse.Namespace) -> Launch:
    """What the command line asks for. Raises UsageError."""
    answers = {name: getattr(arguments, name) for name in _PLAIN}
    answers["tensor_parallel"] = arguments.tensor_parallel
    answers["lora"] = shlex.join(arguments.lora)
    answers["extra"] = shlex.join(arguments.extra)
    launch, wrong = read(answers)
    if launch is None:
        raise UsageError("; ".join(f"{_typed(name)}: {text}" for name, text in wrong.items()))
    return launch


def _typed(name: str) -> str:
    return {"model": "MODEL", "extra": "behind --"}.get(name, "--" + name.replace("_", "-"))


async def _run(arguments: argparse.Namespace, launch: Launch, fleet: FleetConfig) -> int:
    save_to = str(default_file(fleet)) if arguments.save else ""
    asked = asking(launch, fleet, read_only=arguments.read_only)
    checks = await _checks(launch, fleet)
    if arguments.dry_run:
        return _dry_run(arguments, launch, save_to, asked, checks)
    confirmed = _agreed(arguments, launch, asked, checks)
    done = await begin(launch, fleet, save_to, confirmed=confirmed, read_only=arguments.read_only)
    _tell(done, saved=bool(save_to))
    jobs = [done.job] if arguments.detach else await wait_for([done.job.id], quiet=arguments.json)
    if arguments.json:
        _print_json(launch, done, jobs[0], saved=bool(save_to))
    elif arguments.detach:
        sys.stdout.write(f"{done.job.id}  start {printable(launch.called, 200)}\n")
    return 0 if arguments.detach or jobs[0].state.value == "done" else FAILED


async def _checks(launch: Launch, fleet: FleetConfig) -> list[Check]:
    """What is known beforehand; only this machine is asked."""
    from quarterdeck.engine.preflight import preflight_launch

    engine = Engine(fleet)
    try:
        await engine.once(())
        return await preflight_launch(launch, engine.snapshot())
    finally:
        await engine.stop()


def _agreed(arguments: argparse.Namespace, launch: Launch, asked: Asking, checks: list[Check]) -> str:
    """How it is agreed to, asked for where there is somebody to ask. Raises Refused."""
    if asked.refused:
        raise Refused(f"launch {launch.called}: {asked.refused}")
    for check in checks:
        if check.level in ("bad", "warn"):
            sys.stderr.write(f"  {check.text}\n")
    if asked.needs == "name":
        asks = f"This machine is protected. Type {asked.name} to launch it: "
        given = arguments.confirm if arguments.confirm is not None else question(asks)
        if given != asked.name:
            hint = f"--confirm {shlex.quote(asked.name)} agrees beforehand."
            raise Refused("this machine is protected: nothing was done", hint=hint)
        return asked.name
    if arguments.yes or not any(check.level == "bad" for check in checks):
        return "yes"
    if question(f"Launch {launch.called} all the same? [y/N] ").casefold() in ("y", "yes"):
        return "yes"
    raise Refused("nothing was done", hint="" if sys.stdin.isatty() else "--yes launches it all the same.")


def _tell(done: Launched, *, saved: bool) -> None:
    if saved:
        sys.stderr.write(f"saved in {printable(str(done.file), 400)}\n")
    sys.stderr.write(f"{stop_with(done.file, done.deployment.name)} stops it\n")


def _dry_run(arguments: argparse.Namespace, launch: Launch, save_to: str, asked: Asking, checks: list[Check]) -> int:
    if arguments.json:
        told = {
            "command": list(launch.command),
            "environment": dict(launch.env),
            "name": launch.called,
            "url": launch.url,
            "save_to": save_to or None,
            "refused": asked.refused or None,
            "needs": asked.needs,
            "preflight": [{"level": check.level, "text": check.text} for check in checks],
        }
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    else:
        where = f"would be saved in {save_to}" if save_to else f"would be kept in {file_of(launch, '')}"
        verdict = f"refused: {asked.refused}" if asked.refused else where
        sys.stdout.write(f"{launch.shown}\n  {printable(verdict, 400)}\n")
        for check in checks:
            sys.stdout.write(f"  {check.text}\n")
    return REFUSED if asked.refused else 0


def _print_json(launch: Launch, done: Launched, job: Job, *, saved: bool) -> None:
    told = {
        "name": done.deployment.name,
        "url": done.endpoint.url,
        "command": list(launch.command),
        "file": str(done.file),
        "saved": saved,
        "job": document(job),
    }
    sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
