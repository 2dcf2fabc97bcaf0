"""A simulated Ollama to pull from, as slow as a test wants, that says when somebody does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from jobs import job, order
from quarterdeck.demo import ollama_talk
from quarterdeck.demo.http import HttpServer, Response
from quarterdeck.demo.ollama import STYLE, OllamaServer
from quarterdeck.demo.request import Request
from quarterdeck.demo.world import World
from quarterdeck.model.job import Job

MODEL, SECOND, BIG = "smollm2:135m", "qwen3:0.6b", "mistral-small3.2:24b"
FAST, NEVER = 1e12, 1.0
"""Bytes a second."""


@dataclass
class Server:
    """A simulated Ollama that says when somebody pulls."""

    ollama: OllamaServer
    url: str
    pulls: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    def job(self, model: str = MODEL, **known: object) -> Job:
        """A pull from it that nobody has begun."""
        return job(order(model=model), url=self.url, **known)


@asynccontextmanager
async def server(bytes_s: float = FAST) -> AsyncIterator[Server]:
    """Serve on loopback."""
    ollama = World(seed=7, calm=True, key="k", clock=time.monotonic, wall=time.time).workbench
    ollama.downloads.bytes_s = bytes_s
    ollama.models.pop(MODEL, None)
    routes = ollama.routes() | ollama_talk.routes(ollama)
    pull = routes["POST", "/api/pull"]

    async def noted(request: Request) -> Response:
        found.pulls.put_nowait(str(request.json().get("model")))
        return await pull(request)

    http = HttpServer({**routes, ("POST", "/api/pull"): noted}, STYLE)
    await http.start()
    found = Server(ollama, http.url)
    try:
        yield found
    finally:
        http.stop()
