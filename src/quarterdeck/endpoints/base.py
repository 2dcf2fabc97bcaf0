"""What every adapter is, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts, Outcome
from quarterdeck.wire.body import items, mapping, number, parse, text, whole
from quarterdeck.wire.failure import Failure

IDENTITY_EVERY_S = 15.0
"""How often the things that rarely change (version, models) are asked for."""


class Adapter(Protocol):
    """Speaks one engine's interface to one server. Keeps what it learned; dropped when the server goes away."""

    async def read(self) -> Facts:
        """Ask the server once. Raises Failure with a reason in words; any other exception is a bug that `Endpoint` survives."""
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
    fields = mapping(listing)
    data = listing if isinstance(listing, list) else fields.get("data")
    if data is None and "data" in fields and fields.get("object") == "list":
        data = []  # Ollama without a model: Go's nil slice
    if not isinstance(data, list):
        return None
    return tuple(model for entry in items(data) if (model := _openai_model(mapping(entry), state)) is not None)


def _openai_model(entry: object, state: ModelState) -> ModelReading | None:
    fields = mapping(entry)
    name = text(fields.get("id"))
    if name is None:
        return None
    meta = mapping(fields.get("meta"))
    context = whole(fields.get("max_model_len")) or whole(fields.get("context_length")) or whole(meta.get("n_ctx"))
    return ModelReading(
        name, state, size_bytes=whole(meta.get("size")), context_length=context, quantization=text(meta.get("ftype"))
    )


def first_owner(body: bytes) -> str | None:
    """``owned_by`` of the first model of a ``/v1/models`` answer."""
    data = items(mapping(parse(body)).get("data"), 1)
    return text(mapping(data[0]).get("owned_by")) if data else None


def redacted(facts: Facts | None, clean: Callable[[str], str]) -> Facts | None:
    """``facts`` with every text cleaned: a hostile server can spell our key so that no search of its answer finds it."""
    if facts is None:
        return None
    return replace(
        facts,
        version=_cleaned(facts.version, clean),
        engines=tuple(replace(engine, label=clean(engine.label)) for engine in facts.engines),
        models=tuple(
            replace(
                model,
                id=clean(model.id),
                quantization=_cleaned(model.quantization, clean),
                parameters=_cleaned(model.parameters, clean),
            )
            for model in facts.models
        ),
        notes=tuple(clean(note) for note in facts.notes),
    )


def _cleaned(text_or_none: str | None, clean: Callable[[str], str]) -> str | None:
    return None if text_or_none is None else clean(text_or_none)


def unauthorised(failure: Failure) -> bool:
    """Whether the server wants a (better) key."""
    return failure.outcome is Outcome.AUTH


def gigabytes(value: object) -> int | None:
    """GB as a float (SGLang) in bytes."""
    found = number(value)
    return round(found * 2**30) if found is not None and 0 <= found < 1e7 else None
