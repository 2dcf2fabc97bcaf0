"""What a conversation is made of: columns, and turns in them; settings and sums."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from quarterdeck.model.chat.answer import Answer
from quarterdeck.model.chat.fairness import Spread, comparable, spread
from quarterdeck.model.chat.request import ChatRequest, Sampling

if TYPE_CHECKING:
    from quarterdeck.engine.chat.attaching import Prompt

MOST_REPEATS = 20
_AS_THE_SERVER = Sampling()


class Phase(Enum):
    """How far a turn is."""

    QUEUED = auto()
    """Another column comes first (one after another)."""
    WARMING = auto()
    RUNNING = auto()
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Turn:
    """One prompt in one column, and what came back."""

    prompt: Prompt
    request: ChatRequest
    files: tuple[str, ...]
    """Resolved paths of all that is in the request, also from earlier turns."""
    answers: list[Answer]
    """One for each time it was asked; the last one is shown, and goes into the history."""
    repeat: int = 1
    phase: Phase = Phase.QUEUED
    note: str = ""
    """What the reader wrote about it."""

    @property
    def answer(self) -> Answer:
        """The newest."""
        return self.answers[-1]

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.phase is Phase.ENDED

    def spreads(self) -> tuple[Spread | None, Spread | None]:
        """Of what was asked several times, without cold starts: TTFT in seconds, output tokens a second."""
        counted = comparable(self.answers)
        return (
            spread([one.ttft_s for one in counted if one.ttft_s is not None]),
            spread([one.decode_tps for one in counted if one.decode_tps is not None]),
        )


@dataclass(slots=True, eq=False)
class Column:
    """One model of one endpoint."""

    key: int
    """Never used again in this conversation."""
    endpoint: str
    model: str
    own: Sampling = _AS_THE_SERVER
    """What it has otherwise than the others."""
    system: str | None = None
    turns: list[Turn] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def last(self) -> Turn | None:
        """The newest turn."""
        return self.turns[-1] if self.turns else None

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self.turns) and not self.turns[-1].ended


@dataclass(slots=True)
class Settings:
    """What holds for all columns."""

    system: str = ""
    sampling: Sampling = _AS_THE_SERVER
    repeat: int = 1
    warm_up: bool = False
    """Whether models that are not in memory are loaded by a request of one token first."""
    serial: bool = False
    """Whether columns are asked one after another."""


@dataclass(slots=True)
class Totals:
    """Sums of the whole session; what a server doesn't tell is missing in them."""

    answers: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    """US dollars."""
    priced: int = 0
    """Answers whose cost is known."""

    def take(self, answer: Answer) -> None:
        """Count one answer that has ended."""
        self.answers += 1
        self.prompt_tokens += answer.usage.prompt_tokens or 0
        self.output_tokens += answer.output_tokens or 0
        if answer.cost is not None:
            self.cost += answer.cost
            self.priced += 1
