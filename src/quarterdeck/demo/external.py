"""A simulated managed provider with an OpenAI-compatible API: Bearer key, prices, rate-limit headers."""

from __future__ import annotations

import asyncio
import hmac
import random
import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Any

from quarterdeck.demo.asking import DONE, Ask, compact, finished, follow, read_ask, sse
from quarterdeck.demo.http import Handler, Response, Style
from quarterdeck.demo.job import Profile
from quarterdeck.demo.load import Load
from quarterdeck.demo.request import Request


def _error(status: int, message: str, kind: str, code: str | None) -> Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Response(status, compact({"error": error}))


STYLE = Style(
    server="edge",
    lower=True,
    not_found=_error(404, "Unknown request URL.", "invalid_request_error", "unknown_url"),
    not_allowed=_error(405, "Method not allowed.", "invalid_request_error", "method_not_supported"),
)

_MODELS = (
    ("meridian/atlas-large", "Atlas Large", 200_000, "0.0000025", "0.00001"),
    ("meridian/atlas-mini", "Atlas Mini", 128_000, "0.00000015", "0.0000006"),
    ("meridian/compass-reasoning", "Compass Reasoning", 200_000, "0.0000011", "0.0000044"),
)
_THINKER = "meridian/compass-reasoning"
LIMIT = 500
"""Requests per minute that the rate-limit headers speak of."""


class ExternalServer:
    """One provider. ``rotated`` makes it refuse the key it accepted before."""

    def __init__(
        self,
        *,
        key: str,
        seed: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
        born: float,
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.rotated = False
        self.down = False
        self._key = key
        self._delays = random.Random(f"{seed}:external")
        profile = Profile(max_seqs=256, step_s=0.011, step_per_seq_s=0.0, prefill_tps=20_000, arrivals=0.0)
        self.load = Load(profile, seed=seed, start=born)

    def advance(self, now: float) -> None:
        """Let the simulated time pass."""
        self.load.advance(now)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What it answers, with and without the version in the path."""
        handlers: dict[tuple[str, str], Handler] = {
            ("GET", "/models"): self._models,
            ("POST", "/chat/completions"): self._chat,
        }
        guarded = {route: self._guarded(handler) for route, handler in handlers.items()}
        return {**guarded, **{(method, f"/v1{path}"): handler for (method, path), handler in guarded.items()}}

    def _guarded(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            await asyncio.sleep(self._delays.uniform(0.03, 0.09))  # it is far away
            refused = self._refusal(request)
            if refused is not None:
                return refused
            return await handler(request)

        return checked

    def _refusal(self, request: Request) -> Response | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return _error(401, "You didn't provide an API key.", "invalid_request_error", None)
        if self.rotated or not hmac.compare_digest(key.strip().encode(), self._key.encode()):
            return _error(401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
        return None

    def _headers(self) -> tuple[tuple[str, str], ...]:
        left = LIMIT - 1 - self.load.running
        return (
            ("X-Request-Id", f"req_{secrets.token_hex(12)}"),
            ("X-Ratelimit-Limit-Requests", str(LIMIT)),
            ("X-Ratelimit-Remaining-Requests", str(left)),
            ("X-Ratelimit-Reset-Requests", "120ms"),
        )

    async def _models(self, _: Request) -> Response:
        cards = [
            {
                "id": name,
                "object": "model",
                "created": 1_780_000_000,
                "owned_by": "meridian",
                "name": title,
                "context_length": context,
                "pricing": {"prompt": prompt, "completion": completion, "request": "0"},
            }
            for name, title, context, prompt, completion in _MODELS
        ]
        return Response(body=compact({"object": "list", "data": cards}), headers=self._headers())

    async def _chat(self, request: Request) -> Response:
        try:
            body = request.json()
        except ValueError:
            return _error(400, "We could not parse the JSON body of your request.", "invalid_request_error", None)
        name = body.get("model")
        if name not in {model[0] for model in _MODELS}:
            return _error(404, f"The model `{name}` does not exist.", "invalid_request_error", "model_not_found")
        if not isinstance(body.get("messages"), list):
            return _error(400, "Missing required parameter: 'messages'.", "invalid_request_error", None)
        ask = read_ask(body, model=str(name), room=128_000, thinks=name == _THINKER)
        base = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(self.wall()), "model": ask.model}
        if ask.stream:
            stream = self._stream(ask, {**base, "object": "chat.completion.chunk"})
            return Response(content_type="text/event-stream", headers=self._headers(), stream=stream)
        job = await finished(self.load, ask, self.clock)
        choice = {"index": 0, "message": ask.message(job.made), "finish_reason": ask.reason}
        whole = {**base, "object": "chat.completion", "choices": [choice], "usage": _usage(ask, job.made)}
        return Response(body=compact(whole), headers=self._headers())

    async def _stream(self, ask: Ask, base: dict[str, Any]) -> AsyncGenerator[bytes, None]:
        sent = 0
        steps = follow(self.load, ask, self.clock)
        try:
            async for job in steps:
                made = self.load.generated(job)
                for index in range(sent, made):
                    delta = ask.delta(index)
                    delta = delta if index else {"role": "assistant", **delta}
                    yield sse({**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
                sent = made
        finally:
            await steps.aclose()
        yield sse({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": ask.reason}]})
        if ask.usage:
            yield sse({**base, "choices": [], "usage": _usage(ask, sent)})
        yield DONE


def _usage(ask: Ask, made: int) -> dict[str, Any]:
    """Tokens, how many of them were reasoning, and the US dollars they cost."""
    prompt, output = next((float(card[3]), float(card[4])) for card in _MODELS if card[0] == ask.model)
    return {
        "prompt_tokens": ask.prompt_tokens,
        "completion_tokens": made,
        "total_tokens": ask.prompt_tokens + made,
        "cost": round(ask.prompt_tokens * prompt + made * output, 9),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": min(made, ask.thoughts)},
    }
