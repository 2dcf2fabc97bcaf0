"""`quarterdeck check`: one line and an exit code, within --timeout whatever hangs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.engine import Engine
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import duration
from quarterdeck.model.demands import Demands, matches, selected, unmet
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot, State
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import Finding, Level, Verdict, judged, with_problems
from quarterdeck.report.check import document, line, verbose

if TYPE_CHECKING:
    from quarterdeck.model.models import ModelReading

BETWEEN_SAMPLES_S = 2.0
"""For what one look doesn't tell."""
_NEVER = 1 << 30


def run(arguments: argparse.Namespace) -> int:
    """Print the line; the exit code is the level. What can't be checked at all is UNKNOWN, said on the same line."""
    try:
        choice = chosen(arguments)
        demands = demanded(arguments)
        snapshot, limits, failed = asyncio.run(_looked(arguments, choice, demands))
        verdict = judged(snapshot, _limits(limits, demands), [*failed, *unmet(snapshot, demands)])
        return _say(snapshot, with_problems(verdict, choice.problems), arguments)
    except QuarterdeckError as error:
        return _say(EMPTY_FLEET, Verdict(Level.UNKNOWN, error.message.replace("\n", "; ")), arguments)
    except Exception as error:  # noqa: BLE001  (Python's own exit code for it, 1, would be read as a warning)
        sys.stderr.write(f"quarterdeck check: {type(error).__name__}: {error}\n")
        return int(Level.UNKNOWN)


def demanded(arguments: argparse.Namespace) -> Demands:
    """What the command line demands."""
    return Demands(
        endpoints=tuple(arguments.endpoint),
        hosts=tuple(arguments.host),
        models=tuple(arguments.model),
        waiting=arguments.max_waiting,
        kv=arguments.max_kv,
        ttft_p95_s=arguments.max_ttft_p95,
        vram_free=arguments.min_vram_free,
        gpu_temperature=arguments.max_gpu_temp,
        endpoints_up=arguments.min_endpoints_up,
        expected=tuple(arguments.expect_model),
    )


def _limits(limits: Limits, demands: Demands) -> Limits:
    """Those of the fleet file, where the command line has none."""
    return replace(
        limits,
        warn_waiting=_NEVER if demands.waiting else limits.warn_waiting,
        warn_kv=float(_NEVER) if demands.kv else limits.warn_kv,
    )


def _say(snapshot: FleetSnapshot, verdict: Verdict, arguments: argparse.Namespace) -> int:
    if arguments.json:
        import json

        sys.stdout.write(json.dumps(document(snapshot, verdict), ensure_ascii=False, indent=2) + "\n")
        return int(verdict.level)
    sys.stdout.write(line(snapshot, verdict) + "\n")
    if arguments.verbose:
        sys.stdout.write(verbose(snapshot, verdict))
    return int(verdict.level)


async def _looked(
    arguments: argparse.Namespace, choice: Chosen, demands: Demands
) -> tuple[FleetSnapshot, Limits, Sequence[Finding]]:
    """One poll of everything, two of what is DOWN, and where rates are demanded; what has not answered by then has no state."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + arguments.timeout
    fleet, _ = await searched(choice)
    fleet = _narrowed(fleet, demands)
    engine = Engine(fleet)
    failed: list[Finding] = []
    try:
        async with asyncio.timeout_at(deadline):
            await engine.once()
            down = {view.name for view in engine.snapshot().endpoints if view.state is State.DOWN}
            if down:  # one missed deadline wakes nobody
                await engine.once(down)
            if demands.needs_rates:
                await asyncio.sleep(BETWEEN_SAMPLES_S)
                await engine.once()
            if arguments.probe:
                await _probed(engine, demands, failed)
    except TimeoutError:
        pass
    finally:
        snapshot = _asked(selected(engine.snapshot(), demands), arguments.timeout)
        await engine.stop()
    return snapshot, fleet.limits, failed


def _asked(fleet: FleetSnapshot, within: float) -> FleetSnapshot:
    """Says of each endpoint that was asked and has not answered that it hasn't."""
    silent = f"no answer within {duration(within)}"
    views = tuple(replace(view, reason=silent) if view.state is None else view for view in fleet.endpoints)
    return replace(fleet, endpoints=views)


async def _probed(engine: Engine, demands: Demands, failed: list[Finding]) -> None:
    """Have every model that is looked at and ready say one token; one that doesn't is critical."""
    from quarterdeck.engine.probing import ready_models

    async def one(name: str, model: ModelReading) -> None:
        subject = f"{name} {model.label}"
        try:
            _, took = await engine.probe(name, model.id, most_tokens=1)
        except QuarterdeckError as error:
            failed.append(Finding(Level.CRITICAL, subject, f"does not answer a request: {error.message}"))
            return
        if demands.ttft_p95_s is None or took.ttft_s is None:
            return
        level = demands.ttft_p95_s.above(took.ttft_s)
        if level is not Level.OK:
            failed.append(Finding(level, subject, f"TTFT of our own request {duration(took.ttft_s)}"))

    views = selected(engine.snapshot(), demands).endpoints  # nothing in memory is no fault, and DOWN is said already
    asked = [(view.name, model) for view in views for model in ready_models(view) if _is_meant(model, demands)]
    await asyncio.gather(*(one(name, model) for name, model in asked))


def _is_meant(model: ModelReading, demands: Demands) -> bool:
    return any(matches(name, demands.models) for name in (model.id, model.label))


def _narrowed(fleet: FleetConfig, demands: Demands) -> FleetConfig:
    """Without what isn't looked at. Reading this machine's GPUs would import the driver's library: only where that is demanded."""
    endpoints = tuple(
        spec for spec in fleet.endpoints if matches(spec.name, demands.endpoints) and matches(spec.host, demands.hosts)
    )
    hosts = tuple(
        host
        for host in fleet.hosts
        if matches(host.name, demands.hosts) and (demands.needs_gpus or host.gpus.startswith("http"))
    )
    return replace(fleet, endpoints=endpoints, hosts=hosts)
