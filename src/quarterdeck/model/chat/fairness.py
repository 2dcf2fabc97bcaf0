"""What makes an answer hard to compare: said beside it, never hidden. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from quarterdeck.model.chat.answer import Answer, Ending
from quarterdeck.model.chat.request import ChatRequest

_WORD = re.compile(r"[^\W\d_]+|\d+")
_LEAST_WORDS = 200
"""Shorter prompts fit everywhere; the bound below is too rough for them."""


def least_tokens(text: str) -> int:
    """A lower bound of what a prompt takes: few tokenizers put two words (runs of letters or digits) into one token."""
    return sum(1 for _ in _WORD.finditer(text))


def remarks(answer: Answer, request: ChatRequest) -> list[str]:
    """Notes on one answer: cut prompt, cut answer, cold start, memory on the CPU, another model, limits of the numbers."""
    notes: list[str] = []
    if cut := _truncated(answer, request):
        notes.append(cut)
    if answer.finish == "length":
        notes.append("the answer was cut: max tokens or the context was reached")
    if answer.cold and answer.ending is Ending.DONE:
        load = answer.timings.load_s if answer.timings is not None else None
        notes.append("cold start" + (f": loading took {load:.1f} s" if load is not None else "") + "; not compared")
    if answer.circumstances.spilled:
        notes.append("a part of the model lies in CPU memory: slower than it could be")
    if (
        answer.answered_by
        and answer.answered_by not in (request.model, f"{request.model}:latest")
        and answer.ending is Ending.DONE
    ):
        notes.append(f"answered by {answer.answered_by}")
    return notes


def _truncated(answer: Answer, request: ChatRequest) -> str:
    """Ollama cuts a prompt silently: it reads fewer tokens than the prompt has words."""
    read = answer.usage.prompt_tokens
    if read is None:
        return ""
    least = sum(least_tokens(message.text) for message in request.messages)
    if least < _LEAST_WORDS or read >= 0.9 * least:
        return ""
    return f"the server cut the prompt: it read {read} tokens of at least {least}"


@dataclass(frozen=True, slots=True)
class Spread:
    """Of repeated measurements: the middle, and from where to where the middle half lies (min and max below four)."""

    count: int
    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread | None:
    """``None`` where nothing was measured."""
    if not values:
        return None
    if len(values) < 4:
        return Spread(len(values), median(values), min(values), max(values))
    low, _, high = quantiles(values, n=4, method="inclusive")
    return Spread(len(values), median(values), low, high)


def comparable(answers: Sequence[Answer]) -> list[Answer]:
    """Those that count in a comparison: done, and not a cold start."""
    return [one for one in answers if one.ending is Ending.DONE and not one.cold]


def disturbance(hosts: Sequence[str | None]) -> str:
    """Words where columns run on one machine at the same time; "" where they don't. ``None``: nobody said where it runs."""
    known = [host for host in hosts if host is not None]
    shared = sorted({host for host in known if known.count(host) > 1})
    if not shared:
        return ""
    return (
        f"several run on {', '.join(shared)}: at the same time they slow each other down; one after another is fairer"
    )
