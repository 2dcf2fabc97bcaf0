"""Ollama, SGLang and OpenAI-compatible servers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime

import pytest

from fake_servers import Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints import ollama, openai_compat, sglang
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from recorded import recorded


def ollama_pages(ps: str = "ps_two", others: Mapping[str, object] | None = None) -> dict[str, object]:
    return {
        "/api/ps": recorded(f"ollama/{ps}.json"),
        "/api/tags": recorded("ollama/tags_three.json"),
        "/api/version": {"version": "0.32.15"},
        **(others or {}),
    }


async def test_ollama_tells_what_is_loaded_and_what_is_installed() -> None:
    reading = await poll_once(ollama_pages(), "ollama")
    facts = facts_of(reading)
    assert reading.outcome is Outcome.ANSWERED
    assert (facts.engine, facts.version, facts.engines, facts.notes) == ("ollama", "0.32.15", (), (ollama.NO_LOAD,))
    assert [(m.id, m.state) for m in facts.models] == [
        ("tiny-b:latest", ModelState.LOADED),
        ("tiny-a:latest", ModelState.LOADED),
        ("tiny-copy:latest", ModelState.INSTALLED),
    ]
    ps = {entry["name"]: entry for entry in json.loads(recorded("ollama/ps_two.json"))["models"]}
    for model in facts.models[:2]:
        entry = ps[model.id]
        assert (model.size_bytes, model.vram_bytes) == (entry["size"], entry["size_vram"])
        assert model.context_length == entry["context_length"]
        assert model.parameters == entry["details"]["parameter_size"]
    assert facts.models[0].expires_at == math.inf
    expected = datetime.fromisoformat(ps["tiny-a:latest"]["expires_at"]).timestamp()
    assert facts.models[1].expires_at == expected
    installed = facts.models[2]
    assert (installed.size_bytes, installed.vram_bytes, installed.expires_at) == (452593, None, None)
    assert installed.context_length == 2048


@pytest.mark.parametrize("ps", [recorded("ollama/ps_empty.json"), {"models": None}])
async def test_ollama_with_nothing_loaded(ps: object) -> None:
    facts = facts_of(await poll_once(ollama_pages(others={"/api/ps": ps}), "ollama"))
    assert [m.state for m in facts.models] == [ModelState.INSTALLED] * 3


async def test_ollama_is_asked_little_and_harmlessly() -> None:
    async with watching(ollama_pages("ps_one"), "ollama") as watch:
        for _ in range(8):
            await watch.poll(2.0)
        assert watch.server.targets.count("/api/ps") == 8
        assert len(watch.server.targets) == 10
        assert {one.method for one in watch.server.asked} == {"GET"}


async def test_ollama_without_its_other_pages() -> None:
    facts = facts_of(await poll_once({"/api/ps": recorded("ollama/ps_one.json")}, "ollama"))
    assert facts.version is None
    assert len(facts.models) == 1


async def test_ollama_whose_identity_failed_is_asked_for_it_again() -> None:
    pages = ollama_pages(others={"/api/version": Reply(b"", 500)})
    async with watching(pages, "ollama") as watch:
        assert (await watch.poll()).outcome is Outcome.FAILED
        pages["/api/version"] = {"version": "1.0"}
        assert facts_of(await watch.poll()).version == "1.0"


@pytest.mark.parametrize("answers", [{"*": {"version": "1.0"}}, {"*": [{"models": []}]}, {"*": b"Ollama is running"}])
async def test_what_is_not_ollama(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "ollama")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as Ollama")


async def test_ollama_refuses_a_host_header() -> None:
    reading = await poll_once({"*": Reply(b"", 403)}, "ollama")
    assert reading.outcome is Outcome.AUTH
    assert "Host header" in reading.reason


def load(rank: int, running: int = 3, **others: object) -> dict[str, object]:
    return {
        "dp_rank": rank,
        "num_running_reqs": running,
        "num_waiting_reqs": 5,
        "token_usage": 0.5,
        "gen_throughput": 123.5,
        "max_running_requests": 64,
        **others,
    }


def sglang_pages(*loads: object, **others: object) -> dict[str, object]:
    return {
        "/v1/loads": {"timestamp": 1.0, "version": "0.5.23", "accelerator": "H100", "loads": list(loads)},
        "/v1/models": {"data": [{"id": "qwen", "owned_by": "sglang", "root": "qwen", "max_model_len": 4096}]},
        **others,
    }


async def test_sglang() -> None:
    async with watching(sglang_pages(load(0)), "sglang") as watch:
        reading = await watch.poll()
        assert watch.server.targets == ["/v1/loads?include=core", "/v1/models"]
    engine = engine_of(reading)
    assert (engine.label, engine.running, engine.waiting, engine.kv_used) == ("0", 3, 5, 0.5)
    assert (engine.reported_tps, engine.generation_tokens) == (123.5, None)
    facts = facts_of(reading)
    assert (facts.engine, facts.version, facts.notes) == ("sglang", "0.5.23", (sglang.REPORTED,))
    assert [(m.id, m.context_length, m.state) for m in facts.models] == [("qwen", 4096, ModelState.LOADED)]


async def test_sglang_with_several_ranks_one_of_them_idle() -> None:
    facts = facts_of(await poll_once(sglang_pages(load(0), load(1, 0), load(2, token_usage=1.5)), "sglang"))
    assert [(e.label, e.reported_tps) for e in facts.engines] == [("0", 123.5), ("1", 0.0), ("2", 123.5)]
    assert [e.kv_used for e in facts.engines] == [0.5, 0.5, None]


async def test_an_older_sglang_tells_no_load() -> None:
    pages = sglang_pages()
    del pages["/v1/loads"]
    facts = facts_of(await poll_once(pages, "sglang"))
    assert (facts.engines, facts.notes) == ((), (sglang.NO_LOADS,))
    assert len(facts.models) == 1


@pytest.mark.parametrize(
    "answers", [{}, {"*": b"<html>"}, {"/v1/models": {"data": [{"id": "sglang", "owned_by": "vllm", "x": "sglang"}]}}]
)
async def test_what_is_not_sglang(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "sglang")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as SGLang")


@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/v1/models"), ("/v1", "/v1/models"), ("/openai/v1", "/openai/v1/models"), ("/api/v1", "/api/v1/models")],
)
@pytest.mark.parametrize("bare", [True, False])
async def test_openai_compatible(base: str, path: str, bare: bool) -> None:
    entries = [{"id": "gpt", "context_length": 128_000}, {"id": "gpt-mini"}, {"name": "no id"}, "nonsense"]
    async with watching({path: entries if bare else {"object": "list", "data": entries}}, "openai", base=base) as watch:
        reading = await watch.poll()
        assert watch.server.targets == [path]
    facts = facts_of(reading)
    assert (facts.engine, facts.version, facts.engines, facts.notes) == ("openai", None, (), (openai_compat.NO_LOAD,))
    assert [(m.id, m.state, m.context_length) for m in facts.models] == [
        ("gpt", ModelState.SERVED, 128_000),
        ("gpt-mini", ModelState.SERVED, None),
    ]


async def test_openai_compatible_below_a_path_that_is_no_base() -> None:
    async with watching({"/litellm/v1/models": {"data": []}}, "openai", base="/litellm") as watch:
        assert (await watch.poll()).outcome is Outcome.ANSWERED
        await watch.poll()
        assert watch.server.targets == ["/litellm/models", "/litellm/v1/models", "/litellm/v1/models"]


@pytest.mark.parametrize("answer", [b"<html>", {"models": []}, {"data": {}}, b"", 5])
async def test_what_is_not_openai_compatible(answer: object) -> None:
    reading = await poll_once({"*": answer}, "openai")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as an OpenAI-compatible server")


async def test_refusals_of_an_external_endpoint() -> None:
    assert (await poll_once({"*": Reply({"error": {"message": "bad"}}, 401)}, "openai")).outcome is Outcome.AUTH
    reading = await poll_once({"*": Reply({"error": {"message": "Slow down."}}, 429)}, "openai")
    assert (reading.outcome, reading.reason) == (Outcome.BUSY, "429: Slow down.")
