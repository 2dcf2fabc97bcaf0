"""Which questions an order raises, asked together and inside three seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.preflight.bounds import WITHIN_S, bounded
from quarterdeck.engine.preflight.check import Check, missing, told
from quarterdeck.engine.preflight.facts import ModelFacts, disk_bytes, facts_of, size_on_disk
from quarterdeck.engine.preflight.freeing import deleting, model_in, stopping, unloading
from quarterdeck.engine.preflight.loading import loading
from quarterdeck.engine.preflight.machine import held_by, held_there, machine_of, this_machine
from quarterdeck.engine.preflight.pulling import pulling
from quarterdeck.engine.preflight.serving import Start, on_this_machine, starting
from quarterdeck.engine.safety import deployment_of, endpoint_of
from quarterdeck.model.estimate import Unknown
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.job import Option, Order
from quarterdeck.model.launch import Launch
from quarterdeck.model.models import ModelReading


async def preflight(fleet: FleetConfig, seen: FleetSnapshot, order: Order) -> list[Check]:
    """The findings, the gravest first; empty where there is nothing to say. Never raises; takes 3 s at most."""
    return await _within(_looked(fleet, seen, order))


async def preflight_launch(launch: Launch, seen: FleetSnapshot) -> list[Check]:
    """The findings of starting a vLLM on this machine, as `preflight`."""
    return await _within(_launched(launch, seen))


async def _within(looking: Coroutine[Any, Any, list[Check]]) -> list[Check]:
    found, why = await bounded(looking, WITHIN_S)
    return told(found if found is not None else [missing(f"what it would take ({why})")])


async def _launched(launch: Launch, seen: FleetSnapshot) -> list[Check]:
    machine = await this_machine(seen, launch.called)
    return await on_this_machine(Start(launch.command, machine, launch.env), seen)


async def _looked(fleet: FleetConfig, seen: FleetSnapshot, order: Order) -> list[Check]:
    deployment = deployment_of(fleet, order)
    if deployment is not None:
        if order.action == "stop":
            becomes = endpoint_of(fleet, deployment.endpoint)
            held = await held_there(fleet, seen, becomes) if becomes else held_by(seen, deployment.endpoint)
            return stopping(held, deployment.endpoint, order.action)
        return await starting(fleet, seen, deployment, order.action)
    spec = endpoint_of(fleet, order.target)
    view = next((each for each in seen.endpoints if each.name == order.target), None)
    if spec is None or view is None:
        return []
    named = order.model or order.options.get("model")
    if isinstance(named, str) and named.strip():
        return await _of_model(_Wanted(fleet, seen, order, spec, view), named.strip())
    if order.action == "sleep":
        held = await held_there(fleet, seen, spec)
        return stopping(held, view.name, order.action, str(order.options.get("level", "")))
    return unloading(view.models) if order.action == "unload_all" else []


class _Wanted(NamedTuple):
    """An order, and the endpoint that it is for."""

    fleet: FleetConfig
    seen: FleetSnapshot
    order: Order
    spec: EndpointSpec
    view: EndpointView


async def _of_model(wanted: _Wanted, name: str) -> list[Check]:
    model = model_in(wanted.view, name)
    match wanted.order.action:
        case "pull":
            return await pulling(wanted.fleet, wanted.seen, wanted.spec, wanted.view, name)
        case "load":
            return await _loading(wanted, name, model)
        case "delete":
            return await _deleting(wanted, name, model)
        case "unload":
            return unloading([model] if model is not None else [])
    return []


async def _loading(wanted: _Wanted, name: str, model: ModelReading | None) -> list[Check]:
    """Its server is asked for the model's shape while the machine is looked at."""
    spec, view = wanted.spec, wanted.view
    (facts, why), machine = await asyncio.gather(
        bounded(facts_of(spec, view.engine or "", name, model)), machine_of(wanted.fleet, wanted.seen, spec)
    )
    if facts is None:
        facts = ModelFacts(Unknown((f"its layers and heads ({why})",)), disk_bytes(view.engine, model))
    return loading(view, model, facts, machine, _tokens(wanted.order.options.get("context")))


async def _deleting(wanted: _Wanted, name: str, model: ModelReading | None) -> list[Check]:
    on_disk = disk_bytes(wanted.view.engine, model)
    if on_disk is None and wanted.view.engine == "ollama":
        on_disk, _ = await bounded(size_on_disk(wanted.spec, name))
    return deleting(model, on_disk)


def _tokens(value: Option | None) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip()[:12])
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
