"""The clocks of a fleet's servers against ours."""

from __future__ import annotations

import asyncio

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine


async def clock_skews(engine: Engine) -> dict[str, float]:
    """By endpoint: its clock minus ours, in seconds; those that tell nothing are left out."""
    from quarterdeck.endpoints.skew import clock_skew

    engines = {view.name: view.engine for view in engine.snapshot().endpoints}

    async def one(spec: EndpointSpec) -> float | None:
        tunnel = engine.opening.tunnel(spec, engine.clock)
        return await clock_skew(spec, engines.get(spec.name), engine.clock.wall, tunnel)

    specs = engine.fleet.endpoints
    found = await asyncio.gather(*(one(spec) for spec in specs))
    return {spec.name: skew for spec, skew in zip(specs, found, strict=True) if skew is not None}
