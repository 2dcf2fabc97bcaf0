"""What comes back: pieces of a stream, and the answer they add up to, with what we measured and what the server said itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that the model wants called. ``index``: which call of the answer a piece belongs to."""

    index: int
    name: str
    arguments: str
    """JSON text; of a piece, the part that came with it."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them, and what it says they cost."""

    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    """Part of ``prompt_tokens``."""
    reasoning_tokens: int | None = None
    """Part of ``output_tokens``."""
    cost: float | None = None
    """US dollars (OpenRouter ``usage.cost``)."""


@dataclass(frozen=True, slots=True)
class ServerTimings:
    """Seconds as the server measured them (llama.cpp ``timings``, Ollama ``*_duration``)."""

    source: str
    load_s: float | None = None
    """Includes waiting for a free slot (Ollama)."""
    prompt_s: float | None = None
    decode_s: float | None = None
    total_s: float | None = None
    prompt_tokens: int | None = None
    """Those really computed, where it tells."""
    output_tokens: int | None = None

    @property
    def decode_tps(self) -> float | None:
        """Output tokens a second."""
        return self.output_tokens / self.decode_s if self.output_tokens and self.decode_s else None


class Piece(NamedTuple):
    """What one event of a stream brought. Everything but text and reasoning is rare."""

    text: str = ""
    reasoning: str = ""
    tools: tuple[ToolCall, ...] = ()
    finish: str | None = None
    """ "stop", "length", "tool_calls", "content_filter", "load", …: the server's word."""
    usage: Usage | None = None
    timings: ServerTimings | None = None
    model: str | None = None
    """Which model answered, by the server's word (a gateway may take another)."""
    note: str = ""
    """What the server or our adapter says besides: a parameter ignored, a fallback taken."""

    @property
    def is_token(self) -> bool:
        """Whether the model said something."""
        return bool(self.text or self.reasoning or self.tools)


class Ending(StrEnum):
    """How an answer ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    FORBIDDEN = "forbidden"
    """Never sent: the policy says no, or nobody agreed."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the endpoint was when the request went out; ``None`` = not known."""

    state: str | None = None
    running: int | None = None
    waiting: int | None = None
    kv_used: float | None = None
    vram_bytes: int | None = None
    watts: float | None = None
    """Of the GPUs of its host."""
    loaded: bool | None = None
    """Whether the model was in memory: ``False`` makes it a cold start."""
    spilled: bool | None = None
    """Whether a part of the model lies in CPU memory."""
    context_length: int | None = None


@dataclass(slots=True)
class Answer:
    """One answer as it grows. Times are monotonic seconds. Not frozen: four streams at 200 tok/s add to theirs in place."""

    endpoint: str
    model: str
    sent_at: float
    circumstances: Circumstances = Circumstances()
    parts: list[str] = field(default_factory=list)
    """Text, in pieces as it came …"""
    thoughts: list[str] = field(default_factory=list)
    """… and reasoning."""
    calls: dict[int, list[ToolCall]] = field(default_factory=dict)
    """The pieces of each tool call; at most `MOST_CALLS`."""
    first_at: float | None = None
    """The first token of any kind."""
    text_at: float | None = None
    """The first text: what came before it was reasoning."""
    last_at: float | None = None
    pieces: int = 0
    """Pieces that brought a token."""
    ended_at: float | None = None
    ending: Ending | None = None
    """``None`` while it goes on."""
    reason: str = ""
    """Why it failed, was cancelled or never sent."""
    finish: str | None = None
    usage: Usage = Usage()
    timings: ServerTimings | None = None
    answered_by: str | None = None
    notes: list[str] = field(default_factory=list)
    """What has to be known to judge the numbers: ignored parameters, a truncated prompt, a cold start."""
    cost: float | None = None
    """US dollars."""
    cost_source: str = ""
    """Where the price comes from, with its date."""

    def take(self, piece: Piece, now: float) -> None:
        """Add what came."""
        if piece.is_token:
            self.first_at = now if self.first_at is None else self.first_at
            self.last_at = now
            self.pieces += 1
            if piece.text:
                self.text_at = now if self.text_at is None else self.text_at
                self.parts.append(piece.text)
            if piece.reasoning:
                self.thoughts.append(piece.reasoning)
            for call in piece.tools:
                self._tool(call)
        self.finish = piece.finish or self.finish
        self.usage = piece.usage or self.usage
        self.timings = piece.timings or self.timings
        self.answered_by = piece.model or self.answered_by
        if piece.note and piece.note not in self.notes:
            self.notes.append(piece.note)

    def _tool(self, call: ToolCall) -> None:
        if call.index in self.calls or len(self.calls) < MOST_CALLS:
            self.calls.setdefault(call.index, []).append(call)
        elif TOO_MANY_CALLS not in self.notes:
            self.notes.append(TOO_MANY_CALLS)

    @property
    def tools(self) -> dict[int, ToolCall]:
        """The tool calls so far, by index."""
        return {index: _joined(index, pieces) for index, pieces in self.calls.items()}

    def end(self, ending: Ending, now: float, reason: str = "") -> None:
        """It goes on no more; the first ending counts."""
        if self.ending is None:
            self.ending, self.ended_at, self.reason = ending, now, reason

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self.parts)

    @property
    def reasoning(self) -> str:
        """All that it thought so far."""
        return "".join(self.thoughts)

    @property
    def ttft_s(self) -> float | None:
        """Seconds from sending to the first token of any kind."""
        return None if self.first_at is None else self.first_at - self.sent_at

    @property
    def total_s(self) -> float | None:
        """Seconds from sending to the end."""
        return None if self.ended_at is None else self.ended_at - self.sent_at

    @property
    def output_tokens(self) -> int | None:
        """As the server counted them; ``None`` where it doesn't tell (pieces are no tokens)."""
        counted = self.usage.output_tokens
        return self.timings.output_tokens if counted is None and self.timings is not None else counted

    @property
    def decode_tps(self) -> float | None:
        """Output tokens a second after the first one: (tokens - 1) / (last - first)."""
        tokens = self.output_tokens
        if tokens is None or tokens < 2 or self.first_at is None or self.last_at is None:
            return None
        took = self.last_at - self.first_at
        return (tokens - 1) / took if took > 0 else None

    @property
    def cold(self) -> bool | None:
        """Whether the model had to be loaded first: marked, and left out of comparisons."""
        if self.timings is not None and self.timings.load_s is not None and self.timings.load_s > COLD_LOAD_S:
            return True
        return None if self.circumstances.loaded is None else not self.circumstances.loaded


def _joined(index: int, pieces: list[ToolCall]) -> ToolCall:
    return ToolCall(
        index,
        next((piece.name for piece in pieces if piece.name), ""),
        "".join(piece.arguments for piece in pieces),
        next((piece.id for piece in pieces if piece.id), ""),
    )


MOST_CALLS = 128
TOO_MANY_CALLS = f"more than {MOST_CALLS} tool calls: the rest is left out"
COLD_LOAD_S = 1.0
"""Ollama tells some milliseconds of ``load_duration`` for a model that is in memory."""
