"""What we say of a real LiteLLM in front of a real llama-server, beside what its clients and Prometheus say."""

from __future__ import annotations

import asyncio
import time

import pytest

from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import State
from quarterdeck.model.models import ModelState

from .agreement import EXACT, Interval, quantile_limits
from .prometheus import Prometheus, Scraping, around
from .questions import ask_in_turn
from .servers import Server
from .streams import streaming
from .waiting import STEP_S, wait_until
from .watch import fleet_of
from .watchers import Sample, sampled

KEY_IN = "QUARTERDECK_TEST_LITELLM_KEY"
STREAMS = 3
QUESTIONS = 6
IDLE_POLLS = 8
POLL_EVERY_S = 0.2
REQUESTS = "litellm_proxy_total_requests_metric_total"
GENERATED, PROMPTED = "litellm_output_tokens_metric_total", "litellm_input_tokens_metric_total"
LATENCY, IN_FLIGHT = "litellm_request_total_latency_metric_bucket", "litellm_in_flight_requests"
STATE = "litellm_deployment_state"


@pytest.fixture
def spec(litellm_server: Server, monkeypatch: pytest.MonkeyPatch) -> EndpointSpec:
    assert litellm_server.key is not None
    monkeypatch.setenv(KEY_IN, litellm_server.key)
    return EndpointSpec("litellm", litellm_server.url, auth=Auth(env=KEY_IN), timeout=5.0)


async def test_what_a_litellm_is_and_did(
    litellm_server: Server, llama_server: Server, spec: EndpointSpec, scraped: Scraping
) -> None:
    await assert_the_key_is_wanted(litellm_server)
    engine = Engine(fleet_of(spec))
    assert_known(await sampled(engine), llama_server)
    await ask_in_turn(litellm_server, 1)  # a series shows with the first request that it counts
    await assert_polls_call_no_model(engine, llama_server)
    async with scraped(litellm_server, page="/metrics/") as prometheus:
        await assert_a_round_is_counted(engine, prometheus, litellm_server)
        await assert_what_runs_is_counted(engine, prometheus, litellm_server)
        await assert_a_backend_that_is_gone_shows(engine, prometheus, litellm_server)
    await engine.stop()


async def assert_the_key_is_wanted(server: Server) -> None:
    """Without it we say so, and what is public."""
    engine = Engine(fleet_of(EndpointSpec("litellm", server.url, timeout=5.0)))
    await engine.once()
    (view,) = engine.snapshot().endpoints
    await engine.stop()
    assert (view.engine, view.state, view.models, view.deployments) == ("litellm", State.AUTH, (), ())


def assert_known(sample: Sample, behind: Server) -> None:
    """Before any request: what it is, and that nothing was counted yet."""
    view = sample.view
    assert (view.engine, view.version, view.state, view.reason) == ("litellm", "1.106.2", State.OK, "")
    assert [(model.id, model.state) for model in view.models] == [
        (name, ModelState.SERVED) for name in (behind.model, "gone")
    ]
    assert [(one.model, one.state) for one in view.deployments] == [(behind.model, None), ("gone", None)]
    assert view.deployments[0].backend == f"openai/{behind.model} at {behind.url}/v1"
    assert (view.running, view.waiting, view.generation_tps, view.finished_ps) == (0, None, None, None)
    assert view.latencies is not None
    assert (view.latencies.last, view.latencies.minute) == ({}, {})


async def assert_polls_call_no_model(engine: Engine, behind: Server) -> None:
    """However often the proxy is asked how it is."""
    own = Engine(fleet_of(EndpointSpec("llama", behind.url, "llamacpp", timeout=5.0)))
    before = await sampled(own)
    due = time.monotonic()
    for _ in range(IDLE_POLLS):
        view = (await sampled(engine)).view
        due += POLL_EVERY_S
        await wait_until("the next poll is due", lambda due=due: time.monotonic() >= due, within=10)  # type: ignore[misc]
    after = await sampled(own)
    await own.stop()
    for counter in ("prompt_tokens", "generation_tokens"):
        assert before.counter(counter) == after.counter(counter) > 0
    assert (view.generation_tps, view.prompt_tps) == (0, 0)
    assert view.latencies is not None
    assert view.latencies.last == {}


async def assert_a_round_is_counted(engine: Engine, prometheus: Prometheus, server: Server) -> None:
    """Between two idle moments: requests, tokens and latencies, as the clients and Prometheus counted them."""
    then = await sampled(engine)
    await prometheus.pages_past(then.begin - 3, then.end)
    asked = await ask_in_turn(server, QUESTIONS)
    await _until(
        prometheus, f"sum({GENERATED})", then.counter("generation_tokens") + asked
    )  # it counts after it answers
    await _until(prometheus, f'sum({LATENCY}{{le="+Inf"}})', then.finished + QUESTIONS)
    await _until(prometheus, f'sum({REQUESTS}{{requested_model="{server.model}"}})', then.finished + QUESTIONS)
    await prometheus.settled()
    now = await sampled(engine)
    interval = Interval.between(then, now, await prometheus.pages_past(then.begin - 3, now.end))
    assert interval.least_and_most(GENERATED) == (asked, asked)
    assert interval.least_and_most(REQUESTS, requested_model=server.model) == (QUESTIONS, QUESTIONS)
    assert now.view.generation_tps == pytest.approx(asked / interval.seconds)
    assert now.view.prompt_tps == pytest.approx(interval.least_and_most(PROMPTED)[0] / interval.seconds)
    assert dict(now.view.finished_ps or ()) == pytest.approx({"HTTP 200": QUESTIONS / interval.seconds})
    await assert_latencies_agree(prometheus, interval)


async def assert_latencies_agree(prometheus: Prometheus, interval: Interval) -> None:
    """Of whole requests. Prometheus' ``rate`` enlarges the buckets that grew from more than nothing."""
    latencies = interval.now.view.latencies
    assert latencies is not None
    bounds, least, most = interval.buckets(LATENCY)
    window = latencies.last["e2e"]
    assert least == most
    assert (window.bounds, window.counts) == (bounds, tuple(least))
    rate = f"sum by (le) (rate({LATENCY}{interval.window}))"
    theirs = await prometheus.value(f"histogram_quantile(0.5, {rate})", interval.now.at)
    low, high = quantile_limits(bounds, least, [count * interval.enlarged for count in most], 0.5)
    assert theirs is not None
    assert low * (1 - EXACT) <= theirs <= high * (1 + EXACT)
    assert low <= (window.quantile(0.5) or 0) <= high
    assert set(latencies.last) == {"e2e", "queue"}, "no stream, so no time to a first token"


async def assert_what_runs_is_counted(engine: Engine, prometheus: Prometheus, server: Server) -> None:
    """An upper bound: a poll of others is among them if it comes at the same time."""
    async with streaming(server, streams=STREAMS, max_tokens=1900) as meter:
        begin = await _until_running(engine, STREAMS)
        await prometheus.settled()
        now = await _until_running(engine, STREAMS)
        before, after = around(await prometheus.pages_past(begin.begin - 3, now.end), now.begin, now.end)
    assert meter.errors == []
    assert before.total(IN_FLIGHT) - 1 == after.total(IN_FLIGHT) - 1 == STREAMS, "a scrape counts itself"
    assert "running" in now.view.estimates


async def assert_a_backend_that_is_gone_shows(engine: Engine, prometheus: Prometheus, server: Server) -> None:
    """After the first request for it."""
    with server.client() as client:
        body = {"model": "gone", "messages": [{"role": "user", "content": "hello"}]}
        assert client.post("/v1/chat/completions", json=body).status_code == 500
    await _until(prometheus, f'{STATE}{{model_id="gone"}}', 1)
    await _until(prometheus, f'{REQUESTS}{{status_code="500"}}', 1)
    now = await sampled(engine)
    well, gone = now.view.deployments
    assert (well.state, gone.state) == ("healthy", "partial outage")
    assert await prometheus.value(f'{STATE}{{model_id="{well.model}"}}', now.at) == 0
    assert dict(now.engine.finished)["HTTP 500"] == 1
    assert any(note.startswith("1 of 2 deployments ail: openai/gone at ") for note in now.view.notes)


async def _until(prometheus: Prometheus, expression: str, value: float) -> None:
    """Return when an expression has come to ``value``."""
    deadline = time.monotonic() + 20
    while (found := await prometheus.value(expression, time.time())) != value:
        assert time.monotonic() < deadline, (expression, value, found)
        await asyncio.sleep(STEP_S)


async def _until_running(engine: Engine, running: int) -> Sample:
    deadline = time.monotonic() + 30
    while (sample := await sampled(engine)).view.running != running:
        assert time.monotonic() < deadline, sample.view
        await asyncio.sleep(STEP_S)
    return sample
