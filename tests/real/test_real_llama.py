"""A real llama-server: loading, under load, asleep; and its router mode, which polling must not make load anything."""

from __future__ import annotations

import time

import pytest

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.models import ModelState

from .servers import Server
from .streams import streaming
from .waiting import wait_until
from .watch import fleet_of, watching

NAME = "llama"
POLL_S = 0.5
STREAMS = 6
TOKENS = 1900
WINDOW_S = 6.0


def spec_of(server: Server) -> EndpointSpec:
    return EndpointSpec(NAME, server.url)


def model_states(view: EndpointView) -> dict[str, ModelState]:
    return {model.id: model.state for model in view.models}


async def polled_again(engine: Engine, times: int) -> EndpointView:
    for _ in range(times):
        await engine.once()
    return engine.snapshot().endpoints[0]


async def test_loading_is_seen_and_then_what_it_is(llama_server: Server) -> None:
    llama_server.kill()
    llama_server.launch()
    engine = Engine(fleet_of(spec_of(llama_server)))
    seen: dict[State | None, str] = {}
    deadline = time.monotonic() + 60
    while State.OK not in seen:
        assert time.monotonic() < deadline, seen
        view = await polled_again(engine, 1)
        seen[view.state] = view.reason
    await engine.stop()
    assert list(seen)[-2:] == [State.LOADING, State.OK]
    assert seen[State.LOADING] == "loading the model"
    assert (view.engine, view.running, view.waiting) == ("llamacpp", 0, 0)
    assert view.version is not None
    assert [(model.id, model.state, model.context_length) for model in view.models] == [
        ("slow-e", ModelState.LOADED, 2048)
    ]


async def test_tokens_are_counted_while_they_stream(llama_server: Server) -> None:
    engine = Engine(fleet_of(spec_of(llama_server)))

    def is_full() -> bool:
        view = engine.snapshot().endpoints[0]
        return (view.running, view.waiting) == (2, STREAMS - 2)

    async with streaming(llama_server, streams=STREAMS, max_tokens=TOKENS) as meter:
        deadline = time.monotonic() + 30
        while meter.total < 20 or not is_full():
            assert time.monotonic() < deadline, (meter.total, meter.errors, engine.snapshot().endpoints)
            await engine.once()
        begin = engine.snapshot().endpoints[0].answered
        assert begin is not None
        await wait_until("the window is over", lambda: time.monotonic() >= begin + WINDOW_S, within=WINDOW_S + 5)
        view = await polled_again(engine, 1)
        await engine.stop()
    assert meter.errors == []
    assert is_full()
    assert (view.state, view.reason) == (State.BUSY, "4 waiting")
    assert view.answered is not None
    assert view.generation_tps == pytest.approx(meter.rate(begin, view.answered), rel=0.1)


async def test_polling_lets_a_server_fall_asleep_and_sleep_on(sleepy_llama: Server) -> None:
    with sleepy_llama.client() as client:

        def sleeps() -> bool:
            return client.get("/props").json()["is_sleeping"] is True

        async with watching(fleet_of(spec_of(sleepy_llama), poll=POLL_S)) as watch:
            await watch.until_state(NAME, State.OK, within=10)
            await wait_until("the server falls asleep while it is polled", sleeps, within=20)
            asleep = time.monotonic()
            view = await watch.until_state(NAME, State.SLEEPING, within=30)
            assert view.answered is not None
            await watch.until(NAME, lambda now: (now.answered or 0) > asleep + 10 * POLL_S, within=30)
            assert sleeps()
        assert model_states(view) == {"tiny-a": ModelState.SLEEPING}
    assert sleepy_llama.log.read_text(errors="replace").count("server is entering sleeping state") == 1


async def test_polling_a_router_loads_nothing(llama_router: Server) -> None:
    installed = dict.fromkeys(("tiny-a", "tiny-b", "tiny-c"), ModelState.INSTALLED)
    engine = Engine(fleet_of(spec_of(llama_router)))
    view = await polled_again(engine, 10)
    assert (view.engine, view.state) == ("llamacpp", State.OK)
    assert model_states(view) == installed
    with llama_router.client() as client:
        assert {model["status"]["value"] for model in client.get("/models").json()["data"]} == {"unloaded"}
        client.post("/models/load", json={"model": "tiny-a"}).raise_for_status()
        view = await _until_model(engine, "tiny-a", ModelState.LOADED)
        assert model_states(view) == installed | {"tiny-a": ModelState.LOADED}
        assert (view.state, view.running, view.waiting) == (State.OK, 0, 0)
        client.post("/models/unload", json={"model": "tiny-a"}).raise_for_status()
        await _until_model(engine, "tiny-a", ModelState.INSTALLED)
        assert model_states(await polled_again(engine, 10)) == installed
    await engine.stop()


async def _until_model(engine: Engine, model: str, state: ModelState) -> EndpointView:
    deadline = time.monotonic() + 60
    while True:
        view = await polled_again(engine, 1)
        if model_states(view)[model] is state:
            return view
        assert time.monotonic() < deadline, (model, state, view.models)
