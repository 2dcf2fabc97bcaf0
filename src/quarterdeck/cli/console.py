"""`quarterdeck` without a command: the console. Nothing is imported before its first frame that the frame doesn't need."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.cli.fleets import as_forbidden, chosen
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import keys_file
from quarterdeck.errors import ConfigError, UsageError
from quarterdeck.tui.launch import launch

if TYPE_CHECKING:
    from collections.abc import Callable

    from quarterdeck.engine.engine import Engine
    from quarterdeck.tui.contract import EngineLike, Notice, Prepare


def run(arguments: argparse.Namespace) -> int:
    """Open the console; returns when it is quit."""
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    return show(
        adjusted(as_forbidden(choice.fleet, arguments), arguments),
        prepare=_search if choice.discover else None,
        problems=choice.problems,
        looking_for="Looking for model servers on this machine …" if choice.discover else "",
        record=arguments.record,
        reader=arguments.reader,
    )


def show(
    fleet: FleetConfig,
    *,
    prepare: Prepare | None = None,
    problems: tuple[str, ...] = (),
    looking_for: str = "",
    make_engine: Callable[[FleetConfig], Engine] | None = None,
    record: str | None = None,
    reader: bool = False,
    tour: bool = False,
) -> int:
    """The console on ``fleet``; ``prepare`` runs behind the first frame, ``record`` names a file to record to.

    ``tour``: with a guide. ``reader``: as lines; so it is too on a terminal that shows nothing else. Returns the exit code.
    """
    plain = reader or is_dumb()
    if not plain and keys_file(fleet) is not None:  # lines have no keys, and are no more careful for a wrong one
        from quarterdeck.cli.keys import with_keys

        fleet, problems = with_keys(fleet, problems)
    if plain:
        from quarterdeck.cli.reader import read

        return read(
            fleet,
            make_engine=make_engine or _make_engine,
            prepare=prepare,
            problems=problems,
            looking_for=looking_for,
            record=record,
            chosen_by_itself=not reader,
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the console needs a terminal", hint="`quarterdeck status` prints the same to a pipe or file.")
    make = make_engine or _make_engine
    if record is None:
        return launch(
            fleet,
            make_engine=make,
            prepare=prepare,
            problems=problems,
            looking_for=looking_for,
            tour=tour,
            first_run=True,
        )
    from quarterdeck.cli.recording import recorded

    with recorded(record, fleet) as recording:
        return launch(
            fleet,
            make_engine=make,
            prepare=prepare,
            problems=problems,
            looking_for=looking_for,
            beside=recording.begin,
            first_run=True,
        )


def is_dumb() -> bool:
    """Whether there is a terminal, but one on which a console can't be drawn."""
    terminal = sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    return terminal and os.environ.get("TERM") == "dumb"


def adjusted(fleet: FleetConfig, arguments: argparse.Namespace) -> FleetConfig:
    """``fleet`` with what the command line says otherwise."""
    console = fleet.console
    if getattr(arguments, "interval", None) is not None:
        console = replace(console, poll=arguments.interval)
    if getattr(arguments, "ascii", False):
        console = replace(console, ascii=True)
    if getattr(arguments, "read_only", False):
        console = replace(console, read_only=True)
    return replace(fleet, console=console, theme_once=getattr(arguments, "theme", None))


def _make_engine(fleet: FleetConfig) -> Engine:
    from quarterdeck.engine.engine import Engine
    from quarterdeck.engine.jobs.board import JobBoard
    from quarterdeck.engine.timeline.witness import Witness

    return Engine(fleet, board=JobBoard(), witness=Witness(fleet))


async def _search(engine: EngineLike) -> Notice:
    """Look for servers on this machine and watch what is found."""
    from quarterdeck.engine.discovery import HOW_TO, LOOKED_FOR, discover, this_host
    from quarterdeck.tui.contract import Notice

    host = this_host()
    engine.add((), (host,))
    found = await discover()
    engine.add(found.endpoints)
    if found.endpoints:
        count = len(found.endpoints)
        return Notice(f"found {count} model server{'' if count == 1 else 's'} on this machine", found.puzzles)
    lines = (
        "No model server found on this machine.",
        f"Looked for {LOOKED_FOR}.",
        f"To watch one, {HOW_TO}.",
        *found.puzzles,
    )
    return Notice("no model server found", lines)
