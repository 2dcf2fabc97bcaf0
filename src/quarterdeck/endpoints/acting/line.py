"""The line to one server that is acted on: as polling reaches it, with deadlines of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from quarterdeck.endpoints.endpoint import target_of
from quarterdeck.wire.body import parse
from quarterdeck.wire.failure import Failure, timed_out
from quarterdeck.wire.http import MOST_BYTES, Answer, Fetch
from quarterdeck.wire.stream import bounded

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.base import Tunnel

_T = TypeVar("_T")
_NO_SUCH = (404, 405, 501)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what, in seconds."""

    answer_s: float = 15.0
    """For an answer that takes no work. Ollama's list of what is in memory can take 5 s while something is being evicted."""
    poll_s: float = 0.5
    """Between two questions whether it is done."""
    stall_s: float = 60.0
    """Without any progress of a download."""
    load_s: float = 1800.0
    """For a model to come into memory."""
    settle_s: float = 20.0
    """For what was done to be seen."""
    drain_s: float = 60.0
    """For running requests to end."""


PATIENCE = Patience()


class Line:
    """Requests to one server with its own key. Every failure is a Failure in words, without the key."""

    def __init__(self, spec: EndpointSpec, tunnel: Tunnel | None = None, patience: Patience = PATIENCE) -> None:
        """Opens nothing yet."""
        self._spec = spec
        target = target_of(spec)
        self.fetch = Fetch(replace(target, timeout=max(target.timeout, patience.answer_s)))
        self.patience = patience
        self._tunnel = tunnel

    async def close(self) -> None:
        """Let go of the connections and of the tunnel."""
        await self.fetch.close()
        if self._tunnel is not None:
            await self._tunnel.close()

    async def ready(self) -> None:
        """Have key and tunnel at hand. Raises Failure."""
        await self.fetch.ready()
        if self._tunnel is not None:
            await self.fetch.through(await self._tunnel.ready())

    @asynccontextmanager
    async def explaining(self, within: float) -> AsyncIterator[None]:
        """Failures of what is done inside, in words that tell the way from its end; ``within``: the deadline they speak of."""
        try:
            yield
        except Failure as failure:
            raise await self._explained(failure) from None
        except TimeoutError:
            raise await self._explained(timed_out(within)) from None

    @asynccontextmanager
    async def patient(self, within: float) -> AsyncIterator[Line]:
        """Another line to the same server, whose GETs may take ``within`` seconds."""
        other = Line(self._spec, self._tunnel, replace(self.patience, answer_s=within))
        try:
            yield other
        finally:
            await other.fetch.close()

    async def get(self, path: str) -> Answer:
        """GET. Raises Failure for everything but a 2xx answer."""
        async with self.explaining(self.fetch.target.timeout):
            await self.ready()
            return await self.fetch.get(path)

    async def json(self, path: str) -> object:
        """The JSON value that GET gives; ``None`` where it is none. Raises Failure."""
        return (await self.get(path)).json()

    async def has(self, path: str) -> bool:
        """Whether the server knows ``path``, whatever methods it takes there. Raises Failure where it can't be told."""
        try:
            await self.get(path)
        except Failure as failure:
            if failure.status is None:
                raise
            return failure.status != 404
        return True

    async def send(
        self, path: str, payload: object = None, *, method: str = "POST", within: float | None = None
    ) -> str:
        """Send JSON; the text of a 2xx answer. Raises Failure for everything else. It is sent once."""
        within = within if within is not None else self.fetch.target.timeout
        async with self.explaining(within):
            await self.ready()
            async with (
                asyncio.timeout(within),
                self.fetch.streaming(path, {} if payload is None else payload, method=method) as response,
            ):
                body = await bounded(response, MOST_BYTES, self.fetch.redacted)
        return self.fetch.redacted(body.decode(errors="replace"))

    async def asked(self, path: str, payload: object, *, within: float | None = None) -> object:
        """The JSON value in the answer to a POST; ``None`` where it is none. Raises Failure."""
        return parse((await self.send(path, payload, within=within)).encode())

    async def until(self, ask: Callable[[], Awaitable[_T | None]], *, within: float) -> _T | None:
        """What ``ask`` says as soon as it is not ``None``; asked again and again until time is up. Raises what it raises."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        while (found := await ask()) is None:
            if loop.time() >= end:
                return None
            await asyncio.sleep(self.patience.poll_s)
        return found

    async def _explained(self, failure: Failure) -> Failure:
        found = failure if self._tunnel is None else await self._tunnel.explained(failure)
        return Failure(found.outcome, self.fetch.redacted(found.reason), status=found.status)


def missing(failure: Failure) -> bool:
    """Whether the server has no such page."""
    return failure.status in _NO_SUCH
