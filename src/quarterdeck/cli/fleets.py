"""Which fleet a command line means: --url, a fleet file, or what runs on this machine."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.fleet import Boundary


class Chosen(NamedTuple):
    """The fleet to watch. ``discover``: it names no endpoint, so this machine is to be searched."""

    fleet: FleetConfig
    problems: tuple[str, ...] = ()
    discover: bool = False


def chosen(arguments: argparse.Namespace) -> Chosen:
    """The fleet that is meant. Raises ConfigError for a --url that can't be used; a wrong file is in ``problems``."""
    if arguments.url:
        from quarterdeck.config.adhoc import adhoc

        return Chosen(_with_this_host(adhoc(arguments.url)))
    from quarterdeck.config.load import load

    loaded = load(arguments.fleet)
    return Chosen(
        loaded.config, tuple(map(str, loaded.problems)), discover=not loaded.config.endpoints and not loaded.problems
    )


def _with_this_host(fleet: FleetConfig) -> FleetConfig:
    """With this machine's GPUs, if any of the servers runs on it."""
    if all(spec.boundary is not Boundary.LOCAL for spec in fleet.endpoints):
        return fleet
    from quarterdeck.engine.discovery import this_host

    return replace(fleet, hosts=(this_host(),))


async def searched(choice: Chosen) -> tuple[FleetConfig, tuple[str, ...]]:
    """The fleet, with this machine searched where nothing was named; and lines about what was puzzling there."""
    if not choice.discover:
        return choice.fleet, ()
    from quarterdeck.engine.discovery import discover, discovered_fleet

    found = await discover()
    return discovered_fleet(choice.fleet, found), found.puzzles


def as_forbidden(fleet: FleetConfig, arguments: argparse.Namespace) -> FleetConfig:
    """What --url names goes around no fleet file: where the usual one is read-only, or protects that server, so it is here."""
    if not arguments.url:
        return fleet
    from quarterdeck.config.load import load

    usual = load(arguments.fleet).config
    guarded = {spec.url for spec in usual.endpoints if spec.protected}
    return replace(
        fleet,
        console=replace(fleet.console, read_only=fleet.console.read_only or usual.console.read_only),
        endpoints=tuple(replace(spec, protected=spec.protected or spec.url in guarded) for spec in fleet.endpoints),
    )
