"""`quarterdeck show`: what a server tells of a model."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping

from quarterdeck.cli.fleets import chosen, searched
from quarterdeck.engine.asking import newer, show
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.meant import places
from quarterdeck.errors import ConfigError
from quarterdeck.format import printable


def run(arguments: argparse.Namespace) -> int:
    """Print; 0 if the server told."""
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    fleet, _ = await searched(chosen(arguments))
    engine = Engine(fleet)
    try:
        await engine.once([arguments.on] if arguments.on else None)
        seen = engine.snapshot()
    finally:
        await engine.stop()
    view, model = places(arguments.model, [arguments.on] if arguments.on else None, seen)[0]
    if arguments.newer:
        words = await newer(fleet, view.name, view.engine or "openai", model.id)
        if arguments.json:
            told = {"endpoint": view.name, "model": model.id, "newer": words}
            sys.stdout.write(json.dumps(told, ensure_ascii=False, indent=2) + "\n")
        else:
            sys.stdout.write(f"{printable(model.id)}: {printable(words)}\n")
        return 0
    about = await show(fleet, view.name, view.engine or "openai", model.id)
    if arguments.json:
        sys.stdout.write(
            json.dumps({"endpoint": view.name, "model": model.id, **about}, ensure_ascii=False, indent=2, default=str)
            + "\n"
        )
    else:
        sys.stdout.write(f"{printable(model.id)} on {view.name}\n{text(about)}")
    return 0


def text(told: Mapping[str, object]) -> str:
    """Names and values; long ones indented under their name."""
    lines = []
    for name, value in told.items():
        rows = _rows(value)
        if len(rows) <= 1:
            lines.append(f"  {printable(name, 60):<20} {rows[0] if rows else '–'}")
        else:
            lines += [f"  {printable(name, 60)}", *(f"    {row}" for row in rows)]
    return "".join(f"{line}\n" for line in lines)


def _rows(value: object) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{printable(str(key), 80):<40} {printable(str(item), 400)}" for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [printable(", ".join(str(item) for item in value), 400)] if value else []
    return [printable(row, 2000) for row in str(value).splitlines()] if value not in (None, "") else []
