"""`quarterdeck probe`: one small request to a model, timed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from quarterdeck.cli.fleets import chosen, searched
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.probing import in_words
from quarterdeck.errors import ConfigError
from quarterdeck.model.models import ModelReading
from quarterdeck.model.own import OwnRequest


def run(arguments: argparse.Namespace) -> int:
    """Print what it took; 0 if it was answered."""
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    fleet, _ = asyncio.run(searched(choice))
    model, request = asyncio.run(_probe(Engine(fleet), arguments.endpoint, arguments.model))
    if arguments.json:
        sys.stdout.write(json.dumps(_document(arguments.endpoint, model, request), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(f"{arguments.endpoint} {model.label}: {in_words(request)}\n")
    return 0


async def _probe(engine: Engine, name: str, wanted: str | None) -> tuple[ModelReading, OwnRequest]:
    try:
        await engine.once([name])
        return await engine.probe(name, wanted)
    finally:
        await engine.stop()


def _document(name: str, model: ModelReading, request: OwnRequest) -> dict[str, object]:
    return {
        "endpoint": name,
        "model": model.id,
        "ttft_s": request.ttft_s,
        "decode_tps": request.decode_tps,
        "tokens": request.tokens,
    }
