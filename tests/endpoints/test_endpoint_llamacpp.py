"""llama-server with one model, on recorded answers. What must not be asked is asserted, not hoped."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints.llamacpp import NO_CACHE, NO_LATENCIES, NO_METRICS
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
        (NO_CACHE, NO_LATENCIES),
    )
    (model,) = facts.models
    entry = json.loads(MODELS)["data"][0]
    assert (model.id, model.state) == (entry["id"], ModelState.LOADED)
    assert (model.size_bytes, model.context_length) == (entry["meta"]["size"], 2048)


async def test_what_the_server_says_of_itself() -> None:
    facts = facts_of(await poll_once(single("metrics_load_1", "slots_load_1"), "llamacpp"))
    told = json.loads(PROPS)
    assert dict(facts.identity) == {
        "model file": told["model_path"].rpartition("/")[2],
        "file type": told["model_ftype"],
        "context per slot": "2048 tokens",
        "modalities": "text",
        "slots": "2 of 2 in use",
    }
    assert facts.origins["waiting"] == "/metrics llamacpp:requests_deferred"
    assert facts.origins["unfinished_tokens"] == "/slots next_token.n_decoded"


async def test_cached_tokens_and_drafts_are_counted() -> None:
    engine = engine_of(await poll_once(single("metrics_load_1", "slots_load_1"), "llamacpp"))
    computed = value("llamacpp/metrics_load_1.txt", "llamacpp:prompt_tokens_total")
    cached = value("llamacpp/metrics_load_1.txt", "llamacpp:prompt_tokens_cached_total")
    assert (engine.prompt_tokens, engine.cached_tokens, engine.cached_apart) == (computed, cached, True)
    assert (engine.cache_queries, engine.cache_hits) == (computed + cached, cached)
    drafted = b"llamacpp:spec_decode_num_draft_tokens_total 40\nllamacpp:spec_decode_num_accepted_tokens_total 30\n"
    drafting = engine_of(await poll_once(single(others={"/metrics": page(5, 0) + drafted}), "llamacpp"))
    assert (drafting.draft_tokens, drafting.accepted_tokens) == (40, 30)
    assert (drafting.cached_tokens, drafting.cache_queries) == (None, None)


@pytest.mark.parametrize(("slots", "capacity"), [(1, 2048), (2, None)])
async def test_the_caches_size_is_told_only_where_it_is_sure(slots: int, capacity: int | None) -> None:
    """Several slots may share one cache (--kv-unified) or split it; nothing tells which."""
    props = json.loads(PROPS) | {"total_slots": slots}
    facts = facts_of(await poll_once(single(others={"/props": props}), "llamacpp"))
    assert facts.engines[0].kv_capacity_tokens == capacity
    assert ("kv_capacity_tokens" in facts.origins) == (capacity is not None)


async def test_older_builds_tell_the_use_of_the_cache() -> None:
    reading = await poll_once(
        single(others={"/metrics": page(5, 0) + b"llamacpp:kv_cache_usage_ratio 0.25\n"}), "llamacpp"
    )
    assert engine_of(reading).kv_used == 0.25
    assert facts_of(reading).notes == (NO_LATENCIES,)


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
    assert dict(facts.origins) == {"version": "/props build_info", "models": "/v1/models, /props"}, (
        "nothing else was read"
    )
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
    assert facts.origins["sleeping"] == "/props is_sleeping"
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
    assert [bool(restarted(readings[0], reading)) for reading in readings] == [False, False, True, True, False]


@pytest.mark.parametrize("answers", [{"*": {"version": "1"}}, {"*": b"<html>"}, {"*": [1]}])
async def test_what_is_not_llamacpp(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "llamacpp")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as llama.cpp")
