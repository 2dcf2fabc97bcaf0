"""The official ollama client, made to connect as we do, and its errors as ours.

On its own it sends OLLAMA_API_KEY to every host, follows redirects, reads answers of any size, never times out, and lets errors of
httpx, json and pydantic through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import httpx

from quarterdeck.endpoints.acting.line import Line
from quarterdeck.format import printable
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import parse
from quarterdeck.wire.failure import Failure, explain, foreign
from quarterdeck.wire.http import MOST_BYTES
from quarterdeck.wire.stream import capped

if TYPE_CHECKING:
    from ollama import AsyncClient, ResponseError

LONGEST_LINE = 2**20
_STREAMED = "/api/pull"


class Ollama:
    """The client of one server. Its requests go inside ``asking``, which has the deadline and turns every error into a Failure."""

    def __init__(self, line: Line) -> None:
        """Opens nothing yet, and imports nothing."""
        self.line = line
        self._client: AsyncClient | None = None

    async def close(self) -> None:
        """Close its connections, and the line."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()  # type: ignore[no-untyped-call]
        await self.line.close()

    @asynccontextmanager
    async def asking(self, within: float | None = None) -> AsyncIterator[AsyncClient]:
        """The client, for requests that take at most ``within`` seconds in all. Raises Failure."""
        within = within if within is not None else self.line.patience.answer_s
        async with self.line.explaining(within):
            try:
                await self.line.ready()
                async with asyncio.timeout(within):
                    yield self.opened()
            except (Failure, TimeoutError):
                raise
            except Exception as error:  # noqa: BLE001  (whatever the library lets through is a failure of this request)
                raise failure_of(error, within) from None

    def opened(self) -> AsyncClient:
        """The client itself; errors come as the library raises them."""
        if self._client is None:
            from ollama import AsyncClient

            fetch = self.line.fetch
            self._client = AsyncClient(
                host=fetch.target.url,
                follow_redirects=False,
                timeout=None,
                headers={"Accept-Encoding": "identity"},
                event_hooks={"request": [self._own], "response": [_checked]},
                **fetch.client_options(),
            )
        return self._client

    async def _own(self, request: httpx.Request) -> None:
        """Only this endpoint's headers and key: the library adds one of its own from the environment."""
        request.headers.pop("Authorization", None)
        request.headers.update(await self.line.fetch.headers())


class _Lines(httpx.AsyncByteStream):
    """Another stream, none of whose lines is longer than `LONGEST_LINE`."""

    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._stream:
            length = len(chunk) - chunk.rfind(b"\n") - 1 if b"\n" in chunk else length + len(chunk)
            if length > LONGEST_LINE:
                raise Failure(Outcome.FAILED, f"the server sent a line of more than {LONGEST_LINE // 2**10} KiB")
            yield chunk

    async def aclose(self) -> None:
        """Close the connection."""
        await self._stream.aclose()


async def _checked(response: httpx.Response) -> None:
    """Bound an answer before it is read; one of 200 that only tells an error is one."""
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Failure(Outcome.FAILED, "the answer is packed, unasked")
    if response.is_success and response.request.url.path.endswith(_STREAMED):
        response.stream = _Lines(cast("httpx.AsyncByteStream", response.stream))
        return
    capped(response, MOST_BYTES)
    if not response.is_success:
        return
    told = parse(await response.aread())
    if isinstance(told, dict) and isinstance(told.get("error"), str):
        raise Failure(Outcome.FAILED, printable(told["error"], 160) or "the server refuses")


def failure_of(error: Exception, within: float) -> Failure:
    """``error`` of the library, or of what is below it, in words."""
    from ollama import ResponseError
    from pydantic import ValidationError

    if isinstance(error, Failure):
        return error
    if isinstance(error, ResponseError):
        return _refusal(error)
    unreadable = isinstance(error, ValidationError | json.JSONDecodeError | AttributeError | TypeError | ValueError)
    if unreadable and not isinstance(error, OSError):  # a refused certificate is a ValueError too
        return foreign("Ollama")
    if type(error) is ConnectionError and isinstance(error.__context__, Exception):
        error = error.__context__  # the library's words hide what happened
    return explain(error, within)


def _refusal(error: ResponseError) -> Failure:
    status = error.status_code if error.status_code > 0 else None
    said = error.error if isinstance(error.error, str) else ""
    words = "" if said.lstrip().startswith("<") else printable(said, 160)
    if status == 401:
        return Failure(Outcome.AUTH, "401: key missing or wrong", status=status)
    if status == 403:
        return Failure(
            Outcome.AUTH, f"403: not allowed ({words or 'wrong key, or a Host header that is refused'})", status=403
        )
    if status is not None and 300 <= status < 400:
        return Failure(Outcome.FAILED, f"{status}: redirects elsewhere; set url to that", status=status)
    if status in (429, 503):
        return Failure(Outcome.BUSY, words or f"{status}: too busy", status=status)
    return Failure(Outcome.FAILED, words or f"{status}: error", status=status)
