"""What every adapter is, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from typing import Any, Protocol

from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts, Histogram, Outcome
from quarterdeck.wire.body import items, mapping, parse, text, whole
from quarterdeck.wire.failure import Failure

IDENTITY_EVERY_S = 15.0
"""How often the things that rarely change (version, models) are asked for."""


class Adapter(Protocol):
    """Speaks one engine's interface to one server. Keeps what it learned; dropped when the server goes away."""

    async def read(self) -> Facts:
        """Ask the server once. Raises Failure with a reason in words; any other exception is a bug that `Endpoint` survives."""
        ...


class Tunnel(Protocol):
    """A way to a server that doesn't listen where we are."""

    async def ready(self) -> str:
        """The path of a socket that leads there. Raises Failure where there is none yet."""
        ...

    async def explained(self, failure: Failure) -> Failure:
        """``failure`` of a request through it, in words that tell the way from its end."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Partly(Failure):
    """The server refused a part of what was asked, the rest is known."""

    def __init__(self, failure: Failure, facts: Facts) -> None:
        """``facts``: what could be read all the same."""
        super().__init__(failure.outcome, failure.reason, status=failure.status)
        self.facts = facts


@dataclass(slots=True)
class Cadence:
    """Says when something slow-changing is due again."""

    monotonic: Callable[[], float]
    every: float = IDENTITY_EVERY_S
    _next: float = float("-inf")

    def due(self) -> bool:
        """Whether ``every`` seconds have passed since it was ``done``."""
        return self.monotonic() >= self._next

    def done(self) -> None:
        """It was asked for and answered (a poll that is cut off by its deadline leaves it due)."""
        self._next = self.monotonic() + self.every


def openai_models(body: bytes, state: ModelState) -> tuple[ModelReading, ...] | None:
    """The models of a ``/v1/models`` answer: ``{"data": […]}`` or a bare list (Together); ``None`` if it is neither."""
    listing = parse(body)
    told = mapping(listing)
    data = listing if isinstance(listing, list) else told.get("data")
    if data is None and "data" in told and told.get("object") == "list":
        data = []  # Ollama without a model: Go's nil slice
    if not isinstance(data, list):
        return None
    return tuple(model for entry in items(data) if (model := _openai_model(mapping(entry), state)) is not None)


def _openai_model(entry: object, state: ModelState) -> ModelReading | None:
    told = mapping(entry)
    name = text(told.get("id"))
    if name is None:
        return None
    meta = mapping(told.get("meta"))
    return ModelReading(
        name,
        state,
        size_bytes=whole(meta.get("size")),
        context_length=_context_of(told, meta),
        quantization=text(meta.get("ftype")),
        parameters=_billions(meta.get("n_params")),
        parent=text(told.get("parent")),
    )


def _billions(count: object) -> str | None:
    """A number of parameters as models are named by it."""
    found = whole(count)
    if not found:
        return None
    return f"{found / 1e9:.1f}B" if found >= 1e9 else f"{found / 1e6:.1f}M"


def _context_of(entry: Mapping[str, object], meta: Mapping[str, object]) -> int | None:
    """Under the names of vLLM and SGLang, OpenRouter and Together, LiteLLM, llama.cpp, DeepInfra, and OpenRouter's best provider."""
    metadata, provider = mapping(entry.get("metadata")), mapping(entry.get("top_provider"))
    told = (
        entry.get("max_model_len"),
        entry.get("context_length"),
        entry.get("max_input_tokens"),
        meta.get("n_ctx"),
        metadata.get("context_length"),
        provider.get("context_length"),
    )
    return next((context for value in told if (context := whole(value))), None)


def first_owner(body: bytes) -> str | None:
    """``owned_by`` of the first model of a ``/v1/models`` answer."""
    data = items(mapping(parse(body)).get("data"), 1)
    return text(mapping(data[0]).get("owned_by")) if data else None


def redacted(facts: Facts | None, clean: Callable[[str], str]) -> Facts | None:
    """``facts`` with every text cleaned: a hostile server can spell our key so that no search of its answer finds it."""
    cleaned = _deeply(facts, clean)
    return cleaned if isinstance(cleaned, Facts) else None


def _deeply(value: object, clean: Callable[[str], str]) -> object:
    """``value`` with every text in it cleaned, however deep; whatever holds none is the same object."""
    if value is None or isinstance(value, StrEnum | Histogram | int | float):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, tuple):
        cleaned = tuple([_deeply(item, clean) for item in value])
        return value if cleaned == value else cleaned
    if isinstance(value, Mapping):
        return {key: _deeply(item, clean) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        told = {name: getattr(value, name) for name in _names(type(value))}
        changed = {
            name: found for name, part in told.items() if (found := _deeply(part, clean)) is not part and found != part
        }
        return replace(value, **changed) if changed else value
    return value


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def unauthorised(failure: Failure) -> bool:
    """Whether the server wants a (better) key."""
    return failure.outcome is Outcome.AUTH
