"""The commands that act: `quarterdeck pull`, `load`, `rm`, `start` and the others of the table of actions.

Exit codes: 0 done (or begun, with --detach), 1 a job failed or was cancelled, 2 wrong usage, 3 refused (read-only, protected, or not
agreed to), 130 interrupted (what was begun goes on).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from quarterdeck.cli.agreeing import agreed
from quarterdeck.cli.fleets import as_forbidden, chosen, searched
from quarterdeck.cli.waiting import wait_for
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.operate import submit
from quarterdeck.engine.safety import Asking, asks
from quarterdeck.engine.wishes import Wanted, Wish, orders
from quarterdeck.errors import ConfigError
from quarterdeck.format import printable
from quarterdeck.model.actions import BY_ID, Action, On
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.job import Job, Option
from quarterdeck.model.phrasing import takes_on
from quarterdeck.report.jobs import document

FAILED, REFUSED = 1, 3


def run(arguments: argparse.Namespace) -> int:
    """Do it, and wait for the end unless --detach says otherwise."""
    choice = chosen(arguments)
    if choice.problems:  # one of them may be what protects a server
        raise ConfigError(choice.problems, hint="Nothing is changed while the fleet file is wrong.")
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    fleet, _ = await searched(chosen(arguments))
    fleet = as_forbidden(fleet, arguments)
    action = BY_ID[arguments.action]
    engine = Engine(fleet)
    try:
        await engine.once(_names(arguments, action, fleet))
        seen = engine.snapshot()
    finally:
        await engine.stop()
    wanted = orders(_wish(arguments, action), fleet, seen)
    asked = [asks(fleet, each.order, view=each.view, read_only=arguments.read_only) for each in wanted]
    if arguments.dry_run:
        return await _dry_run(arguments, fleet, seen, wanted, asked)
    confirmed = [agreed(arguments, action, each.order, asking) for each, asking in zip(wanted, asked, strict=True)]
    jobs = [
        await submit(fleet, each.order, confirmed=how, read_only=arguments.read_only, view=each.view)
        for each, how in zip(wanted, confirmed, strict=True)
    ]
    if arguments.detach:
        return _begun(jobs, as_json=arguments.json)
    ended = await wait_for([job.id for job in jobs], quiet=arguments.json)
    if arguments.json:
        _print_json(ended)
    return 0 if all(job.state.value == "done" for job in ended) else FAILED


# ---- what is meant


def _wish(arguments: argparse.Namespace, action: Action) -> Wish:
    options = {e.name: getattr(arguments, e.name) for e in (*action.arguments, *action.more) if e.name != "model"}
    given: dict[str, Option] = {name: value for name, value in options.items() if value is not None}
    targets, models, on = (getattr(arguments, name, None) or () for name in ("targets", "models", "on"))
    return Wish(action, targets, models, on, given)


def _names(arguments: argparse.Namespace, action: Action, fleet: FleetConfig) -> list[str]:
    """The endpoints to look at before anything is asked for."""
    if action.on is On.DEPLOYMENT:
        return [spec.endpoint for spec in fleet.deployments if spec.name in arguments.targets]
    named = (arguments.on if takes_on(action) else arguments.targets) or []
    return [spec.name for spec in fleet.endpoints if not named or spec.name in named]


# ---- what is said


async def _dry_run(
    arguments: argparse.Namespace, fleet: FleetConfig, seen: FleetSnapshot, wanted: list[Wanted], asked: list[Asking]
) -> int:
    from quarterdeck.engine.preflight import preflight

    told = []
    for each, asking in zip(wanted, asked, strict=True):
        checks = await preflight(fleet, seen, each.order)
        told.append(
            {
                "action": each.order.action,
                "target": each.order.target,
                "model": each.order.model,
                "options": dict(each.order.options),
                "refused": asking.refused or None,
                "needs": asking.needs,
                "impact": list(asking.impact),
                "preflight": [{"level": check.level, "text": check.text} for check in checks],
            }
        )
        if not arguments.json:
            _print_dry(each, asking, [check.text for check in checks])
    if arguments.json:
        sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
    return REFUSED if any(asking.refused for asking in asked) else 0


def _print_dry(wanted: Wanted, asking: Asking, checks: list[str]) -> None:
    order = wanted.order
    options = "".join(f" {name}={value}" for name, value in order.options.items())
    verdict = (
        f"refused: {asking.refused}"
        if asking.refused
        else {"nothing": "would be done at once", "yes": "would ask first"}.get(
            asking.needs, f"would ask for the name {asking.name}"
        )
    )
    sys.stdout.write(f"{BY_ID[order.action].label} {printable(order.about, 200)}{printable(options, 200)}: {verdict}\n")
    for line in (*asking.impact, *checks):
        sys.stdout.write(f"  {printable(line, 400)}\n")


def _begun(jobs: list[Job], *, as_json: bool) -> int:
    if as_json:
        _print_json(jobs)
    else:
        for job in jobs:
            sys.stdout.write(f"{job.id}  {job.order.action.replace('_', '-')} {printable(job.order.about, 200)}\n")
    return 0


def _print_json(jobs: list[Job]) -> None:
    sys.stdout.write(json.dumps([document(job) for job in jobs], ensure_ascii=False, indent=2) + "\n")
