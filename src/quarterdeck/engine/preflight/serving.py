"""Whether a server can be started: its port, program, GPUs, and whether weights and cache fit them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.preflight.bounds import bounded
from quarterdeck.engine.preflight.check import BAD, OK, UNKNOWN, WARN, Check, missing
from quarterdeck.engine.preflight.command import Serve, serve_of
from quarterdeck.engine.preflight.facts import ModelFacts
from quarterdeck.engine.preflight.hub import NoSuchFolder, local_facts
from quarterdeck.engine.preflight.machine import Card, Machine, host_of, this_machine
from quarterdeck.engine.preflight.ports import port_check, program_check
from quarterdeck.engine.safety import endpoint_of
from quarterdeck.format import size
from quarterdeck.model import commandlines
from quarterdeck.model.estimate import Architecture, Estimate, Unknown, Verdict, context_that_fits, estimate, fit
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.launch import heads_problem, missing_gpus

_VISIBLE = "CUDA_VISIBLE_DEVICES"
_LONGER = "VLLM_ALLOW_LONG_MAX_MODEL_LEN"
_LOOK_S = 1.0
"""At files and ports of this machine."""


class Start(NamedTuple):
    """A command that is to be run on a machine."""

    argv: tuple[str, ...]
    machine: Machine
    environment: Mapping[str, str]
    """What it gets besides the machine's own."""
    cwd: Path | None = None
    again: bool = False
    """It is stopped first: its port and memory become free."""


async def starting(fleet: FleetConfig, seen: FleetSnapshot, deployment: DeploymentSpec, action: str) -> list[Check]:
    """The findings of starting a deployment."""
    again = action == "restart"
    running = found = _running(seen, deployment) if not again else []
    if deployment.driver not in ("process", "ssh"):
        return [*found, missing(f"what it needs: its command is {deployment.driver}'s")]
    if deployment.driver == "ssh" and deployment.host:
        machine = await host_of(fleet, seen, deployment.host, deployment.endpoint)
    else:
        machine = await this_machine(seen, deployment.endpoint, fleet)
    start = Start(deployment.run, machine, deployment.env, deployment.cwd, again)
    found = [*found, *_other_port(fleet, deployment)]
    if deployment.driver == "ssh":
        words = f"whether its port is free and its program is there: {machine.name} is asked when it is started"
        return [*found, missing(words), *await memory(start)]
    return [*found, *await on_this_machine(start, seen, ports=not running)]


async def on_this_machine(start: Start, seen: FleetSnapshot, *, ports: bool = True) -> list[Check]:
    """Port, program, GPUs and memory of a command that is run here."""
    environment = {**os.environ, **start.environment}
    serve = serve_of(start.argv)
    port = serve.port if serve else commandlines.read(start.argv).port
    found = program_check(start.argv[0], start.cwd, environment) if start.argv else []
    tried, needs = await asyncio.gather(
        _port(serve.host if serve else "", None if start.again or not ports else port, seen), memory(start)
    )
    return [*found, *tried, *needs]


async def _port(host: str, port: int | None, seen: FleetSnapshot) -> list[Check]:
    if port is None:
        return []
    checked, why = await bounded(asyncio.to_thread(port_check, host, port, seen), _LOOK_S)
    return checked if checked is not None else [missing(f"whether port {port} is free ({why})")]


def _running(seen: FleetSnapshot, deployment: DeploymentSpec) -> list[Check]:
    view = next((each for each in seen.endpoints if each.name == deployment.endpoint), None)
    if view is None or view.state is None or not view.state.answers:
        return []
    return [Check(WARN, f"{view.name} answers already: it runs, or something else does at {view.url}")]


def _other_port(fleet: FleetConfig, deployment: DeploymentSpec) -> list[Check]:
    spec, told = endpoint_of(fleet, deployment.endpoint), commandlines.read(deployment.run).port
    if spec is None or told is None or spec.via is not None:
        return []
    try:
        parts = urlsplit(spec.url)
        asked = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return []
    if asked == told:
        return []
    return [Check(WARN, f"its command listens on port {told}, but {spec.name} is asked at port {asked}")]


async def memory(start: Start) -> list[Check]:
    """The GPUs, and whether weights and cache fit them."""
    serve = serve_of(start.argv)
    if serve is None or serve.model is None:
        return []
    environment = {**os.environ, **start.environment}
    if start.machine.here:
        looking = asyncio.to_thread(_looked_up, serve, environment, start.cwd)
        found, why = await bounded(looking, _LOOK_S)
        if isinstance(found, Check):
            return [found, *fitting(serve, ModelFacts(Unknown(())), start)]
        facts = found
    else:
        facts, why = None, f"its files lie on {start.machine.name}"
    facts = facts or ModelFacts(Unknown((f"its size and shape: {why}",)))
    return fitting(serve, facts, start)


def _looked_up(serve: Serve, environment: Mapping[str, str], cwd: Path | None) -> ModelFacts | Check:
    try:
        return local_facts(serve.model or "", environment, serve.download_dir, cwd)
    except NoSuchFolder as error:
        return Check(BAD, str(error))


def fitting(serve: Serve, facts: ModelFacts, start: Start) -> list[Check]:
    """Of a vLLM. Pure."""
    arch = facts.arch if isinstance(facts.arch, Architecture) else None
    problem = heads_problem(serve.tensor, arch.heads if arch else None)
    found = [Check(BAD, f"the model can't run so: {problem}")] if problem else []
    found += [missing(each) for each in start.machine.unknown]
    cards, wrong = chosen(start.machine, start.environment.get(_VISIBLE), serve.gpus)
    found += wrong
    if isinstance(facts.arch, Unknown):
        found += [missing(each) for each in facts.arch.what]
    context = serve.max_model_len or (arch.max_context if arch else None)
    if context is None and arch is not None:
        found.append(missing("the longest context of the model, so --max-model-len"))
    found += _beyond(serve, arch, start)
    if start.machine.without_gpus:
        return [*found, Check(WARN, f"no GPU is seen on {start.machine.name}: only vLLM's CPU build runs there")]
    if wrong or not cards or arch is None or context is None:
        return [*found, *_share_free(serve, cards, start)]
    need = estimate(
        arch,
        weights_file=None if _made_smaller(serve, arch) else facts.file_bytes,
        quantization=serve.quantization if _made_smaller(serve, arch) else None,
        context=context,
        kv_dtype=serve.kv_dtype,
        tensor_parallel=serve.tensor,
        pipeline_parallel=serve.pipeline,
        engine="vllm",
    )
    return [*found, _fitted(need, serve, cards, start)]


def _beyond(serve: Serve, arch: Architecture | None, start: Start) -> list[Check]:
    """A context longer than the model's own, which vLLM refuses (where a stretched one isn't told in another way)."""
    most, asked = arch.max_context if arch else None, serve.max_model_len
    if not most or not asked or asked <= most or start.environment.get(_LONGER) == "1":
        return []
    words = f"--max-model-len {asked} is more than the {most} tokens that the model was made for"
    return [Check(WARN, f"{words}: vLLM refuses that without {_LONGER}=1")]


def _made_smaller(serve: Serve, arch: Architecture) -> bool:
    """Whether the weights are quantised while they are loaded, so that their files tell nothing."""
    return serve.quantization is not None and arch.quantization is None and serve.quantization != "gguf"


def chosen(machine: Machine, visible: str | None, count: int) -> tuple[list[Card], list[Check]]:
    """The GPUs that it would run on, and what is wrong with them. Pure."""
    cards = list(machine.cards)
    if visible is not None and cards:
        wanted = [part.strip() for part in visible.split(",") if part.strip()]
        if all(part.isascii() and part.isdigit() for part in wanted):
            absent = "" if machine.unknown else missing_gpus([int(each) for each in wanted], [c.index for c in cards])
            if absent:
                return [], [Check(BAD, f"{_VISIBLE} names GPUs of {machine.name} that aren't there: {absent}")]
            cards = [card for each in wanted for card in cards if card.index == int(each)]
        else:
            cards = [card for part in wanted for card in cards if (card.uuid or "").startswith(part)]
            if len(cards) < len(wanted):
                return [], [missing(f"which GPUs {_VISIBLE} means")]
    if cards and len(cards) < count and not machine.unknown:
        return [], [Check(BAD, f"it is to run on {count} GPUs, {len(cards)} are there on {machine.name}")]
    return cards[:count], []


def _free(cards: Sequence[Card], start: Start) -> list[int]:
    return [min(card.total, card.free + (card.held if start.again else 0)) for card in cards]


def _share_free(serve: Serve, cards: Sequence[Card], start: Start) -> list[Check]:
    """Whether vLLM gets its share, where that is all that can be told."""
    if serve.own_pool:
        return []
    for card, free in zip(cards, _free(cards, start), strict=True):
        if free < serve.utilization * card.total:
            return [_too_little(card, free, serve, start)]
    if not cards:
        return []
    return [Check(OK, f"{serve.utilization:g} of each GPU's memory is free on {start.machine.name}")]


def _too_little(card: Card, free: int, serve: Serve, start: Start, need: Estimate | None = None) -> Check:
    """With the share that is free instead, unless the model is known not to fit that."""
    words = f"GPU {card.index} of {start.machine.name} has {size(free)} free"
    asked = f"--gpu-memory-utilization {serve.utilization:g} asks for {size(serve.utilization * card.total)}"
    lower = int(100 * free / card.total) / 100 if card.total else 0.0
    if need is None:
        return Check(BAD, f"{words}, {asked}" + (f": at most {lower:g} is free" if lower else ""))
    at = [free] * need.gpus, [card.total] * need.gpus
    if lower and fit(need, *at, utilization=lower).verdict is Verdict.FITS:
        return Check(BAD, f"{words}, {asked}: try {lower:g}")
    longest = context_that_fits(need, *at, utilization=lower) if lower else None
    instead = f"try {lower:g} and --max-model-len {longest}" if longest else "it doesn't fit what is free"
    return Check(BAD, f"{words}, {asked}: {instead}")


def _fitted(need: Estimate, serve: Serve, cards: Sequence[Card], start: Start) -> Check:
    free, totals = _free(cards, start), [card.total for card in cards]
    if not serve.own_pool:
        for card, there in zip(cards, free, strict=True):
            if there < serve.utilization * card.total:
                return _too_little(card, there, serve, start, need)
    found = fit(need, free, totals, utilization=serve.utilization)
    weights = need.each.weights
    if weights is None or found.verdict is Verdict.UNKNOWN:
        return Check(UNKNOWN, f"not known whether it fits: {', '.join(need.unknown)}")
    each = f"weights need {weights.words} a GPU (by {weights.method})"
    notes = f"; {'; '.join(need.notes)}" if need.notes else ""
    longest = context_that_fits(need, free, totals, utilization=serve.utilization)
    if found.verdict is Verdict.FITS or (serve.automatic and longest):
        tokens = f"--max-model-len would be ~{longest}" if serve.automatic and longest else found.words
        sure = found.sure or serve.automatic
        doubt = "" if sure else ": it just fits, or just doesn't"
        return Check(OK if sure else WARN, f"{each}, which leaves {tokens}{doubt}{notes}")
    instead = f": try --max-model-len {longest}" if longest else ": no context would fit"
    level = BAD if found.sure else WARN
    return Check(level, f"{each}; {found.words}{instead}{notes}")
