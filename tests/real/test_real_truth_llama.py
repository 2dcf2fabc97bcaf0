"""What we say of a real llama-server, and of a model behind its router, beside what Prometheus says of it."""

from __future__ import annotations

import asyncio
import itertools
import math
import time
from typing import Any

import pytest

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine

from .prometheus import Prometheus, Scraping, around
from .questions import ask_in_turn
from .servers import Server
from .streams import streaming
from .waiting import STEP_S, wait_until
from .watch import fleet_of
from .watchers import Sample, sampled

STREAMS = 6
QUESTIONS = 14
SAMPLE_EVERY_S = 0.2
GENERATED, PROMPTED, CACHED = (
    "llamacpp:tokens_predicted_total",
    "llamacpp:prompt_tokens_total",
    "llamacpp:prompt_tokens_cached_total",
)
RUNNING, WAITING = "llamacpp:requests_processing", "llamacpp:requests_deferred"


def engine_of(server: Server) -> Engine:
    return Engine(fleet_of(EndpointSpec("llama", server.url, "llamacpp", timeout=5.0)))


async def test_requests_that_run_and_wait(llama_server: Server, scraped: Scraping) -> None:
    engine = engine_of(llama_server)
    async with scraped(llama_server) as prometheus:
        begin = time.time()
        async with streaming(llama_server, streams=STREAMS, max_tokens=1900):
            await _until(engine, running=2, waiting=STREAMS - 2)
            await prometheus.settled()
            now = await sampled(engine)
            pages = await prometheus.pages_past(begin - 2, now.end)
        await engine.stop()
    before, after = around(pages, now.begin, now.end)
    assert before.total(RUNNING) == after.total(RUNNING) == now.view.running == 2
    assert before.total(WAITING) == after.total(WAITING) == now.view.waiting == STREAMS - 2


async def _until(engine: Engine, *, running: int, waiting: int) -> Sample:
    deadline = time.monotonic() + 30
    while True:
        sample = await sampled(engine)
        if (sample.view.running, sample.view.waiting) == (running, waiting):
            return sample
        assert time.monotonic() < deadline, sample.view
        await asyncio.sleep(STEP_S)


async def test_tokens_add_up_to_what_prometheus_counts(llama_server: Server, scraped: Scraping) -> None:
    engine = engine_of(llama_server)
    await _until(engine, running=0, waiting=0)  # what runs has ended before Prometheus begins
    async with scraped(llama_server) as prometheus:
        await assert_tokens_add_up(engine, prometheus, llama_server)
    await engine.stop()


async def test_tokens_of_a_model_behind_the_router(llama_router: Server, scraped: Scraping) -> None:
    with llama_router.client() as client:
        client.post("/models/load", json={"model": "tiny-a"}).raise_for_status()
        await wait_until("the model is loaded", lambda: _is_loaded(client.get("/models").json()), within=60)
    llama_router.model = "tiny-a"
    engine = engine_of(llama_router)
    only = {"model": "tiny-a", "autoload": "false"}
    async with scraped(llama_router, query=only) as prometheus:
        await assert_tokens_add_up(engine, prometheus, llama_router)
    await engine.stop()


async def assert_tokens_add_up(engine: Engine, prometheus: Prometheus, server: Server) -> None:
    """Between two idle moments our rates add up to the growth of the counters, which move only when a request ends."""
    await prometheus.settled()
    samples = [await _until(engine, running=0, waiting=0)]
    await prometheus.pages_past(samples[0].begin - 1, samples[0].end)
    asking = asyncio.create_task(ask_in_turn(server, QUESTIONS))
    due = time.monotonic()
    while samples[-1].view.running or not asking.done():
        due += SAMPLE_EVERY_S
        await wait_until("the next sample is due", lambda due=due: time.monotonic() >= due, within=10)  # type: ignore[misc]
        samples.append(await sampled(engine))
    await asking
    pages = await prometheus.pages_past(samples[0].begin - 2, samples[-1].end)
    (first, _), (_, last) = (around(pages, sample.begin, sample.end) for sample in (samples[0], samples[-1]))
    generated, prompted, cached = (last.total(name) - first.total(name) for name in (GENERATED, PROMPTED, CACHED))
    assert _summed(samples, "generation_tps") == pytest.approx(generated)
    assert _summed(samples, "prompt_tps") == pytest.approx(prompted + cached), "computed or found in the cache"
    assert _summed(samples, "cached_tps") == pytest.approx(cached)
    assert generated > QUESTIONS
    assert cached > 0


def _summed(samples: list[Sample], rate: str) -> float:
    """What a rate of ours adds up to over all intervals; each must be known."""
    return math.fsum(getattr(new.view, rate) * (new.clock - old.clock) for old, new in itertools.pairwise(samples))


def _is_loaded(listing: dict[str, Any]) -> bool:
    return any(model["id"] == "tiny-a" and model["status"]["value"] == "loaded" for model in listing["data"])
