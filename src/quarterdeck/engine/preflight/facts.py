"""What a server tells of a model before it is loaded: its shape, the size of its files, its own context."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.clock import SYSTEM_CLOCK
from quarterdeck.engine.opening import Opening
from quarterdeck.engine.preflight.bounds import EACH_S
from quarterdeck.engine.preflight.machine import is_loopback
from quarterdeck.model.estimate import Architecture, Unknown, from_model_info
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.wire.body import items, mapping, text, whole

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.line import Line

_CONTEXT = re.compile(r"^num_ctx\s+(\d{1,9})\s*$", re.MULTILINE)
_LEFT_OUT = "ask with verbose"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """``None`` = not told. ``context``: tokens that the model's own settings ask for."""

    arch: Architecture | Unknown
    file_bytes: int | None = None
    quantization: str | None = None
    context: int | None = None
    elsewhere: bool = False
    """It runs on somebody else's machines (an Ollama cloud model)."""


async def facts_of(spec: EndpointSpec, engine: str, model: str, reading: ModelReading | None) -> ModelFacts:
    """What the server of ``engine`` tells of a model. Raises Failure."""
    if engine == "ollama":
        async with _line(spec) as line:
            return await _of_ollama(line, model)
    if engine == "llamacpp":
        async with _line(spec) as line:
            entry = router_entry(await line.json("/models"), model)
        here = spec.via is None and spec.host is None and is_loopback(spec.url)
        return await asyncio.to_thread(_of_router, entry, reading, here)
    told = {"lmstudio": "LM Studio"}.get(engine, engine)
    known = reading.size_bytes if reading is not None and engine == "lmstudio" else None
    return ModelFacts(_untold(told), known, reading.quantization if reading else None)


def _untold(whom: str) -> Unknown:
    return Unknown((f"its layers and heads, which {whom} doesn't tell of a model that isn't loaded",))


async def size_on_disk(spec: EndpointSpec, model: str) -> int | None:
    """Bytes of an Ollama model's files. Raises Failure."""
    async with _line(spec) as line:
        return await _file_bytes(line, model)


@asynccontextmanager
async def _line(spec: EndpointSpec) -> AsyncIterator[Line]:
    from quarterdeck.endpoints.acting.line import Line, Patience

    line = Line(spec, Opening().tunnel(spec, SYSTEM_CLOCK), Patience(answer_s=EACH_S))
    try:
        yield line
    finally:
        await line.close()


async def _of_ollama(line: Line, model: str) -> ModelFacts:
    told = mapping(await line.asked("/api/show", {"model": model}))
    details = mapping(told.get("details"))
    arch = from_model_info(mapping(told.get("model_info")), details)
    if isinstance(arch, Unknown) and any(_LEFT_OUT in each for each in arch.what):
        verbose = mapping(await line.asked("/api/show", {"model": model, "verbose": True}))
        arch = from_model_info(mapping(verbose.get("model_info")), details)
    parameters = told.get("parameters")
    own = _CONTEXT.findall(parameters[:20_000]) if isinstance(parameters, str) else []
    return ModelFacts(
        arch,
        await _file_bytes(line, model),
        _plain(details),
        int(own[-1]) if own and int(own[-1]) > 0 else None,
        elsewhere=bool(text(told.get("remote_host"))),
    )


def router_entry(listing: object, model: str) -> Mapping[str, object]:
    """What a router's /models says of a model. Pure."""
    entries = map(mapping, items(mapping(listing).get("data")))
    return next((entry for entry in entries if entry.get("id") == model), {})


def _of_router(entry: Mapping[str, object], reading: ModelReading | None, here: bool) -> ModelFacts:
    """By the arguments that its server will get; the file's size where the file is on this machine. Blocks."""
    args = [each for each in items(mapping(entry.get("status")).get("args"), 400) if isinstance(each, str)]
    told = dict(pairwise(args))
    size = reading.size_bytes if reading is not None else None
    path = Path(told.get("--model", ""))
    if size is None and here and path.is_absolute():
        with contextlib.suppress(OSError, ValueError):
            size = path.stat().st_size or None
    context = told.get("--ctx-size", "")
    tokens = int(context) if context.isascii() and context.isdigit() and len(context) < 10 else 0
    return ModelFacts(_untold("llama.cpp's router"), size, context=tokens or None)


def _plain(details: Mapping[str, object]) -> str | None:
    told = text(details.get("quantization_level"))
    return told if told and told.lower() != "unknown" else None


async def _file_bytes(line: Line, model: str) -> int | None:
    from quarterdeck.endpoints.acting.names import same

    listing = mapping(await line.json("/api/tags"))
    for entry in map(mapping, items(listing.get("models"))):
        name = text(entry.get("model")) or text(entry.get("name"))
        if name is not None and same(name, model):
            return whole(entry.get("size")) or None
    return None


def disk_bytes(engine: str | None, model: ModelReading | None) -> int | None:
    """Bytes of a model's files, where its row tells them (Ollama's tells the memory of one that is loaded). Pure."""
    if model is None or (engine == "ollama" and model.state is not ModelState.INSTALLED):
        return None
    return model.size_bytes or None
