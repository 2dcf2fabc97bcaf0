"""What a vLLM tells beside the load of its engines: adapters, sleep, identity, health, refused requests."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints.vllm import DEAD
from quarterdeck.endpoints.vllm_identity import cache_rows, model_rows
from quarterdeck.endpoints.vllm_page import NO_ADAPTERS_TOLD
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Facts, LoraAdapter, Outcome
from quarterdeck.wire.prometheus import TOO_MANY
from recorded import recorded, samples

LISTING = recorded("vllm/models.json")
ONE = 'vllm:num_requests_running{engine="0",model_name="m"} 1\n'


async def facts_from(page: str | bytes, **others: object) -> Facts:
    body = page.encode() if isinstance(page, str) else page
    return facts_of(await poll_once({"/metrics": body, "/v1/models": LISTING, **others}, "vllm"))


def lora(at: float, running: str = "", waiting: str = "", most: str = "4") -> str:
    labels = f'max_lora="{most}",running_lora_adapters="{running}",waiting_lora_adapters="{waiting}"'
    return f"vllm:lora_requests_info{{{labels}}} {at}\n"


@pytest.mark.parametrize("name", ["lora_load", "lora_sleeping"])
async def test_adapters_are_those_of_the_newest_series(name: str) -> None:
    page = recorded(f"vllm/0.32/{name}.txt")
    told = [
        (value, dict(labels)) for sample, labels, value in samples(page.decode()) if sample == "vllm:lora_requests_info"
    ]
    assert len(told) > 2
    _, newest = max(told, key=lambda pair: pair[0])
    facts = await facts_from(page)
    assert {a.name for a in facts.adapters if a.running} == set(newest["running_lora_adapters"].split(",")) - {""}
    assert {a.name for a in facts.adapters if a.waiting} == set(newest["waiting_lora_adapters"].split(",")) - {""}
    assert facts.max_adapters == int(newest["max_lora"])


async def test_adapters_follow_the_newest_series_from_poll_to_poll() -> None:
    series = [lora(1.7e9 + 5, "sql, chat", "sql"), lora(1.7e9 + 4, "chat"), lora(1.7e9 + 3)]
    values = iter([(5, 4, 3), (5, 6, 3), (5, 6, 7)])

    def serve(asked: Asked) -> object:
        if asked.path != "/metrics":
            return LISTING if asked.path == "/v1/models" else None
        lines = zip(series, next(values), strict=True)
        return (ONE + "".join(f"{line.rpartition(' ')[0]} {1.7e9 + second}\n" for line, second in lines)).encode()

    async with watching(serve, "vllm") as watch:
        found = [facts_of(await watch.poll()).adapters for _ in range(3)]
    assert found == [
        (LoraAdapter("sql", running=True, waiting=True), LoraAdapter("chat", running=True)),
        (LoraAdapter("chat", running=True),),
        (),
    ]


async def test_times_that_several_processes_added_up_name_no_adapter() -> None:
    facts = await facts_from(ONE + lora(1.7e9, "sql") + lora(3.4e9, "chat"))
    assert (facts.adapters, facts.max_adapters, facts.notes) == ((), None, (NO_ADAPTERS_TOLD,))


async def test_a_long_list_of_adapters_is_read_whole() -> None:
    names = [f"adapter-for-customer-{index:03d}" for index in range(60)]
    facts = await facts_from(ONE + lora(1.7e9, ",".join(names)))
    assert [adapter.name for adapter in facts.adapters] == names


async def test_adapters_are_models() -> None:
    listing = recorded("vllm/models_lora.json")
    facts = await facts_from(recorded("vllm/lora.txt"), **{"/v1/models": listing})
    cards = json.loads(listing)["data"]
    assert len(cards) > 1
    assert [(m.id, m.context_length) for m in facts.models] == [(card["id"], card["max_model_len"]) for card in cards]


async def test_a_sleeping_engine() -> None:
    facts = await facts_from(recorded("vllm/sleeping.txt"))
    assert facts.sleeping
    assert {model.state for model in facts.models} == {ModelState.SLEEPING}
    awake = await facts_from(recorded("vllm/idle.txt"))
    assert not awake.sleeping
    assert {model.state for model in awake.models} == {ModelState.LOADED}


def ranks(*states: str) -> str:
    lines = []
    for rank, state in enumerate(states):
        lines.append(f'vllm:num_requests_running{{engine="{rank}"}} 0')
        lines += [
            f'vllm:engine_sleep_state{{engine="{rank}",sleep_state="{name}"}} {int(name == state)}'
            for name in ("awake", "weights_offloaded", "discard_all")
        ]
    return "\n".join(lines) + "\n"


async def test_it_sleeps_only_when_all_engines_do() -> None:
    some = await facts_from(ranks("awake", "discard_all", "awake", "weights_offloaded"))
    assert not some.sleeping
    assert some.notes == ("asleep: engine 1 (discard all), 3 (weights offloaded); the others work",)
    assert {model.state for model in some.models} == {ModelState.LOADED}
    every = await facts_from(ranks("discard_all", "weights_offloaded"))
    assert every.sleeping
    assert every.notes == (
        "asleep (discard all, weights offloaded): requests wait until somebody wakes it (POST /wake_up)",
    )
    none = await facts_from(ranks("awake", "awake"))
    assert (none.sleeping, none.notes) == (False, ())


async def test_sleep_that_names_no_engine_is_that_of_all() -> None:
    page = 'vllm:num_requests_running{engine="3"} 0\nvllm:engine_sleep_state{sleep_state="discard_all"} 1\n'
    assert (await facts_from(page)).sleeping


async def test_requests_turned_away_are_a_reason_of_the_first_engine() -> None:
    page = "".join(f'vllm:request_success_total{{engine="{rank}",finished_reason="stop"}} 7\n' for rank in (3, 2))
    page += 'vllm:admission_rejections_total{reason="max_num_queued_reqs"} 4\nvllm:admission_rejections_total{reason="x"} 1\n'
    first, second = (await facts_from(page)).engines
    assert (first.label, first.finished) == ("2", (("stop", 7.0), ("rejected", 5.0)))
    assert (second.label, second.finished) == ("3", (("stop", 7.0),))


@pytest.mark.parametrize(
    ("labels", "tokens", "estimated"),
    [
        ('kv_cache_size_tokens="5000",num_gpu_blocks="10",block_size="16",engine="0"', 5000, False),
        ('num_gpu_blocks="10",block_size="16",engine="0"', 160, True),
        ('num_gpu_blocks="10",block_size="16"', 160, True),
        ('kv_cache_size_tokens="None",num_gpu_blocks="10",block_size="16"', 160, True),
        ('num_gpu_blocks="None",block_size="16"', None, False),
        ('num_gpu_blocks="-3",block_size="16"', None, False),
        ('num_gpu_blocks="10"', None, False),
        ('num_gpu_blocks="0",block_size="16"', None, False),
        ('num_gpu_blocks="9999999999999999999999",block_size="16"', None, False),
        ('num_gpu_blocks="\u0663",block_size="\u00b2"', None, False),
    ],
)
async def test_the_capacity_of_the_kv_cache(labels: str, tokens: int | None, estimated: bool) -> None:
    facts = await facts_from(f"{ONE}vllm:cache_config_info{{{labels}}} 1\n")
    assert facts.engines[0].kv_capacity_tokens == tokens
    assert ("kv_capacity_tokens" in facts.estimates) is estimated
    assert ("kv_capacity_tokens" in facts.origins) is (tokens is not None)


async def test_a_configuration_that_names_no_engine_belongs_to_the_only_one() -> None:
    config = 'vllm:cache_config_info{kv_cache_size_tokens="5000"} 1\n'
    (alone,) = (await facts_from(ONE.replace('"0"', '"7"') + config)).engines
    assert (alone.label, alone.kv_capacity_tokens) == ("7", 5000)
    several = (await facts_from(ranks("awake", "awake") + config)).engines
    assert [engine.kv_capacity_tokens for engine in several] == [None, None]


async def test_identity_says_what_the_labels_say() -> None:
    page = recorded("vllm/0.32/kvpressure.txt")
    (config,) = [dict(labels) for name, labels, _ in samples(page.decode()) if name == "vllm:cache_config_info"]
    facts = await facts_from(page)
    told = dict(facts.identity)
    assert told["KV cache dtype"] == config["cache_dtype"]
    assert told["block size"] == config["block_size"]
    assert told["GPU memory utilisation"] == config["gpu_memory_utilization"]
    assert float(told["max concurrency"]) == float(config["kv_cache_max_concurrency"])
    assert (config["enable_prefix_caching"], told["prefix caching"]) == ("True", "on")
    assert told["model root"] == json.loads(LISTING)["data"][0]["root"]
    assert "sliding window" not in told  # "None" there


def test_engines_that_are_set_up_differently_are_all_told() -> None:
    configs = [{"num_gpu_blocks": str(blocks), "cache_dtype": "fp8"} for blocks in (10, 11, 10, 12, 13, 14)]
    assert cache_rows(configs) == (("KV cache dtype", "fp8"), ("KV blocks", "10, 11, 12, 13, …"))
    assert cache_rows([]) == ()


def test_further_names_and_adapters_of_a_model() -> None:
    cards = [
        {"id": "qwen", "root": "Qwen/Qwen3-8B", "parent": None},
        {"id": "default", "root": "Qwen/Qwen3-8B", "parent": None},
        {"id": "sql", "root": "/loras/sql", "parent": "qwen"},
        {"id": "bare", "root": "bare", "parent": None},
        {"id": 5, "root": []},
        "x",
    ]
    assert model_rows(json.dumps({"data": cards}).encode()) == (
        ("model root", "Qwen/Qwen3-8B"),
        ("also served as", "default"),
        ("LoRA sql", "on qwen, from /loras/sql"),
    )
    assert model_rows(b"[]") == ()


async def test_a_dead_engine_is_a_failure_until_it_lives_again() -> None:
    health = Reply(b"", 503)

    def serve(asked: Asked) -> object:
        return {"/metrics": recorded("vllm/load_1.txt"), "/v1/models": LISTING, "/health": health}.get(asked.path)

    async with watching(serve, "vllm") as watch:
        for _ in range(3):
            reading = await watch.poll()
            assert (reading.outcome, reading.reason, reading.facts) == (Outcome.FAILED, DEAD, None)
        health = Reply(b"", 200)
        assert (await watch.poll()).outcome is Outcome.ANSWERED
        health = Reply(b"", 503)
        assert (await watch.poll(20.0)).reason == DEAD


@pytest.mark.parametrize(
    ("health", "outcome", "reason"),
    [
        (Reply({"error": "The model is currently scaling."}, 503), Outcome.FAILED, "/health 503: The model is currently scaling."),
        (Reply(b"", 404), Outcome.ANSWERED, ""),
        (Reply(b"", 401), Outcome.ANSWERED, ""),
        (Reply(b"", 500), Outcome.ANSWERED, ""),
    ],
)  # fmt: skip
async def test_only_503_says_that_the_engine_is_dead(health: Reply, outcome: Outcome, reason: str) -> None:
    reading = await poll_once({"/metrics": ONE.encode(), "/v1/models": LISTING, "/health": health}, "vllm")
    assert (reading.outcome, reading.reason) == (outcome, reason)


@pytest.mark.parametrize("owner", ["sglang", "openai", None])
async def test_what_has_not_proved_to_be_vllm_is_not_asked_for_its_health(owner: str | None) -> None:
    listing = {"data": [{"id": "m", "owned_by": owner}]}
    async with watching(
        {"/metrics": ONE.encode(), "/v1/models": listing, "/version": {"version": "1"}}, "vllm"
    ) as watch:
        await watch.poll()
        assert "/health" not in watch.server.targets


async def test_a_dead_engine_shows_where_the_key_is_refused() -> None:
    refused = Reply(recorded("vllm/unauthorized.json"), 401)
    pages = {"/metrics": ONE.encode(), "/v1/models": refused, "/health": Reply(b"", 503)}
    assert (await poll_once(pages, "vllm")).reason == DEAD


async def test_another_version_behind_the_same_port_is_asked_for_its_own_names() -> None:
    version = "0.10"

    def serve(asked: Asked) -> object:
        if asked.path == "/metrics":
            body = recorded(f"vllm/{version}.txt").decode()
            query = asked.target.partition("?")[2].replace("%3A", ":")
            lines = [line for line in body.split("\n") if not query or line.partition("{")[0] in query]
            return "\n".join(lines).encode()
        return {"/v1/models": LISTING, "/version": {"version": version}}.get(asked.path)

    async with watching(serve, "vllm") as watch:
        await watch.poll()
        version = "0.12"
        assert engine_of(await watch.poll(20.0)).itl is None  # asked by the old name
        after = engine_of(await watch.poll())
    assert after == replace(
        engine_of(await poll_once({"/metrics": recorded("vllm/0.12.txt"), "/v1/models": LISTING}, "vllm"))
    )
    assert after.itl is not None


async def test_too_many_series_are_no_sum_of_a_part_and_not_called_disabled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.wire.prometheus.MOST_SERIES", 10)
    tokens = "".join(f'vllm:generation_tokens_total{{engine="0",model_name="m{i}"}} 5\n' for i in range(20))
    facts = await facts_from(ONE + tokens)
    assert [(engine.running, engine.generation_tokens) for engine in facts.engines] == [(1, None)]
    assert TOO_MANY in facts.notes
    facts = await facts_from(tokens)
    assert (facts.engines, facts.notes) == ((), (TOO_MANY,))
