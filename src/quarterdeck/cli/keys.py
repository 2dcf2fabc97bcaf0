"""`quarterdeck config keys`: the keys in force, by view, and where each was said; and what is wrong with those asked for."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from quarterdeck.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quarterdeck.config.fleet import FleetConfig
    from quarterdeck.config.load import Loaded
    from quarterdeck.tui.keys.keymap import KeyTable

_NAME, _KEYS, _PLACE = 18, 14, 24
OWN = "–"


def with_keys(fleet: FleetConfig, problems: tuple[str, ...] = ()) -> tuple[FleetConfig, tuple[str, ...]]:
    """With what a keys.toml says; it wins over [keys] of the fleet file."""
    from dataclasses import replace

    from quarterdeck.config.keymap import read_file
    from quarterdeck.config.load import keys_file

    path = keys_file(fleet)
    if path is None:
        return fleet, problems
    read = read_file(path)
    return replace(fleet, keys=fleet.keys + read.wishes), problems + tuple(map(str, read.problems))


def problems_of(loaded: Loaded) -> tuple[str, ...]:
    """All that is wrong with a fleet file and with keys.toml."""
    fleet, problems = with_keys(loaded.config, tuple(map(str, loaded.problems)))
    if not fleet.keys:
        return problems
    from quarterdeck.tui.keys.keymap import key_table

    return problems + key_table(fleet.keys).problems


def run(arguments: argparse.Namespace) -> int:
    """Print them. Raises ConfigError where some can't be had; all others are printed."""
    from quarterdeck.config.load import load
    from quarterdeck.tui.commands import EVERYWHERE
    from quarterdeck.tui.keys.keymap import key_table

    loaded = load(arguments.fleet)
    view = getattr(arguments, "view", None)
    if view and view not in EVERYWHERE:
        raise UsageError(f"no view is called {view}", hint=f"Views: {', '.join(EVERYWHERE)}.")
    fleet, _ = with_keys(loaded.config)
    sys.stdout.write("\n".join(key_lines(key_table(fleet.keys), (view,) if view else EVERYWHERE)) + "\n")
    problems = tuple(text for text in problems_of(loaded) if ": keys" in text or "keys.toml" in text)
    if problems:
        raise ConfigError(problems, hint="The keys in force are printed above.")
    return 0


def key_lines(table: KeyTable, views: tuple[str, ...]) -> Iterator[str]:
    """A line for each command and action, by view: name, keys, where that was said, what it does."""
    from quarterdeck.tui.keys.keymap import everything, there

    every = list(everything())
    for place, view in enumerate(views):
        if place:
            yield ""
        yield f"[keys.{view}]"
        for named in there(view, every):
            shown = table.keys(named, view).shown or "–"
            origin = table.origin(named, view) or OWN
            yield f"{named.name:<{_NAME}}  {shown:<{_KEYS}}  {origin:<{_PLACE}}  {named.label}".rstrip()
