"""`quarterdeck probe`: one small request to a model, timed."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from quarterdeck.cli.fleets import chosen, searched
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.probing import probe
from quarterdeck.errors import ConfigError, QuarterdeckError
from quarterdeck.format import duration, rate
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
    from quarterdeck.wire.failure import Failure

    try:
        await engine.once([name])
        return await probe(engine, name, wanted)
    except Failure as failure:
        raise QuarterdeckError(f"{name} did not answer: {failure.reason}") from None
    finally:
        await engine.stop()


def in_words(request: OwnRequest) -> str:
    """ "TTFT 420 ms, 41 tok/s (16 tokens)"."""
    tokens = f" ({request.tokens} tokens)" if request.tokens is not None else ""
    return f"TTFT {duration(request.ttft_s)}, {rate(request.decode_tps)} tok/s{tokens}"


def _document(name: str, model: ModelReading, request: OwnRequest) -> dict[str, object]:
    return {
        "endpoint": name,
        "model": model.id,
        "ttft_s": request.ttft_s,
        "decode_tps": request.decode_tps,
        "tokens": request.tokens,
    }
