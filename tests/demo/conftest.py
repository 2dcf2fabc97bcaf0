"""Servers of the demo fleet inside the test's own event loop, on a clock that the test holds or that runs fast."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from quarterdeck.demo.http import HttpServer, Routes, Style
from quarterdeck.demo.world import World

SPEED = 40.0
"""How much faster than the wall the clock of the HTTP tests runs."""


@dataclass
class Hand:
    """A clock that stands until it is moved."""

    now: float = 5_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


def fast() -> float:
    return time.monotonic() * SPEED


def make_world(clock: Callable[[], float], *, seed: int = 7, calm: bool = True) -> World:
    return World(seed=seed, calm=calm, key="demo-key", clock=clock, wall=lambda: 1.795e9 + clock())


@pytest.fixture
def new_world(hand: Hand) -> Callable[..., World]:
    """Makes fleets (``seed``, ``calm``) on the clock of ``hand``."""
    return lambda **how: make_world(hand, **how)


@pytest.fixture
async def listen() -> AsyncIterator[Callable[[Routes, Style], Awaitable[HttpServer]]]:
    """Puts routes on a port of their own until the test ends."""
    servers: list[HttpServer] = []

    async def start(routes: Routes, style: Style) -> HttpServer:
        server = HttpServer(routes, style)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
async def fleet_urls() -> AsyncIterator[dict[str, str]]:
    """Name → URL of every server of a calm fleet whose time runs fast."""
    world = make_world(fast)
    servers = {node.member.name: HttpServer(node.routes, node.style) for node in world.nodes}
    for server in servers.values():
        await server.start()
    yield {name: server.url for name, server in servers.items()}
    for server in servers.values():
        server.stop()
