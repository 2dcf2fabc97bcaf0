"""Actors on servers of a test: a simulated Ollama, or pages; what they report is kept."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from fake_servers import Asked, Pages, pages_server
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.demo import ollama_talk
from quarterdeck.demo.http import HttpServer
from quarterdeck.demo.ollama import STYLE, OllamaServer
from quarterdeck.demo.world import World
from quarterdeck.endpoints.acting.base import Actor, Deed
from quarterdeck.endpoints.acting.line import Patience
from quarterdeck.endpoints.acting.ollama import OllamaActor
from quarterdeck.endpoints.acting.open import actor_for
from quarterdeck.model.job import Option, Order, Progress
from quarterdeck.wire.failure import Failure

SPEED = 40.0
QUICK = Patience(answer_s=5.0, poll_s=0.01, stall_s=5.0, load_s=10.0, settle_s=2.0, drain_s=2.0)
HASTY = Patience(answer_s=5.0, poll_s=0.01, stall_s=0.6, load_s=5.0, settle_s=0.1, drain_s=5.0)
"""For what would never come."""


@dataclass
class Acted:
    """An actor, and what it reported."""

    actor: Actor
    said: list[Progress] = field(default_factory=list)

    async def do(
        self, action: str, name: str | None = None, /, *, expected: int | None = None, **options: Option
    ) -> str:
        """Do an order about the model ``name``; the result in words."""
        return await self.actor.act(Deed(Order(action, "e", name, options), expected), self.said.append)


@asynccontextmanager
async def acting(spec: EndpointSpec, engine: str, patience: Patience = QUICK, **more: Any) -> AsyncIterator[Acted]:
    """The actor of ``spec``, as `actor_for` makes it, with less patience."""
    kind = type(actor_for(spec, engine))
    actor = kind(spec, patience=patience, **more)  # type: ignore[call-arg]
    try:
        yield Acted(actor)
    finally:
        await actor.close()


@dataclass
class Demo(Acted):
    """An actor on a simulated Ollama."""

    ollama: OllamaServer = field(kw_only=True)
    http: HttpServer = field(kw_only=True)

    def in_memory(self) -> dict[str, int]:
        """Model → tokens of context."""
        return {entry.model.name: entry.context for entry in self.ollama.residency.resident}


@asynccontextmanager
async def demo_ollama(patience: Patience = QUICK, **more: Any) -> AsyncIterator[Demo]:
    """A simulated Ollama whose time runs fast and which nobody else uses."""

    def clock() -> float:
        return time.monotonic() * SPEED

    ollama = World(seed=7, calm=True, key="k", clock=clock, wall=lambda: 1.795e9 + clock()).workbench
    http = HttpServer(ollama.routes() | ollama_talk.routes(ollama), STYLE)
    await http.start()
    actor = OllamaActor(EndpointSpec("e", http.url), patience=patience, **more)
    try:
        yield Demo(actor, ollama=ollama, http=http)
    finally:
        await actor.close()
        http.stop()


Page = Callable[[Asked, Any], object]


@dataclass
class Script:
    """A server of which a test says what it answers, and which keeps what it was told."""

    pages: dict[str, Page]
    told: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Any:
        """The answer."""
        sent = json.loads(asked.body) if asked.body else None
        if asked.method != "GET":
            self.told.append((f"{asked.method} {asked.target}", sent))
        page = self.pages.get(f"{asked.method} {asked.path}")
        return page(asked, sent) if page is not None else None


async def refused(
    pages: Pages,
    engine: str,
    action: str,
    name: str | None = None,
    /,
    *,
    patience: Patience = HASTY,
    **options: str | int,
) -> Failure:
    """How an order fails."""
    async with pages_server(pages) as server, acting(EndpointSpec("e", server.url), engine, patience) as acted:
        with pytest.raises(Failure) as failure:
            await acted.do(action, name, **options)  # type: ignore[arg-type]
        return failure.value
