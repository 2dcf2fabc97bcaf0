"""What is asked of a model, in words that every engine's adapter translates into its own."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum


class Role(StrEnum):
    """Who says it."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture attached to a message."""

    name: str
    media_type: str
    """ "image/png", …"""
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: Role
    text: str
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the answer is drawn; ``None`` = as the server does by itself."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    context_length: int | None = None
    """Tokens (Ollama ``num_ctx``: another value makes it load the model again)."""
    effort: str | None = None
    """Reasoning effort: "none", "low", "medium", "high"."""
    schema: str | None = None
    """JSON Schema that the answer has to follow, as JSON text."""
    stop: tuple[str, ...] | None = None

    def over(self, shared: Sampling) -> Sampling:
        """``shared``, but what is set here as it is here."""
        own = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(shared, **own)


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request to one model."""

    model: str
    """Its id, as the server knows it."""
    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
