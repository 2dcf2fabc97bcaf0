"""`quarterdeck status`: the snapshot once, or again and again."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.verdict import judged

BETWEEN_SAMPLES_S = 1.0


def run(arguments: argparse.Namespace) -> int:
    """Print; 0 whatever the fleet is like (that is what `check` is for), 2 where the fleet file is wrong."""
    if arguments.replay is not None:
        return _replayed(arguments)
    if arguments.at is not None:
        raise UsageError("--at is a moment of a recording", hint="Name the recording with --replay.")
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    if arguments.filter is not None:
        from quarterdeck.cli.filtering import checked
        from quarterdeck.model.query.of_fleet import ENDPOINTS

        checked(arguments.filter, ENDPOINTS)
    asyncio.run(_status(arguments, choice))
    if choice.problems:
        raise ConfigError(choice.problems, hint="Everything else in the file was used.")
    return 0


def _replayed(arguments: argparse.Namespace) -> int:
    """Print a moment of a recording."""
    if arguments.url or arguments.fleet or arguments.watch is not None:
        raise UsageError("a recording has a fleet of its own", hint="Leave out --fleet, --url and --watch.")
    from quarterdeck.cli.replay import moment

    recording, snapshot = moment(arguments.replay, arguments.at)
    _print(arguments, FleetConfig(limits=recording.limits), snapshot)
    return 0


async def _status(arguments: argparse.Namespace, choice: Chosen) -> None:
    fleet, puzzles = await searched(choice)
    for puzzle in puzzles:
        sys.stderr.write(f"{puzzle}\n")
    if choice.discover and not fleet.endpoints:
        from quarterdeck.engine.discovery import HOW_TO, LOOKED_FOR

        sys.stderr.write(f"No model server found on this machine. Looked for {LOOKED_FOR}.\nTo watch one, {HOW_TO}.\n")
    engine = Engine(fleet)
    try:
        await engine.once()
        if not arguments.fast:
            await asyncio.sleep(BETWEEN_SAMPLES_S if arguments.interval is None else arguments.interval)
            await engine.once()
        _print(arguments, fleet, engine.snapshot())
        while arguments.watch is not None:
            await asyncio.sleep(arguments.watch)
            await engine.once()
            _print(arguments, fleet, engine.snapshot())
    finally:
        await engine.stop()


def _print(arguments: argparse.Namespace, fleet: FleetConfig, snapshot: FleetSnapshot) -> None:
    if arguments.filter is not None:
        snapshot = _filtered(snapshot, arguments.filter)
    verdict = judged(snapshot, fleet.limits)
    if arguments.json or arguments.jsonl:
        from quarterdeck.report.json import document

        text = _dumped(document(snapshot, verdict), indent=None if arguments.jsonl or arguments.watch else 2)
    else:
        from quarterdeck.report.text import render

        text = render(snapshot, verdict)
    sys.stdout.write(text)
    if arguments.watch is not None and not (arguments.json or arguments.jsonl):
        sys.stdout.write("\n")
    sys.stdout.flush()


def _filtered(snapshot: FleetSnapshot, text: str) -> FleetSnapshot:
    """With the endpoints that the filter keeps; the verdict is on these, and on the machines."""
    from quarterdeck.cli.filtering import kept
    from quarterdeck.model.query.of_fleet import ENDPOINTS

    endpoints = tuple(kept(text, ENDPOINTS, snapshot.endpoints, snapshot))
    if snapshot.endpoints and not endpoints:
        sys.stderr.write("no endpoint fits the filter\n")
    return replace(snapshot, endpoints=endpoints)


def _dumped(document: dict[str, Any], indent: int | None) -> str:
    return json.dumps(document, allow_nan=False, ensure_ascii=False, indent=indent) + "\n"
