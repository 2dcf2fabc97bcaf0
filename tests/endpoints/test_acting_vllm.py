"""Acting on vLLM, and what polling learns of what it and a llama-server can't do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from acting_demo import Script, acting, refused
from fake_servers import Pages, Reply, pages_server
from polling import facts_of, watching
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.vllm_abilities import NEEDS_DEV, NEEDS_LORA, NEEDS_SLEEP
from quarterdeck.model.reading import Outcome


async def test_vllm_waits_until_it_sleeps_and_until_it_is_awake() -> None:
    looks = iter((False, False, True, True, True, False))
    script = Script(
        {
            "GET /is_sleeping": lambda _, __: {"is_sleeping": next(looks)},
            "POST /sleep": lambda _, __: {"status": "sleeping"},
            "POST /wake_up": lambda _, __: {"status": "awake"},
        }
    )
    async with pages_server(script) as server, acting(EndpointSpec("e", server.url), "vllm") as acted:
        assert (await acted.do("sleep", level="2")).startswith("asleep, level 2: weights discarded")
        assert await acted.do("wake") == "awake"
    assert [told for told, _ in script.told] == ["POST /sleep?level=2&mode=wait", "POST /wake_up"]


async def test_what_vllm_refuses() -> None:
    assert (await refused({}, "vllm", "sleep")).reason == NEEDS_SLEEP
    assert (await refused({}, "vllm", "wake")).reason == NEEDS_SLEEP
    assert (await refused({}, "vllm", "reset_prefix_cache")).reason == NEEDS_DEV
    assert (await refused({}, "vllm", "lora_load", name="a", path="/a")).reason == NEEDS_LORA
    assert (await refused({}, "vllm", "sleep", level=3)).reason.startswith("level is 1")
    assert (await refused({}, "vllm", "lora_load", name="a")).reason == "path is missing"
    stuck = {"/is_sleeping": {"is_sleeping": False}, "/sleep": {}}
    assert (await refused(stuck, "vllm", "sleep")).reason.startswith("it took the order and is still awake")
    broken = {"/is_sleeping": {"is_sleeping": False}, "/sleep": Reply({"error": {"message": "boom"}}, 500)}
    assert (await refused(broken, "vllm", "sleep")).reason == f"500: boom; {NEEDS_SLEEP}"
    assert (await refused({"/is_sleeping": {"is_sleeping": 1}}, "vllm", "wake")).reason.startswith("whether it sleeps")
    unable = {"error": {"message": "Call failed: 'LoRA is not enabled. Use --enable-lora to enable LoRA.'"}}
    half = {
        "/v1/load_lora_adapter": Reply(unable, 500)
    }  # recorded of 0.32 with only VLLM_ALLOW_RUNTIME_LORA_UPDATING=1
    assert (await refused(half, "vllm", "lora_load", name="a", path="/a")).reason == NEEDS_LORA
    used = {"/reset_prefix_cache": {"success": False}}
    assert (await refused(used, "vllm", "reset_prefix_cache")).reason.startswith("the prefix cache is in use")
    error = {"error": {"message": "No adapter found for /x", "code": 404}}
    there = {"/v1/load_lora_adapter": Reply(error, 404)}  # both of a server that can and of one that says 404 to GET
    assert (await refused(there, "vllm", "lora_load", name="a", path="/x")).reason == NEEDS_LORA
    able = Script(
        {
            "GET /v1/load_lora_adapter": lambda _, __: Reply({}, 405),
            "POST /v1/load_lora_adapter": lambda _, __: Reply(error, 404),
        }
    )
    assert (await refused(able, "vllm", "lora_load", name="a", path="/x")).reason == "404: No adapter found for /x"
    said = {"/v1/load_lora_adapter": error}
    assert (await refused(said, "vllm", "lora_load", name="a", path="/x")).reason == "No adapter found for /x"


async def test_a_lora_answer_is_plain_text() -> None:
    pages = {
        "/v1/load_lora_adapter": "Success: LoRA adapter 'a' added successfully.",
        "/v1/unload_lora_adapter": "Success",
    }
    async with pages_server(pages) as server, acting(EndpointSpec("e", server.url), "vllm") as acted:
        assert await acted.do("lora_load", name="a", path="/x") == "loaded as a: requests name it as their model"
        assert await acted.do("lora_unload", name="a") == "unloaded a"
        assert json.loads(server.asked[0].body) == {"lora_name": "a", "lora_path": "/x"}


def idle_vllm(**more: Any) -> Pages:
    model = {"object": "list", "data": [{"id": "m", "owned_by": "vllm"}]}
    return {"/version": {"version": "0.32.0"}, "/v1/models": model, "/health": b"", "/metrics": b"", **more}


async def test_polling_asks_once_what_a_vllm_can() -> None:
    pages = idle_vllm(**{"/reset_prefix_cache": Reply({}, 405)})
    async with watching(pages, "vllm") as watch:
        assert facts_of(await watch.poll()).cannot == {}
        first = len(watch.server.asked)
        for _ in range(30):
            reading = await watch.poll(4.0)
        assert facts_of(reading).cannot == {"lora_load": NEEDS_LORA, "lora_unload": NEEDS_LORA}
        assert watch.server.targets.count("/reset_prefix_cache") == 1
        assert watch.server.targets.count("/v1/load_lora_adapter") == 1
        assert first == 4
        assert {asked.method for asked in watch.server.asked} == {"GET"}


@pytest.mark.parametrize("status", [401, 403, 429, 500, 502])
async def test_what_is_not_told_is_not_held_against_a_vllm(status: int) -> None:
    unclear = Reply({}, status)
    async with watching(
        idle_vllm(**{"/reset_prefix_cache": unclear, "/v1/load_lora_adapter": unclear}), "vllm"
    ) as watch:
        await watch.poll()
        reading = await watch.poll(20.0)
    assert (reading.outcome, facts_of(reading).cannot) == (Outcome.ANSWERED, {})


async def test_a_llama_server_of_one_model_can_not() -> None:
    pages = {"/props": {"total_slots": 1, "build_info": "b1"}, "/v1/models": {"data": []}, "/metrics": b""}
    async with watching(pages, "llamacpp") as watch:
        assert set(facts_of(await watch.poll()).cannot) == {"pull", "load", "unload", "unload_all", "delete"}
    router = {"/props": {"role": "router", "build_info": "b1"}, "/models": {"data": []}}
    async with watching(router, "llamacpp") as watch:
        assert facts_of(await watch.poll()).cannot == {}
