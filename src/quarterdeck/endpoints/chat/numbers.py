"""Tokens, cost and timings as servers that speak OpenAI's interface tell them."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.model.chat.answer import ServerTimings, Usage
from quarterdeck.wire.body import mapping, number, whole


def usage_of(told: Mapping[str, object]) -> Usage | None:
    """Its tokens, and what it says they cost."""
    usage = mapping(told.get("usage"))
    if not usage:
        return None
    return Usage(
        prompt_tokens=whole(usage.get("prompt_tokens")),
        output_tokens=whole(usage.get("completion_tokens")),
        cached_tokens=whole(mapping(usage.get("prompt_tokens_details")).get("cached_tokens")),
        reasoning_tokens=whole(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        cost=_cost(usage),
    )


def _cost(usage: Mapping[str, object]) -> float | None:
    """OpenRouter: ``cost``; DeepInfra: ``estimated_cost``. US dollars."""
    cost = number(usage.get("cost"))
    cost = number(usage.get("estimated_cost")) if cost is None else cost
    return cost if cost is not None and cost >= 0 else None


def timings_of(told: Mapping[str, object]) -> ServerTimings | None:
    """llama.cpp's ``timings``, or vLLM's ``metrics`` (--enable-per-request-metrics)."""
    timings = mapping(told.get("timings"))
    if timings:
        prompt, output = whole(timings.get("prompt_n")), whole(timings.get("predicted_n"))
        prompt_s, decode_s = _ms(timings, "prompt_ms"), _ms(timings, "predicted_ms")
        both = prompt_s + decode_s if prompt_s is not None and decode_s is not None else None
        return ServerTimings("llama.cpp's timings", None, prompt_s, decode_s, both, prompt, output)
    metrics = mapping(told.get("metrics"))
    if not metrics:
        return None
    first, decode = _ms(metrics, "time_to_first_token_ms"), _ms(metrics, "generation_time_ms")
    output = whole(mapping(told.get("usage")).get("completion_tokens"))
    return ServerTimings("vLLM's metrics", prompt_s=first, decode_s=decode, output_tokens=output)


def _ms(told: Mapping[str, object], name: str) -> float | None:
    value = number(told.get(name))
    return value / 1000 if value is not None and value >= 0 else None
