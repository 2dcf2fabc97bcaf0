"""Carrying out an order: on a server by its engine's actor, on a deployment by its driver."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK
from quarterdeck.engine.jobs.hands import Failed, Hands
from quarterdeck.engine.opening import Opening
from quarterdeck.engine.safety import endpoint_of
from quarterdeck.model.actions import BY_ID, On
from quarterdeck.model.job import Job, Progress

if TYPE_CHECKING:
    from quarterdeck.endpoints.acting.base import Actor

TRIES = 8
"""So many in a row may bring nothing before it is given up."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0


def fleet_of(job: Job) -> FleetConfig:
    """The fleet file that the job names, as it is now; an empty fleet where it names none. Raises Failed."""
    if job.fleet is None:
        return FleetConfig()
    from quarterdeck.config.load import load

    loaded = load(job.fleet)
    if loaded.problems and not loaded.config.endpoints:
        raise Failed(f"the fleet file can't be used any more: {loaded.problems[0]}")
    if loaded.problems and job.url is not None and endpoint_of(loaded.config, job.order.target) is None:
        # what can't be read of it may be this endpoint's entry, and may have meant to protect it
        raise Failed(f"the fleet file has a mistake, and no endpoint {job.order.target!r}: {loaded.problems[0]}")
    return loaded.config


def spec_of(job: Job, fleet: FleetConfig) -> EndpointSpec:
    """The endpoint that the job is for. Raises Failed where the fleet file means another server by that name now."""
    spec = endpoint_of(fleet, job.order.target)
    if spec is not None and (job.url is None or spec.url == job.url):
        return spec
    if spec is not None:
        raise Failed(f"{job.order.target} is another server now: {spec.url}, not {job.url}")
    if job.url is None:
        raise Failed(f"the fleet file has no endpoint {job.order.target!r} any more")
    known = next((each.name for each in fleet.endpoints if _same_url(each.url, job.url)), None)
    if known is not None:  # what protects it goes by its name
        raise Failed(f"{job.url} is called {known} in the fleet file, not {job.order.target}")
    return EndpointSpec(job.order.target, job.url, job.engine or "auto", boundary=default_boundary(job.url))


def _same_url(one: str, other: str) -> bool:
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()


async def carry_out(hands: Hands, fleet: FleetConfig) -> str:
    """Do it; the result in words. Raises Failed."""
    action = BY_ID.get(hands.job.order.action)
    if action is None:
        raise Failed(f"there is no action {hands.job.order.action!r}")
    if action.on is On.DEPLOYMENT:
        from quarterdeck.engine.jobs.launching import launch

        return await launch(hands, fleet)
    return await _by_actor(hands, spec_of(hands.job, fleet))


async def _by_actor(hands: Hands, spec: EndpointSpec) -> str:
    from quarterdeck.endpoints.acting.open import actor_for
    from quarterdeck.wire.failure import Failure

    engine = hands.job.engine or (spec.engine if spec.engine != "auto" else "")
    tunnel = Opening().tunnel(spec, SYSTEM_CLOCK)
    try:
        actor = actor_for(spec, engine, tunnel=tunnel)
    except Failure as failure:
        raise Failed(failure.reason) from None
    try:
        return await repeated(hands, actor)
    except Failure as failure:
        raise Failed(failure.reason) from None
    finally:
        await actor.close()


async def repeated(hands: Hands, actor: Actor) -> str:
    """Do it, and again where the connection went: as long as each try brings something, it goes on. Raises Failure, Failed."""
    from quarterdeck.endpoints.acting.base import Deed, Interrupted
    from quarterdeck.model.reading import Outcome
    from quarterdeck.wire.failure import Failure

    deed = Deed(hands.job.order, hands.job.expected_bytes)
    vain, interrupted = 0, False
    while True:
        before = hands.job.progress.completed or 0
        try:
            return await actor.act(deed, hands.report)
        except Interrupted as interruption:
            why, interrupted = str(interruption), True
        except Failure as failure:
            if not interrupted or failure.outcome not in (Outcome.REFUSED, Outcome.TIMEOUT):
                raise
            why = failure.reason  # a server that restarts isn't there for a while
        vain = 1 if (hands.job.progress.completed or 0) > before else vain + 1
        if vain > TRIES:
            raise Failed(f"{why}; given up after {TRIES} tries that brought nothing\nResume it later.")
        await _rest(hands, why, vain)


async def _rest(hands: Hands, why: str, vain: int) -> None:
    """Wait before the next try, longer each time that nothing came, and not all at the same time."""
    wait = min(LONGEST_WAIT_S, SHORTEST_WAIT_S * 2 ** (vain - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
    progress = hands.job.progress
    hands.report(Progress(f"{why}; again in {wait:.0f} s", progress.fraction, progress.completed, progress.total))
    await asyncio.sleep(wait)


def state_path() -> Path:
    """Where this program keeps what it must remember."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck")
