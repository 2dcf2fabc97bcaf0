"""`status --watch 60`: two samples a second apart, then one a minute: each later one has rates."""

from __future__ import annotations

import asyncio

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.engine import Engine
from quarterdeck.model.reading import EngineReading, Facts, Outcome, Reading
from virtual_time import clock, in_virtual_time


class Counting:
    """A server that makes 30 tokens a second."""

    def __init__(self, _: EndpointSpec, clock: Clock) -> None:
        self._clock = clock

    async def poll(self) -> Reading:
        now = self._clock.monotonic()
        engine = EngineReading("0", running=1, waiting=0, generation_tokens=30 * (now - 1000))
        return Reading(now, Outcome.ANSWERED, facts=Facts("vllm", engines=(engine,)))

    async def close(self) -> None: ...


def test_a_slow_watch_has_rates_at_its_second_sample() -> None:
    async def main() -> list[float | None]:
        fleet = FleetConfig(endpoints=(EndpointSpec("e", "http://127.0.0.1:1", "vllm"),))
        engine = Engine(fleet, clock=clock(), open_endpoint=Counting)
        seen = []
        for pause in (1.0, 60.0, 60.0, 0.0):
            await engine.once()
            seen.append(engine.snapshot().endpoints[0].generation_tps)
            await asyncio.sleep(pause)
        await engine.stop()
        return seen

    first, *rest = in_virtual_time(main)
    assert first is None
    assert [round(rate or 0.0, 6) for rate in rest] == [30.0, 30.0, 30.0]
