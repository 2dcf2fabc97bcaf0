"""Streaming clients that count their tokens with the time at which each came."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from bisect import bisect_right
from collections.abc import AsyncIterator

import httpx

from .servers import Server


class Meter:
    """Tokens received so far over all streams, at every moment something came."""

    def __init__(self) -> None:
        self.times: list[float] = [time.monotonic()]
        self.totals: list[float] = [0.0]
        self.errors: list[str] = []
        """How streams ended that were cut off."""

    @property
    def total(self) -> float:
        """Tokens so far."""
        return self.totals[-1]

    def add(self, tokens: float) -> None:
        """``tokens`` more came just now."""
        self.times.append(time.monotonic())
        self.totals.append(self.total + tokens)

    def total_at(self, at: float) -> float:
        """Tokens until the monotonic second ``at``, linear between two arrivals."""
        after = bisect_right(self.times, at)
        if after == 0 or after == len(self.times):
            return self.totals[max(0, after - 1)]
        begin, end = self.times[after - 1], self.times[after]
        low, high = self.totals[after - 1], self.totals[after]
        return low + (high - low) * (at - begin) / (end - begin)

    def rate(self, begin: float, end: float) -> float:
        """Tokens per second between two moments."""
        return (self.total_at(end) - self.total_at(begin)) / (end - begin)


def _tokens_so_far(chunk: dict[str, object]) -> float | None:
    """Output tokens of this stream so far, as the chunk says: vLLM in its usage, llama-server in its timings."""
    for part, name in (("usage", "completion_tokens"), ("timings", "predicted_n")):
        fields = chunk.get(part)
        if isinstance(fields, dict) and isinstance(fields.get(name), int):
            return float(fields[name])
    return None


async def _stream(client: httpx.AsyncClient, model: str, number: int, max_tokens: int, meter: Meter) -> None:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": f"tell story number {number}"}],
        "max_tokens": max_tokens,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "timings_per_token": True,
    }
    counted = 0.0
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != 200:
                meter.errors.append(f"{response.status_code}: {(await response.aread())[:200]!r}")
                return
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    so_far = _tokens_so_far(json.loads(line.removeprefix("data: ")))
                    if so_far is not None and so_far > counted:
                        meter.add(so_far - counted)
                        counted = so_far
    except httpx.TransportError as error:
        meter.errors.append(type(error).__name__)


@contextlib.asynccontextmanager
async def streaming(server: Server, *, streams: int, max_tokens: int) -> AsyncIterator[Meter]:
    """So many chat streams at once, cut off at the end of the block."""
    meter = Meter()
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=server.url, headers=headers, timeout=None, limits=limits, trust_env=False
    ) as client:
        tasks = [
            asyncio.create_task(_stream(client, server.model, number, max_tokens, meter)) for number in range(streams)
        ]
        try:
            yield meter
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
