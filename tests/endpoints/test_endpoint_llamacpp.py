"""llama-server, single and as a router, on recorded answers. What must not be asked is asserted, not hoped."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints.llamacpp import NO_METRICS
from quarterdeck.model.models import ModelState
from quarterdeck.model.rates import Sample, engine_rates, restarted
from quarterdeck.model.reading import Outcome
from recorded import recorded, value

PROPS = recorded("llamacpp/props.json")
MODELS = recorded("llamacpp/v1_models.json")


def metrics(name: str, started: str = "1974200526") -> Reply:
    return Reply(recorded(f"llamacpp/{name}.txt"), headers={"Process-Start-Time-Unix": started})


def single(
    page: str = "metrics", slots: str = "slots", others: Mapping[str, object] | None = None
) -> dict[str, object]:
    return {
        "/props": PROPS,
        "/v1/models": MODELS,
        "/metrics": metrics(page),
        "/slots": recorded(f"llamacpp/{slots}.json"),
        **(others or {}),
    }


def decoded(slots: str) -> int:
    """Tokens of running requests on a recorded slots page."""
    return sum(
        slot["next_token"][0]["n_decoded"]
        for slot in json.loads(recorded(f"llamacpp/{slots}.json"))
        if slot["is_processing"]
    )


async def test_idle() -> None:
    async with watching(single(), "llamacpp") as watch:
        reading = await watch.poll()
        assert "/slots" not in watch.server.targets  # it would keep a server with --sleep-idle-seconds awake
    assert (reading.outcome, reading.reason) == (Outcome.ANSWERED, "")
    engine = engine_of(reading)
    assert (engine.running, engine.waiting, engine.kv_used) == (0, 0, None)
    assert (engine.generation_tokens, engine.unfinished_tokens) == (0, 0)
    assert engine.started == 1974200526
    facts = facts_of(reading)
    assert (facts.engine, facts.version, facts.sleeping, facts.notes) == (
        "llamacpp",
        json.loads(PROPS)["build_info"],
        False,
        (),
    )
    (model,) = facts.models
    entry = json.loads(MODELS)["data"][0]
    assert (model.id, model.state) == (entry["id"], ModelState.LOADED)
    assert (model.size_bytes, model.context_length) == (entry["meta"]["size"], 2048)


@pytest.mark.parametrize("number", [1, 2])
async def test_under_load_the_tokens_of_running_requests_count(number: int) -> None:
    page = f"metrics_load_{number}"
    engine = engine_of(await poll_once(single(page, f"slots_load_{number}"), "llamacpp"))
    assert engine.running == value(f"llamacpp/{page}.txt", "llamacpp:requests_processing") == 2
    assert engine.waiting == value(f"llamacpp/{page}.txt", "llamacpp:requests_deferred")
    assert engine.generation_tokens == value(f"llamacpp/{page}.txt", "llamacpp:tokens_predicted_total")
    assert engine.unfinished_tokens == decoded(f"slots_load_{number}") > 0
    assert engine.steps == value(f"llamacpp/{page}.txt", "llamacpp:n_decode_total")


async def test_the_older_shape_of_next_token() -> None:
    slots = json.loads(recorded("llamacpp/slots_load_1.json"))
    for slot in slots:
        slot["next_token"] = slot["next_token"][0]
    engine = engine_of(await poll_once(single("metrics_load_1", others={"/slots": slots}), "llamacpp"))
    assert engine.unfinished_tokens == decoded("slots_load_1")


async def test_a_prompt_being_read_counts_until_its_first_token() -> None:
    slots = [
        {"is_processing": True, "n_prompt_tokens_processed": 512, "next_token": [{"n_decoded": 0}]},
        {"is_processing": True, "n_prompt_tokens_processed": 99, "next_token": [{"n_decoded": 7}]},
        {"is_processing": False, "n_prompt_tokens_processed": 5, "next_token": [{"n_decoded": 5}]},
        {"is_processing": "yes", "n_prompt_tokens_processed": 5, "next_token": [{"n_decoded": 5}]},
    ]
    engine = engine_of(await poll_once(single("metrics_load_1", others={"/slots": slots}), "llamacpp"))
    assert (engine.unfinished_tokens, engine.unfinished_prompt_tokens) == (7, 512)


def page(predicted: int, running: int) -> bytes:
    return (
        f"llamacpp:requests_processing {running}\nllamacpp:requests_deferred 0\n"
        f"llamacpp:tokens_predicted_total {predicted}\nllamacpp:prompt_tokens_total 10\nllamacpp:n_decode_total 5\n"
    ).encode()


def slot_page(*done: int) -> list[object]:
    return [{"is_processing": True, "next_token": [{"n_decoded": count}]} for count in done]


async def test_a_request_that_ends_between_two_pages_is_not_counted_twice() -> None:
    pages = iter([page(100, 2), page(150, 1), page(150, 1)])
    slots = iter([slot_page(50, 20), slot_page(21)])

    def serve(asked: Asked) -> object:
        if asked.path == "/metrics":
            return next(pages)
        return next(slots) if asked.path == "/slots" else single().get(asked.path)

    engine = engine_of(await poll_once(serve, "llamacpp"))
    assert (engine.generation_tokens, engine.unfinished_tokens, engine.running) == (150, 21, 1)


async def test_where_requests_end_all_the_time_the_poll_still_ends() -> None:
    count = 0

    def serve(asked: Asked) -> object:
        nonlocal count
        if asked.path == "/metrics":
            count += 10
            return page(count, 2)
        return slot_page(3, 4) if asked.path == "/slots" else single().get(asked.path)

    async with watching(serve, "llamacpp") as watch:
        engine = engine_of(await watch.poll())
        assert len(watch.server.targets) <= 9
        assert engine.unfinished_tokens == 7
        again = engine_of(await watch.poll())
    rates = engine_rates(Sample(0.0, (engine,)), Sample(2.0, (again,)))["0"]
    assert rates.generation_tps is not None


@pytest.mark.parametrize("slots", [Reply(b"", 501), Reply(b"", 404)])
async def test_without_slots_there_are_counters_only(slots: Reply) -> None:
    engine = engine_of(await poll_once(single("metrics_load_1", others={"/slots": slots}), "llamacpp"))
    assert engine.unfinished_tokens is None
    assert engine.running == 2


async def test_without_metrics() -> None:
    off = Reply(recorded("llamacpp/metrics_off.json"), 501)
    async with watching(single(others={"/metrics": off}), "llamacpp") as watch:
        reading = await watch.poll()
        assert "/slots" not in watch.server.targets
    facts = facts_of(reading)
    assert reading.outcome is Outcome.ANSWERED
    assert (facts.engines, facts.notes) == ((), (NO_METRICS,))
    assert len(facts.models) == 1


@pytest.mark.parametrize("engine", ["llamacpp", "auto"])
async def test_loading(engine: str) -> None:
    reading = await poll_once({"*": Reply(recorded("llamacpp/loading.json"), 503)}, engine)
    assert (reading.outcome, reading.reason, reading.facts) == (Outcome.LOADING, "loading the model", None)


@pytest.mark.parametrize("engine", ["llamacpp", "auto"])
async def test_a_key_is_wanted(engine: str) -> None:
    reading = await poll_once({"*": Reply(recorded("llamacpp/unauthorized.json"), 401)}, engine)
    assert (reading.outcome, reading.reason) == (Outcome.AUTH, "401: key missing or wrong")


async def test_idle_sleep_is_told_and_not_disturbed() -> None:
    asleep = single("metrics_asleep", others={"/props": recorded("llamacpp/props_asleep.json")})
    async with watching(asleep, "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        await watch.poll()
        assert "/slots" not in watch.server.targets
    assert facts.sleeping
    assert {model.state for model in facts.models} == {ModelState.SLEEPING}


async def test_a_sleeper_that_works_is_awake() -> None:
    asleep = single("metrics_load_1", "slots_load_1", others={"/props": recorded("llamacpp/props_asleep.json")})
    assert not facts_of(await poll_once(asleep, "llamacpp")).sleeping


async def test_a_new_process_is_known_by_its_start_mark() -> None:
    readings = [
        Sample(
            0.0, (engine_of(await poll_once(single(others={"/metrics": metrics("metrics_after", mark)}), "llamacpp")),)
        )
        for mark in ("1974200526", "1974200526", "2077708599", "12", "soon")
    ]
    assert [restarted(readings[0], reading) for reading in readings] == [False, False, True, True, False]


@pytest.mark.parametrize("answers", [{"*": {"version": "1"}}, {"*": b"<html>"}, {"*": [1]}])
async def test_what_is_not_llamacpp(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "llamacpp")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as llama.cpp")


ROUTER_PROPS = recorded("llamacpp/router_props.json")


def router(models: str, **others: Any) -> Callable[[Asked], object]:
    """Refuses, as the real one does, what would load a model; the tests look at what was asked."""

    def serve(asked: Asked) -> object:
        query = parse_qs(asked.target.partition("?")[2])
        if asked.target in others:
            return others[asked.target]
        if asked.path in ("/props", "/metrics", "/slots") and asked.target != "/props":
            if "model" not in query:
                return Reply(recorded("llamacpp/router_metrics_bare.json"), 400)
            if asked.path == "/metrics":
                return Reply(
                    recorded("llamacpp/router_metrics_b.txt"), headers={"Process-Start-Time-Unix": "2040954765"}
                )
            return recorded("llamacpp/slots.json")
        pages = {"/props": ROUTER_PROPS, "/models": recorded(f"llamacpp/{models}.json")}
        return pages.get(asked.path, pages["/models"] if asked.path == "/v1/models" else None)

    return serve


def never_loads(targets: list[str]) -> None:
    """Every per-model page carries autoload=false."""
    for target in targets:
        path, _, query = target.partition("?")
        if path in ("/metrics", "/slots") or "model=" in query:
            assert parse_qs(query).get("autoload") == ["false"], target
            assert parse_qs(query).get("model"), target


async def test_a_router_tells_its_models() -> None:
    async with watching(router("router_models"), "auto") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        assert "/slots" not in {one.path for one in watch.server.asked}
    assert facts.engine == "llamacpp"
    entries = json.loads(recorded("llamacpp/router_models.json"))["data"]
    assert [m.id for m in facts.models] == [entry["id"] for entry in entries]
    states = {"loaded": ModelState.LOADED, "unloaded": ModelState.INSTALLED}
    assert [m.state for m in facts.models] == [states[entry["status"]["value"]] for entry in entries]
    loaded = [entry["id"] for entry in entries if entry["status"]["value"] == "loaded"]
    assert [e.label for e in facts.engines] == loaded
    assert {e.generation_tokens for e in facts.engines} == {16}


async def test_a_router_without_loaded_models_is_asked_for_none_of_them() -> None:
    async with watching(router("router_models_0"), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        assert {one.path for one in watch.server.asked} == {"/props", "/models"}
    assert (facts.engines, facts.notes) == ((), ())
    assert {m.state for m in facts.models} == {ModelState.INSTALLED}


async def test_a_router_whose_model_is_loading() -> None:
    async with watching(router("router_models_loading"), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        assert {one.path for one in watch.server.asked} == {"/props", "/models"}
    assert ModelState.LOADING in {m.state for m in facts.models}


async def test_a_model_unloaded_between_the_list_and_its_page() -> None:
    gone = Reply(recorded("llamacpp/router_unloaded.json"), 400)
    serve = router("router_models", **{"/metrics?model=tiny-a&autoload=false": gone})
    facts = facts_of(await poll_once(serve, "llamacpp"))
    assert "tiny-a" not in [e.label for e in facts.engines]
    assert facts.engines


async def test_names_of_models_cannot_smuggle_a_query() -> None:
    name = "a&autoload=true#/../unload?x"
    models = {"data": [{"id": name, "status": {"value": "loaded"}}, {"id": "b\x1b[2J", "status": {"value": "failed"}}]}
    async with watching(router("router_models", **{"/models": models}), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        (asked,) = [one for one in watch.server.asked if one.path == "/metrics"]
    assert parse_qs(asked.target.partition("?")[2])["model"] == [name]
    assert [m.id for m in facts.models] == [name, "b"]


async def test_states_of_routed_models() -> None:
    words = ["loaded", "loading", "downloading", "sleeping", "unloaded", "dreaming", None]
    models = [{"id": f"m{i}", "status": {"value": word}} for i, word in enumerate(words)]
    models.append({"id": "broken", "status": {"value": "unloaded", "failed": True, "exit_code": 1}})
    facts = facts_of(await poll_once(router("router_models", **{"/models": {"data": models}}), "llamacpp"))
    assert [m.state.value for m in facts.models] == [
        "loaded", "loading", "loading", "sleeping", "installed", "served", "served", "failed",
    ]  # fmt: skip


async def test_many_loaded_models_do_not_become_many_requests() -> None:
    models = {"data": [{"id": f"m{i}", "status": {"value": "loaded"}} for i in range(100)]}
    async with watching(router("router_models", **{"/models": models}), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        assert len(watch.server.asked) <= 10
    assert len(facts.models) == 100
