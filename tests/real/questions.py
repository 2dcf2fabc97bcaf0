"""Many short requests of many lengths."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import httpx

from .servers import Server

CLIENTS = 12
PREAMBLE = "This is how all the long stories begin, word for word. " * 5
"""Long enough to fill a block of the KV cache, which the next request finds there."""
_numbers = itertools.count()


def _client(server: Server) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=0
    )  # some servers hang up between two requests
    return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=None, limits=limits, trust_env=False)


async def ask(client: httpx.AsyncClient, model: str) -> int:
    """One request that is unlike those before, for 5 to 60 tokens; so many came."""
    number = next(_numbers)
    content = (PREAMBLE if number % 4 == 0 else "") + f"Story {number}, " + "told slowly " * (number % 9)
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "max_tokens": 5 + number * 17 % 56,
        "ignore_eos": True,
    }
    response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 200, response.text[:300]
    return int(response.json()["usage"]["completion_tokens"])


async def ask_in_turn(server: Server, count: int) -> int:
    """``count`` requests, twelve at a time; when all have ended, how many tokens came."""
    numbers = iter(range(count))
    came = []
    async with _client(server) as client, asyncio.TaskGroup() as group:

        async def asking() -> None:
            for _ in numbers:
                came.append(await ask(client, server.model))

        for _ in range(CLIENTS):
            group.create_task(asking())
    return sum(came)


@contextlib.asynccontextmanager
async def asking_on_and_on(server: Server) -> AsyncIterator[None]:
    """Twelve clients that ask again as soon as they are answered; cut off at the end of the block."""

    async def asking(client: httpx.AsyncClient) -> None:
        while True:
            await ask(client, server.model)

    async with _client(server) as client:
        tasks = [asyncio.create_task(asking(client)) for _ in range(CLIENTS)]
        try:
            yield
            ended = [task for task in tasks if task.done()]
            assert not ended, ended[0].exception()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
