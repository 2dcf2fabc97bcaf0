"""One small request of our own, timed: what some servers (managed APIs, Ollama) tell in no other way. Only on somebody's word.

Sources: POST /v1/chat/completions as server-sent events; for Ollama POST /api/chat as JSON lines, with a keep-alive that ends when
the model's would have ended, and without options that would make it load again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import httpx
from httpx_sse import EventSource, SSEError

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.base import Tunnel
from quarterdeck.endpoints.endpoint import target_of
from quarterdeck.model.models import ModelReading
from quarterdeck.model.own import OwnRequest
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping, parse, text, whole
from quarterdeck.wire.failure import Failure, timed_out
from quarterdeck.wire.http import Fetch

PROMPT = "Count from one to ten."
MOST_TOKENS = 16
WITHIN_S = 60.0
"""A cold model may have to load first."""
MOST_BYTES = 2**20


@dataclass(slots=True)
class _Timing:
    """Moments of the first and last piece of an answer, and how many pieces or tokens it had."""

    asked: float
    first: float | None = None
    last: float | None = None
    pieces: int = 0
    tokens: int | None = None

    def piece(self, now: float) -> None:
        self.first = now if self.first is None else self.first
        self.last = now
        self.pieces += 1

    def result(self, ended: float) -> OwnRequest:
        if self.first is None or self.last is None:
            raise Failure(Outcome.FAILED, "it answered without a token")
        return OwnRequest(ended, self.first - self.asked, self.tokens or self.pieces, self.last - self.first)


async def timed(
    spec: EndpointSpec,
    engine: str,
    model: ModelReading,
    *,
    within: float = WITHIN_S,
    monotonic: Callable[[], float] = time.monotonic,
    wall: Callable[[], float] = time.time,
    tunnel: Tunnel | None = None,
    most_tokens: int = MOST_TOKENS,
) -> OwnRequest:
    """Ask ``model`` for ``most_tokens`` tokens and time them, through ``tunnel`` where there is one. Raises Failure."""
    fetch = Fetch(target_of(spec), monotonic)
    try:
        await fetch.ready()  # its key's command may take long: not the server's time
        if tunnel is not None:
            async with asyncio.timeout(within):
                await fetch.through(await tunnel.ready())
        timing = _Timing(monotonic())
        async with asyncio.timeout(within):
            if engine == "ollama":
                await _ollama(fetch, _ollama_payload(model, wall, most_tokens), timing, monotonic)
            else:
                await _openai(fetch, _openai_payload(model, most_tokens), timing, monotonic)
    except TimeoutError:
        raise timed_out(within) from None
    finally:
        await fetch.close()
        if tunnel is not None:
            await tunnel.close()
    return timing.result(monotonic())


def _openai_payload(model: ModelReading, most_tokens: int) -> dict[str, object]:
    return {
        "model": model.id,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": most_tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def _openai(fetch: Fetch, payload: Mapping[str, object], timing: _Timing, monotonic: Callable[[], float]) -> None:
    path = "/chat/completions" if _is_base(fetch.target.url) else "/v1/chat/completions"
    async with fetch.streaming(path, payload, most=MOST_BYTES) as response:
        async for body in _events(response):
            _said_error(body, fetch)
            tokens = whole(mapping(body.get("usage")).get("completion_tokens"))
            timing.tokens = tokens if tokens else timing.tokens
            delta = mapping(mapping((items(body.get("choices"), 1) or [None])[0]).get("delta"))
            if any(delta.get(name) for name in ("content", "reasoning", "reasoning_content", "tool_calls")):
                timing.piece(monotonic())


def _ollama_payload(model: ModelReading, wall: Callable[[], float], most_tokens: int) -> dict[str, object]:
    payload: dict[str, object] = {
        "model": model.id,
        "messages": [{"role": "user", "content": PROMPT}],
        "options": {"num_predict": most_tokens, "temperature": 0},
        "stream": True,
    }
    if model.expires_at is not None:
        left = model.expires_at - wall()
        if math.isinf(left):
            payload["keep_alive"] = -1
        elif (
            left > 0
        ):  # else a request is running (its end will set the time anew), or the clocks differ: 1 s would unload it
            payload["keep_alive"] = math.ceil(left)
    return payload


async def _ollama(fetch: Fetch, payload: Mapping[str, object], timing: _Timing, monotonic: Callable[[], float]) -> None:
    done = False
    async with fetch.streaming("/api/chat", payload, most=MOST_BYTES) as response:
        async for line in response.aiter_lines():
            body = mapping(parse(line.encode()))
            _said_error(body, fetch)
            message = mapping(body.get("message"))
            if message.get("content") or message.get("thinking"):
                timing.piece(monotonic())
            timing.tokens = whole(body.get("eval_count")) or timing.tokens
            done = done or body.get("done") is True
    if not done:
        raise Failure(Outcome.FAILED, "the answer ended half-way")


async def _events(response: httpx.Response) -> AsyncIterator[Mapping[str, object]]:
    """The JSON of every event until [DONE]."""
    try:
        async for event in EventSource(response).aiter_sse():
            if event.data == "[DONE]":
                return
            yield mapping(parse(event.data.encode()))
    except SSEError:
        raise Failure(Outcome.FOREIGN, "it doesn't stream (no text/event-stream)") from None


def _said_error(body: Mapping[str, object], fetch: Fetch) -> None:
    """Raise what a stream says in the middle, with HTTP 200."""
    error = body.get("error")
    if error:
        said = text(mapping(error).get("message")) or text(error) or "an error without words"
        raise Failure(Outcome.FAILED, fetch.redacted(said))


def _is_base(url: str) -> bool:
    """Whether the URL is an OpenAI base (…/v1), not a server's root."""
    return url.rstrip("/").rpartition("/")[2] in ("v1", "openai")
