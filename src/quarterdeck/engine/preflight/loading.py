"""Whether a model fits the memory that is free, what would go for it, and which context would fit. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.engine.preflight.check import BAD, OK, UNKNOWN, WARN, Check
from quarterdeck.engine.preflight.facts import ModelFacts
from quarterdeck.engine.preflight.machine import Machine
from quarterdeck.format import size
from quarterdeck.model.estimate import (
    Architecture,
    Estimate,
    Unknown,
    Verdict,
    context_that_fits,
    estimate,
    fit,
    ollama_expects,
)
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.models import ModelReading, ModelState

_GIB = 2**30
_BY_MEMORY = ((47 * _GIB, 262_144), (23 * _GIB, 32_768), (0, 4096))
"""Ollama's context where nobody asks for another, by the memory of all GPUs (since 0.15.5)."""


class Context(NamedTuple):
    """Tokens, and whose choice they are ("" = asked for)."""

    tokens: int
    whose: str = ""


def loading(
    view: EndpointView, model: ModelReading | None, facts: ModelFacts, machine: Machine, asked: int | None
) -> list[Check]:
    """Of bringing a model into memory. ``asked``: tokens of context, where somebody chose."""
    if facts.elsewhere:
        return [Check(OK, "takes no memory here: it runs on somebody else's machines")]
    context = chosen_context(view, model, facts, machine, asked)
    loaded = model is not None and model.state is ModelState.LOADED
    if loaded and model is not None and view.engine == "ollama" and context.tokens == model.context_length:
        return [Check(OK, f"is in memory already, with {context.tokens} tokens of context: only its time begins anew")]
    found = [Check(UNKNOWN, f"not known: {each}") for each in machine.unknown]
    need = estimate(
        facts.arch,
        weights_file=facts.file_bytes,
        quantization=facts.quantization,
        context=context.tokens,
        engine=view.engine or "",
    )
    found += _too_long(facts, context)
    if not machine.cards and not machine.without_gpus:
        return [*found, *needs_alone(need, context)]
    own = _in_gpu(model) if loaded else 0
    evicted = _evicted(view, model, need, machine, own)
    found += [_eviction(view, evicted)] if evicted else []
    found += _instances(view, loaded=loaded)
    freed = own + sum(map(_in_gpu, evicted))
    return [*found, *compared(need, context, machine, freed)]


def chosen_context(
    view: EndpointView, model: ModelReading | None, facts: ModelFacts, machine: Machine, asked: int | None
) -> Context:
    """The context it would be loaded with: asked for, its own setting, what the server gives others, its default."""
    found = _context(view, model, facts, machine, asked)
    most = facts.arch.max_context if isinstance(facts.arch, Architecture) else None
    return found if not most or found.tokens <= most else Context(most, "all that it was made for")


def _context(
    view: EndpointView, model: ModelReading | None, facts: ModelFacts, machine: Machine, asked: int | None
) -> Context:
    if asked:
        return Context(asked)
    if model is not None and model.state is ModelState.LOADED and model.context_length:
        return Context(model.context_length, "as it has now")
    if facts.context:
        return Context(facts.context, "by its own settings")
    others = [each.context_length for each in view.models if each.state is ModelState.LOADED and each.context_length]
    if others:
        return Context(max(others), "as the server gave another model")
    if view.engine != "ollama":
        return Context(4096, "assumed: the server's setting isn't known")
    whole = sum(machine.totals)
    tokens = next(tokens for least, tokens in _BY_MEMORY if whole >= least)
    return Context(tokens, f"Ollama's default for {size(whole)} of GPU memory, unless OLLAMA_CONTEXT_LENGTH is set")


def _too_long(facts: ModelFacts, context: Context) -> list[Check]:
    if context.whose != "all that it was made for" or not isinstance(facts.arch, Architecture):
        return []
    return [Check(OK, f"the context is {context.tokens} tokens at most: it was made for no more")]


def needs_alone(need: Estimate, context: Context) -> list[Check]:
    """What it needs, where nobody knows what is free."""
    if need.total is not None:
        return [Check(UNKNOWN, f"needs {_figure(need, context)}; whether that is free is not known")]
    if need.weights is not None:
        return [Check(UNKNOWN, f"its weights need {need.weights.words} (by {need.weights.method}); {_lacking(need)}")]
    return [Check(UNKNOWN, f"not known: how much memory it needs ({', '.join(need.unknown)})")]


def compared(need: Estimate, context: Context, machine: Machine, freed: int = 0) -> list[Check]:
    """What llama.cpp's engines need, against what is free; ``freed``: GPU memory that becomes so for it."""
    free = [*machine.free]
    if free:
        free[0] += freed
    ram = None if machine.unified else machine.free_ram
    if not free:  # everything goes where layers go that fit no GPU
        return [_in_ram(need, context, machine)]
    found = fit(need, free, free_ram=0 if machine.unified else ram)
    there = f"{size(sum(free))} {'are or become' if freed else 'are'} free {machine.memory}"
    if found.verdict is Verdict.UNKNOWN or need.total is None:
        level = BAD if found.verdict is Verdict.NO else WARN if found.verdict is Verdict.SPILLS else UNKNOWN
        return [Check(level, f"{_at_least(need)}; {there}; {_lacking(need)}")]
    said = f"needs {_figure(need, context)}; {there}"
    if found.verdict is Verdict.FITS:
        longest = context_that_fits(need, free)
        up_to = f", and would with up to {longest} tokens" if longest and longest > context.tokens else ""
        if found.sure:
            return [Check(OK, f"{said}: it fits{up_to}")]
        return [Check(WARN, f"{said}: it just fits, or just doesn't: the difference is smaller than the ±")]
    longest = context_that_fits(need, free)
    instead = f"; try a context of {longest}" if longest else "; no context would fit"
    level = BAD if found.verdict is Verdict.NO else WARN
    return [Check(level, f"{said}: {found.words}{instead}")]


def _in_ram(need: Estimate, context: Context, machine: Machine) -> Check:
    if need.total is None:
        return Check(UNKNOWN, f"{_at_least(need)}; {_lacking(need)}")
    said = f"needs {_figure(need, context)}; no GPU is seen on {machine.name}, so all of it is in system memory"
    if machine.free_ram is None:
        return Check(UNKNOWN, f"{said}; not known: how much of that is free")
    there = f"{size(machine.free_ram)} are free there"
    if need.total.low > machine.free_ram:
        return Check(BAD, f"{said}: {there}")
    return Check(OK if need.total.high <= machine.free_ram else WARN, f"{said}: {there}")


def _figure(need: Estimate, context: Context) -> str:
    """ "~6.1 GiB (5.6 GiB – 7.0 GiB: file size + KV cache in f16 …) with 8192 tokens of context (its own setting)"."""
    total = need.total
    assert total is not None
    bounds = f"{size(total.low)} – {size(total.high)}, by {total.method}"
    notes = f"; {'; '.join(need.notes)}" if need.notes else ""
    whose = f" ({context.whose})" if context.whose else ""
    return f"~{size(total.bytes)} ({bounds}{notes}) with {context.tokens} tokens of context{whose}"


def _at_least(need: Estimate) -> str:
    if need.weights is None:
        return f"it needs {size(need.at_least)} at least"
    return f"its weights need {need.weights.words} (by {need.weights.method})"


def _lacking(need: Estimate) -> str:
    return f"the rest is not known: {', '.join(need.unknown)}"


# ---- what goes for it


def _evicted(
    view: EndpointView, model: ModelReading | None, need: Estimate, machine: Machine, own: int
) -> list[ModelReading]:
    """The models that an Ollama would take out of memory first: those whose time is up soonest."""
    if view.engine != "ollama" or not machine.cards:
        return []
    loaded = [each for each in view.models if each.state is ModelState.LOADED and each is not model]
    first = sorted(loaded, key=lambda each: (each.expires_at if each.expires_at is not None else 0.0, each.id))
    gone: list[ModelReading] = []
    while first and not _has_room(need, machine, own + sum(map(_in_gpu, gone))):
        gone.append(first.pop(0))
    return gone


def _has_room(need: Estimate, machine: Machine, freed: int) -> bool:
    free = [machine.free[0] + freed, *machine.free[1:]]
    expects = ollama_expects(need, free)
    if expects is not None:
        return expects
    return fit(need, free).verdict not in (Verdict.SPILLS, Verdict.NO)


def _eviction(view: EndpointView, evicted: Sequence[ModelReading]) -> Check:
    names = ", ".join(each.label for each in evicted[:4])
    pinned = [each.label for each in evicted if each.expires_at is not None and math.isinf(each.expires_at)]
    held = sum(map(_in_gpu, evicted))
    about = f" (pinned: {', '.join(pinned[:4])})" if pinned else ""
    words = f"would probably evict {names}{about} from {view.name}, {size(held)} of GPU memory"
    return Check(WARN, f"{words}: an Ollama wants file size + cache to be at most 80 % of what is free")


def _instances(view: EndpointView, *, loaded: bool) -> list[Check]:
    """What a router's --models-max, or a llama-swap's groups, send away."""
    others = [each.label for each in view.models if each.state in (ModelState.LOADED, ModelState.SLEEPING)]
    if loaded or not others:
        return []
    if view.engine == "llama-swap":
        return [Check(WARN, f"may stop {', '.join(others[:4])}: models of one group of a llama-swap take turns")]
    most = dict(view.identity).get("most models at once", "")
    if view.engine == "llamacpp" and most.isdecimal() and 0 < int(most) <= len(others):
        words = f"would evict the one of {', '.join(others[:4])} that was used longest ago"
        return [Check(WARN, f"{words}: the router keeps {most} models at once (--models-max)")]
    return []


def _in_gpu(model: ModelReading | None) -> int:
    return (model.vram_bytes or 0) if model is not None else 0


def unknown_model() -> ModelFacts:
    """Of a model that no server has yet."""
    return ModelFacts(Unknown(("its layers and heads, which are told when it is there",)))
