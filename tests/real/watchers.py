"""Three watchers of one vLLM: vllm-htop, our engine, which asks right after it, and a Prometheus, which asks when it does."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.reading import EngineReading

from .htop import Line, htop
from .prometheus import Prometheus, scraping
from .servers import Reaper, Server
from .waiting import wait_until
from .watch import fleet_of


@dataclass(frozen=True, slots=True)
class Sample:
    """One poll of ours: asked after ``begin``, answered before ``end``, and said to be of ``at``. Unix seconds."""

    view: EndpointView
    begin: float
    end: float
    at: float

    @property
    def clock(self) -> float:
        """The same as ``at``, in monotonic seconds: exact enough to divide by."""
        assert self.view.answered is not None
        return self.view.answered

    @property
    def engine(self) -> EngineReading:
        """The only engine."""
        (engine,) = self.view.engines
        return engine

    def counter(self, name: str) -> float:
        """A counter of the engine, which must be known."""
        value: float | None = getattr(self.engine, name)
        assert value is not None, name
        return value

    @property
    def finished(self) -> float:
        """Requests ended since the server's start, whatever the reason."""
        return math.fsum(count for _, count in self.engine.finished)


async def sampled(engine: Engine) -> Sample:
    """Poll the only endpoint of ``engine`` now."""
    begin = time.time()
    await engine.once()
    end = time.time()
    snapshot = engine.snapshot()
    (view,) = snapshot.endpoints
    assert view.answered is not None, view
    return Sample(view, begin, end, snapshot.unix(view.answered))


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of theirs, and ours of the moment after."""

    line: Line
    ours: Sample

    @property
    def is_one(self) -> bool:
        """Whether no request began or ended between the two, so that the histograms of requests were the same."""
        return (self.line.finished, self.line.prompted) == (self.ours.finished, self.ours.counter("prompt_tokens"))


@dataclass(slots=True)
class Watchers:
    """All three of them at one server."""

    engine: Engine
    prometheus: Prometheus
    moments: list[Moment] = field(default_factory=list)
    """One each interval, oldest first."""
    following: asyncio.Task[None] | None = None

    async def until(self, what: str, condition: Callable[[], bool], *, within: float) -> None:
        """Return as soon as ``condition`` holds."""
        following = self.following
        assert following is not None
        await wait_until(what, lambda: following.done() or condition(), within=within)
        if following.done():
            await following
            raise AssertionError("vllm-htop ended")

    async def more(self, count: int = 1) -> Moment:
        """The newest moment, after so many more have come."""
        wanted = len(self.moments) + count
        await self.until("a line of vllm-htop", lambda: len(self.moments) >= wanted, within=40.0 * count)
        return self.moments[-1]


@contextlib.asynccontextmanager
async def watched(server: Server, folder: Path, reaper: Reaper, *, interval: int) -> AsyncIterator[Watchers]:
    """The three watchers, as long as the block; the first moment has come when it begins."""
    engine = Engine(fleet_of(EndpointSpec(server.name, server.url, "vllm", timeout=5.0)))
    async with scraping(server, folder, reaper) as prometheus:
        watchers = Watchers(engine, prometheus)

        async def follow() -> None:
            async with htop(server.url, interval) as lines:
                async for line in lines:
                    watchers.moments.append(Moment(line, await sampled(engine)))

        watchers.following = following = asyncio.create_task(follow())
        try:
            await watchers.more()
            yield watchers
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await engine.stop()
