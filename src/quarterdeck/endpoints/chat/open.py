"""The stream of an endpoint's answer, by its engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from quarterdeck.endpoints.chat.cleaning import Cleaning
from quarterdeck.endpoints.endpoint import target_of
from quarterdeck.model.chat.answer import Piece
from quarterdeck.wire.failure import Failure, explain
from quarterdeck.wire.http import Fetch

if TYPE_CHECKING:
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.base import Tunnel
    from quarterdeck.model.chat.request import ChatRequest

_CONNECT_S = 15.0
"""For the way there: key, tunnel. The answer's deadlines are the caller's."""


async def stream(
    spec: EndpointSpec,
    engine: str,
    request: ChatRequest,
    *,
    tunnel: Tunnel | None = None,
    on_sent: Callable[[], None] | None = None,
) -> AsyncGenerator[Piece, None]:
    """Send ``request`` and yield what comes, cleaned of control characters and of the endpoint's key.

    ``on_sent`` is called when the way is open and the request leaves. Raises Failure; has no deadline of its own. Closed early
    (`aclose`, cancelled), it hangs up, which ends the work on the server.
    """
    fetch = Fetch(replace(target_of(spec), timeout=_CONNECT_S))
    try:
        await fetch.ready()
        if tunnel is not None:
            async with asyncio.timeout(_CONNECT_S):
                await fetch.through(await tunnel.ready())
        speaking = _speaking(engine, fetch, request)
        fetch.open()
        await asyncio.sleep(0)  # others sent at the same time get ready first, too: that is not the server's time
        if on_sent is not None:
            on_sent()
        async with aclosing(_cleaned(fetch, speaking)) as pieces:
            async for piece in pieces:
                yield piece
    except Failure as failure:
        raise _in_words(failure) if tunnel is None else await tunnel.explained(_in_words(failure)) from None
    except (httpx.HTTPError, httpx.StreamError, OSError) as error:
        raise explain(error, _CONNECT_S) from None
    finally:
        await fetch.close()
        if tunnel is not None:
            await tunnel.close()


async def _cleaned(fetch: Fetch, speaking: AsyncGenerator[Piece, None]) -> AsyncGenerator[Piece, None]:
    """Its pieces, cleaned; what waited comes before a failure, too."""
    cleaning = Cleaning(fetch.secret, fetch.redacted)
    broken: Failure | None = None
    try:
        async with aclosing(speaking) as pieces:
            async for piece in pieces:
                if (clean := cleaning.piece(piece)) is not None:
                    yield clean
    except Failure as failure:
        broken = failure
    if (rest := cleaning.rest()) is not None:
        yield rest
    if broken is not None:
        raise broken


def _in_words(failure: Failure) -> Failure:
    """With the time to try again, where the server tells one: nothing is asked twice by itself."""
    if failure.retry_after:
        failure.reason += f"; try again {failure.retry_after}"
    return failure


def _speaking(engine: str, fetch: Fetch, request: ChatRequest) -> AsyncGenerator[Piece, None]:
    if engine == "ollama":
        from quarterdeck.endpoints.chat.ollama import speak

        return speak(fetch, request)
    from quarterdeck.endpoints.chat.openai import speak as speak_openai

    return speak_openai(fetch, engine, request)
