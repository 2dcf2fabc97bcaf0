"""A real vLLM with two places: under load, frozen, killed and started again, with twenty other endpoints beside it.

The order matters for the time it takes only: the server that the last test leaves is as good as the one the first got.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import pytest

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.limits import Limits

from .light import light_endpoints
from .servers import Server
from .streams import Meter, streaming
from .waiting import wait_until
from .watch import Watch, fleet_of, watching

NAME = "vllm"
STREAMS = 12
TOKENS = 8000
POLL_S = 2.0
TIMEOUT_S = 1.5
"""Shorter than the interval, so that even a frozen server's polls never overlap."""
WINDOW_S = 8.0
"""Longer, and it would be a pause: a mean over that is shown by nobody."""
OTHERS = 20


@pytest.fixture
async def others() -> AsyncIterator[tuple[EndpointSpec, ...]]:
    async with light_endpoints(OTHERS) as specs:
        yield specs


def spec_of(server: Server) -> EndpointSpec:
    return EndpointSpec(NAME, server.url, timeout=TIMEOUT_S)


def is_full(view: EndpointView) -> bool:
    return (view.running, view.waiting) == (2, STREAMS - 2)


def assert_undisturbed(watch: Watch, others: tuple[EndpointSpec, ...]) -> None:
    """Nothing of the others was late, unwell or skipped."""
    assert watch.engine.missed == 0
    for spec in others:
        assert watch.states(spec.name) == [State.OK]
        assert watch.oldest[spec.name] < 2 * POLL_S


@pytest.mark.alone
async def test_twelve_streams_are_counted_as_their_clients_count_them(vllm_server: Server) -> None:
    engine = Engine(fleet_of(spec_of(vllm_server)))
    async with streaming(vllm_server, streams=STREAMS, max_tokens=TOKENS) as meter:
        await _until_full(engine, meter)
        before = engine.snapshot().endpoints[0]
        assert before.answered is not None
        begin = before.answered
        await wait_until("the window is over", lambda: time.monotonic() >= begin + WINDOW_S, within=WINDOW_S + 5)
        await engine.once()
        view = engine.snapshot().endpoints[0]
        await engine.stop()
    assert meter.errors == []
    assert (view.engine, view.version, [model.id for model in view.models]) == ("vllm", "0.32.0", ["mid-llama"])
    assert is_full(view)
    assert (view.state, view.reason) == (State.BUSY, "10 waiting")
    assert view.answered is not None
    assert view.generation_tps == pytest.approx(meter.rate(begin, view.answered), rel=0.05)
    assert view.kv_used is not None
    assert 0 < view.kv_used < 1


async def _until_full(engine: Engine, meter: Meter) -> None:
    deadline = time.monotonic() + 30
    while meter.total < 50 or not is_full(engine.snapshot().endpoints[0]):
        assert time.monotonic() < deadline, (meter.total, meter.errors, engine.snapshot().endpoints[0])
        await engine.once()
        await asyncio.sleep(0.1)


@pytest.mark.alone
async def test_an_engine_that_hangs_under_a_live_server_is_stalled(
    vllm_server: Server, others: tuple[EndpointSpec, ...]
) -> None:
    limits = Limits(stalled_after=4.0)
    fleet = fleet_of(spec_of(vllm_server), *others, poll=POLL_S, limits=limits)
    engine_core = vllm_server.part("EngineCore")
    async with streaming(vllm_server, streams=STREAMS, max_tokens=TOKENS), watching(fleet) as watch:
        await watch.until(NAME, is_full, within=30)
        engine_core.suspend()
        try:
            view = await watch.until_state(NAME, State.STALLED, within=20)
        finally:
            engine_core.resume()
        assert view.reason.startswith("no token for")
        assert view.reason.endswith("; 2 running, 10 waiting")
        assert is_full(view)
        back = await watch.until_state(NAME, State.BUSY, within=15)
        assert back.reason == "10 waiting"
    assert_undisturbed(watch, others)


@pytest.mark.alone
async def test_a_frozen_server_is_stale_and_comes_back(vllm_server: Server, others: tuple[EndpointSpec, ...]) -> None:
    fleet = fleet_of(spec_of(vllm_server), *others, poll=POLL_S)
    async with streaming(vllm_server, streams=STREAMS, max_tokens=TOKENS), watching(fleet) as watch:
        last = await watch.until(NAME, is_full, within=30)
        vllm_server.signal(signal.SIGSTOP)
        try:
            view = await watch.until_state(NAME, State.STALE, within=20)
            assert view.reason == "no answer in 1.5 s"
            assert view.since is not None
            assert view.since == view.answered
            assert (view.running, view.waiting, view.version) == (last.running, last.waiting, last.version)
        finally:
            vllm_server.signal(signal.SIGCONT)
        await watch.until_state(NAME, State.BUSY, within=30)
    assert_undisturbed(watch, others)


@pytest.mark.alone
async def test_a_killed_server_is_down_and_then_restarted(
    vllm_server: Server, others: tuple[EndpointSpec, ...]
) -> None:
    fleet = fleet_of(spec_of(vllm_server), *others, poll=POLL_S)
    async with streaming(vllm_server, streams=STREAMS, max_tokens=TOKENS), watching(fleet) as watch:
        await watch.until(NAME, lambda view: is_full(view) and view.generation_tps is not None, within=30)
        await asyncio.to_thread(vllm_server.kill)
        killed = time.monotonic()
        down = await watch.until_state(NAME, State.DOWN, within=3 * POLL_S + 5)
        assert down.reason == "connection refused"
        assert down.since is not None
        assert down.since - killed <= 2 * POLL_S
        assert (down.running, down.generation_tps, down.kv_used) == (None, None, None)
        await asyncio.to_thread(vllm_server.start)
        again = await watch.until_state(NAME, State.RESTARTED, within=40)
        assert again.reason == "its counters began again"
        assert (again.running, again.waiting, again.generation_tps) == (0, 0, None)
    assert watch.states(NAME)[-2:] == [State.DOWN, State.RESTARTED]
    assert_undisturbed(watch, others)
