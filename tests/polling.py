"""Polls one endpoint against pages, with a clock that the test holds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fake_servers import Pages, Recorder, pages_server
from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.model.reading import EngineReading, Facts, Reading


@dataclass
class Watch:
    """An endpoint under watch: its server's record, and the time."""

    endpoint: Endpoint
    server: Recorder
    now: float = 1000.0

    async def poll(self, after: float = 2.0) -> Reading:
        """One poll, ``after`` seconds later."""
        self.now += after
        return await self.endpoint.poll()


@asynccontextmanager
async def watching(
    pages: Pages, engine: str = "auto", *, base: str = "", auth: Auth | None = None, timeout: float = 2.0
) -> AsyncIterator[Watch]:
    """An endpoint of ``engine`` whose server has ``pages``."""
    async with pages_server(pages) as server:
        spec = EndpointSpec("e", server.url + base, engine=engine, auth=auth, timeout=timeout)
        watch: Watch
        endpoint = Endpoint(spec, monotonic=lambda: watch.now, wall=lambda: 1_795_370_400.0)
        watch = Watch(endpoint, server)
        try:
            yield watch
        finally:
            await endpoint.close()


async def poll_once(pages: Pages, engine: str = "auto", *, base: str = "", auth: Auth | None = None) -> Reading:
    """The first reading of an endpoint."""
    async with watching(pages, engine, base=base, auth=auth) as watch:
        return await watch.poll()


def facts_of(reading: Reading) -> Facts:
    """The facts, which must be there."""
    assert reading.facts is not None, reading
    return reading.facts


def engine_of(reading: Reading) -> EngineReading:
    """The only engine of a reading."""
    (engine,) = facts_of(reading).engines
    return engine
