"""`quarterdeck config check | show | init | schema | keys`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from quarterdeck.errors import ConfigError, UsageError


def run(arguments: argparse.Namespace) -> int:
    """Run the action."""
    if arguments.action == "keys":
        from quarterdeck.cli.keys import run as keys

        return keys(arguments)
    return {"check": _check, "show": _show, "init": _init, "schema": _schema}[arguments.action](arguments)


def _check(arguments: argparse.Namespace) -> int:
    from quarterdeck.cli.keys import problems_of
    from quarterdeck.config.load import load

    loaded = load(arguments.fleet)
    if problems := problems_of(loaded):
        raise ConfigError(problems)
    if loaded.path is None:
        raise UsageError(
            "no fleet.toml found", hint="`quarterdeck config init` writes one from what runs on this machine."
        )
    count = len(loaded.config.endpoints)
    sys.stdout.write(f"{loaded.path}: no problem found; {count} endpoint{'' if count == 1 else 's'}\n")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    from quarterdeck.config.render import render_config

    if arguments.url:
        from quarterdeck.config.adhoc import adhoc
        from quarterdeck.config.origins import adhoc_origins

        fleet = adhoc(arguments.url)
        sys.stdout.write(render_config(fleet, adhoc_origins(fleet) if arguments.origin else None))
        return 0
    from quarterdeck.config.load import load

    loaded = load(arguments.fleet, origins=arguments.origin)
    sys.stdout.write(render_config(loaded.config, loaded.origins if arguments.origin else None))
    if loaded.problems:
        raise ConfigError(tuple(map(str, loaded.problems)), hint="Everything else in the file is shown.")
    return 0


def _init(arguments: argparse.Namespace) -> int:
    import asyncio

    from quarterdeck.config.write import init_text, write_new
    from quarterdeck.engine.discovery import discover, this_host

    path = Path(arguments.file)
    if path.exists():
        raise UsageError(f"{path} is there already; nothing was written", hint="Name another file.")
    found = asyncio.run(discover())
    write_new(path, init_text(found.endpoints, (this_host(),)))
    names = (
        ", ".join(f"{spec.name} ({spec.url})" for spec in found.endpoints)
        or "no model server; add yours where it says [[endpoint]]"
    )
    sys.stdout.write(f"{path} written; found {names}\n")
    for puzzle in found.puzzles:
        sys.stderr.write(f"left out: {puzzle}\n")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    import json

    from quarterdeck.config.schema import json_schema

    del arguments
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0
