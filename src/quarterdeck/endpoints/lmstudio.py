"""LM Studio, by its REST interface: what is installed, what is loaded, and how. It exports no load.

Sources: GET /api/v1/models (app 0.4 and newer), else /api/v0/models (0.3.6 and newer), else /v1/models. None of them loads a
model: only a request that names one does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from quarterdeck.endpoints.base import openai_models
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.body import items, mapping, parse, text, whole
from quarterdeck.wire.failure import foreign
from quarterdeck.wire.http import Answer, Fetch

PATHS = ("/api/v1/models", "/api/v0/models", "/v1/models")
"""Newest first; an older server answers an unknown path with 404, or with 200 and an error in the body."""
NO_LOAD = "running, waiting and tok/s are unknown: LM Studio exports no load numbers; `lms ps` on its machine tells what is queued"
NO_STATES = "which models are loaded is unknown: LM Studio tells it from 0.3.6 on"
_V0_STATES = {"loaded": ModelState.LOADED, "loading": ModelState.LOADING, "not-loaded": ModelState.INSTALLED}


class LMStudio:
    """One LM Studio server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        del monotonic
        self._fetch = fetch
        self._path: str | None = None

    async def read(self) -> Facts:
        """Loaded models first, then what is only installed."""
        for path in PATHS if self._path is None else (self._path,):
            answer = await self._fetch.optional(path)
            models = _models(path, answer) if answer is not None else None
            if models is not None:
                self._path = path
                return self._facts(path, models)
        self._path = None
        raise foreign("LM Studio")

    def _facts(self, path: str, models: tuple[ModelReading, ...]) -> Facts:
        ordered = sorted(models, key=lambda model: model.state is ModelState.INSTALLED)
        return Facts(
            "lmstudio",
            models=tuple(ordered),
            measured_at=self._fetch.middle,
            notes=(NO_LOAD,) if path != PATHS[-1] else (NO_LOAD, NO_STATES),
            origins={"models": path},
        )


def _models(path: str, answer: Answer) -> tuple[ModelReading, ...] | None:
    """``None`` where the answer is no list of models."""
    if path == PATHS[-1]:
        return openai_models(answer.body, ModelState.SERVED)
    listing = mapping(parse(answer.body)).get("models" if path == PATHS[0] else "data")
    if not isinstance(listing, list):
        return None
    read = _of_v1 if path == PATHS[0] else _of_v0
    return tuple(model for entry in items(listing) for model in read(mapping(entry)))


def _of_v1(entry: Mapping[str, object]) -> Iterator[ModelReading]:
    """A model: one reading per loaded instance, or one that says it is on disk."""
    key = text(entry.get("key"))
    if key is None:
        return
    size, parameters = whole(entry.get("size_bytes")), text(entry.get("params_string"))
    quantization = text(mapping(entry.get("quantization")).get("name"))
    instances = [mapping(instance) for instance in items(entry.get("loaded_instances"), 64)]
    for instance in instances:
        yield ModelReading(
            text(instance.get("id")) or key,
            ModelState.LOADED,
            size_bytes=size,
            context_length=whole(mapping(instance.get("config")).get("context_length")),
            quantization=quantization,
            parameters=parameters,
        )
    if not instances:
        yield ModelReading(
            key,
            ModelState.INSTALLED,
            size_bytes=size,
            context_length=whole(entry.get("max_context_length")),
            quantization=quantization,
            parameters=parameters,
        )


def _of_v0(entry: Mapping[str, object]) -> Iterator[ModelReading]:
    name = text(entry.get("id"))
    if name is None:
        return
    state = _V0_STATES.get(text(entry.get("state")) or "", ModelState.SERVED)
    longest = whole(entry.get("max_context_length"))
    yield ModelReading(
        name,
        state,
        context_length=whole(entry.get("loaded_context_length")) if state is ModelState.LOADED else longest,
        quantization=text(entry.get("quantization")),
    )
