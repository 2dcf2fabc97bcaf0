"""What an answer costs: tokens times a price, or its share of what the GPUs cost. Pure; US dollars."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every poll of a price list imports this, and asks nobody anything
    from quarterdeck.model.chat.answer import Usage

PER = 1_000_000.0
"""Prices are per so many tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per 1M tokens; ``None`` = not known."""

    input: float | None
    output: float | None
    cached_input: float | None = None
    """``None`` = cached tokens cost what others cost."""
    source: str = ""
    """Who says so, and as of when ("fleet.toml, 2026-11-20")."""


def token_cost(price: Price, usage: Usage) -> float | None:
    """(prompt - cached) * input + cached * cached_input + output * output; ``None`` where a part of it is not known."""
    prompt, output = usage.prompt_tokens, usage.output_tokens
    if prompt is None or output is None or price.input is None or price.output is None:
        return None
    cached = min(usage.cached_tokens or 0, prompt)
    of_cached = price.input if price.cached_input is None else price.cached_input
    cost = ((prompt - cached) * price.input + cached * of_cached + output * price.output) / PER
    return cost if isfinite(cost) else None


def gpu_cost(per_hour: float, busy_s: float, running: int | None) -> float:
    """The share of an hour's price that ``busy_s`` seconds are, divided among the requests that ran (this one among them)."""
    return per_hour * busy_s / 3600.0 / max(1, (running or 0) + 1)


def per_million(per_hour: float, tokens_per_second: float) -> float | None:
    """What a million output tokens cost on GPUs that cost ``per_hour``, at a measured throughput."""
    return per_hour / 3600.0 / tokens_per_second * PER if tokens_per_second > 0 else None
