"""What the simulated vLLM, llama-server and provider answer, compared with what the real ones did."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

HELLO = [{"role": "user", "content": "hello there"}]
KEY = {"authorization": "Bearer demo-key"}
MODELS = {
    "llama-70b": "llama-3.3-70b-instruct",
    "qwen-chat": "qwen3-32b",
    "pilot": None,
    "meridian": "meridian/atlas-mini",
}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20) as client:
        yield client


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream, the closing [DONE] checked and left out."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def ask(name: str, **more: object) -> dict[str, object]:
    model = MODELS[name]
    return {**({"model": model} if model else {}), "messages": HELLO, "max_tokens": 12, **more}


@pytest.mark.parametrize("name", MODELS)
async def test_a_streamed_answer_is_the_whole_one_in_pieces(
    fleet_urls: dict[str, str], http: httpx.AsyncClient, name: str
) -> None:
    url = f"{fleet_urls[name]}/v1/chat/completions"
    whole = (await http.post(url, json=ask(name), headers=KEY)).json()
    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"]["completion_tokens"] == 12
    assert whole["usage"]["total_tokens"] == whole["usage"]["prompt_tokens"] + 12
    asked = ask(name, stream=True, stream_options={"include_usage": True})
    streamed = await http.post(url, json=asked, headers=KEY)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    chunks = events(streamed)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 12
    choices = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert "".join(c["delta"].get("content") or "" for c in choices) == whole["choices"][0]["message"]["content"]
    assert choices[-1]["finish_reason"] == "length"
    assert len({chunk["id"] for chunk in chunks}) == 1


async def sample(http: httpx.AsyncClient, url: str, name: str) -> float:
    page = (await http.get(f"{url}/metrics", params={"name[]": name})).text
    return sum(s.value for family in text_string_to_metric_families(page) for s in family.samples if s.name == name)


async def test_a_real_request_moves_the_numbers(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["llama-70b"]
    before = await sample(http, url, "vllm:generation_tokens_total")
    asked = ask("llama-70b", max_tokens=400, ignore_eos=True)
    answer = (await http.post(f"{url}/v1/chat/completions", json=asked)).json()
    assert answer["usage"]["completion_tokens"] == 400
    assert await sample(http, url, "vllm:generation_tokens_total") >= before + 400


async def test_a_client_that_leaves_is_counted_as_aborted(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["llama-70b"]
    asked = ask("llama-70b", max_tokens=30_000, ignore_eos=True, stream=True)
    async with http.stream("POST", f"{url}/v1/chat/completions", json=asked) as answer:
        async for line in answer.aiter_lines():
            if line:
                break
    async with asyncio.timeout(20):
        while True:
            page = (await http.get(f"{url}/metrics")).text
            if 'finished_reason="abort",model_name="llama-3.3-70b-instruct"} 1.0' in page:
                break


async def test_vllm_completions_and_usage_in_every_chunk(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["qwen-chat"]
    asked: dict[str, Any] = {"model": "qwen3-32b", "prompt": "once upon", "max_tokens": 5}
    whole = (await http.post(f"{url}/v1/completions", json=asked)).json()
    streamed = events(await http.post(f"{url}/v1/completions", json={**asked, "stream": True}))
    assert "".join(chunk["choices"][0]["text"] for chunk in streamed) == whole["choices"][0]["text"]
    assert whole["object"] == streamed[0]["object"] == "text_completion"
    options = {"include_usage": True, "continuous_usage_stats": True}
    each = events(
        await http.post(f"{url}/v1/chat/completions", json=ask("qwen-chat", stream=True, stream_options=options))
    )
    assert [chunk["usage"]["completion_tokens"] for chunk in each] == [*range(13), 12]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": "nope", "messages": HELLO}, 404, ("NotFoundError", "model")),
        ({"model": "qwen3-32b"}, 400, ("Bad Request", "body.messages")),
        ({"messages": HELLO, "max_tokens": 50_000}, 400, ("BadRequestError", "max_tokens")),
        ({"messages": [{"role": "user", "content": "x" * 600_000}]}, 400, ("BadRequestError", "input_text")),
    ],
)
async def test_vllm_refusals(
    fleet_urls: dict[str, str], http: httpx.AsyncClient, body: dict[str, object], status: int, error: tuple[str, str]
) -> None:
    answer = await http.post(f"{fleet_urls['qwen-chat']}/v1/chat/completions", json=body)
    said = answer.json()["error"]
    assert (answer.status_code, said["code"]) == (status, status)
    assert (said["type"], said["param"]) == error


async def test_the_plain_routes_of_vllm(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["llama-70b"]
    health = await http.get(f"{url}/health")
    assert (health.status_code, health.content, health.headers["server"]) == (200, b"", "uvicorn")
    assert (await http.get(f"{url}/version")).json() == {"version": "0.32.0"}
    card = (await http.get(f"{url}/v1/models")).json()["data"][0]
    assert (card["owned_by"], card["max_model_len"], card["parent"]) == ("vllm", 32_768, None)
    assert (await http.get(f"{url}/api/version")).json() == {"detail": "Not Found"}
    wrong = await http.get(f"{url}/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"], wrong.json()) == (405, "POST", {"detail": "Method Not Allowed"})
    bad = await http.post(f"{url}/v1/chat/completions", content=b'{"model":')
    assert (bad.status_code, bad.json()["error"]["type"]) == (400, "Bad Request")
    tokens = (await http.post(f"{url}/tokenize", json={"prompt": "hello the world"})).json()
    assert tokens["count"] == len(tokens["tokens"]) > 2
    plain = await http.get(f"{url}/metrics", headers={"accept-encoding": "identity"})
    assert plain.headers["content-type"] == "text/plain; version=1.0.0; charset=utf-8"
    async with http.stream("GET", f"{url}/metrics", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join([part async for part in packed.aiter_raw()])
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(raw).count(b"\n") == plain.content.count(b"\n")


async def test_the_llama_server(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["pilot"]
    assert (await http.get(f"{url}/health")).json() == {"status": "ok"}
    metrics = await http.get(f"{url}/metrics")
    assert metrics.headers["process-start-time-unix"].isdigit()
    families = {f.name: f.type for f in text_string_to_metric_families(metrics.text)}
    assert families["llamacpp:n_tokens_max"] == "counter"
    assert families["llamacpp:requests_deferred"] == "gauge"
    assert len(families) == 15
    properties = (await http.get(f"{url}/props")).json()
    slots = (await http.get(f"{url}/slots")).json()
    assert properties["total_slots"] == len(slots) == 4
    assert properties["default_generation_settings"]["n_ctx"] == slots[0]["n_ctx"]
    missing = await http.get(f"{url}/api/version")
    assert missing.json()["error"]["type"] == "not_found_error"
    assert missing.headers["connection"] == "close"
    listing = (await http.get(f"{url}/v1/models")).json()
    assert listing["data"][0]["owned_by"] == "llamacpp"
    assert listing["models"][0]["model"] == listing["data"][0]["id"]
    timings = (await http.post(f"{url}/v1/chat/completions", json=ask("pilot"))).json()["timings"]
    assert timings["predicted_n"] == 12
    assert timings["predicted_per_second"] == pytest.approx(12_000 / timings["predicted_ms"], rel=0.01)
    each = events(await http.post(f"{url}/v1/chat/completions", json=ask("pilot", stream=True, timings_per_token=True)))
    assert [chunk["timings"]["predicted_n"] for chunk in each[1:]] == [*range(1, 13), 12]
    refused = await http.post(f"{url}/v1/chat/completions", json={})
    assert refused.json()["error"]["message"] == "'messages' is required"


async def test_a_busy_slot_tells_its_progress(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    url = fleet_urls["pilot"]
    asked = ask("pilot", max_tokens=16_000, ignore_eos=True, stream=True)
    async with http.stream("POST", f"{url}/v1/chat/completions", json=asked) as answer:
        async for line in answer.aiter_lines():
            if "content" in line:
                break
        slots = (await http.get(f"{url}/slots")).json()
    mine = next(slot for slot in slots if slot["is_processing"] and slot["params"]["max_tokens"] == 16_000)
    (token,) = mine["next_token"]
    assert token["n_decoded"] + token["n_remain"] == 16_000
    assert mine["n_prompt_tokens"] >= token["n_decoded"]


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer other"}, {"authorization": "Basic demo-key"}])
async def test_the_provider_needs_its_key(
    fleet_urls: dict[str, str], http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("/v1/models", "/models"):
        answer = await http.get(fleet_urls["meridian"] + path, headers=headers)
        assert answer.status_code == 401
        assert "demo-key" not in answer.text
        assert "other" not in answer.text


async def test_the_provider_tells_prices_and_limits(fleet_urls: dict[str, str], http: httpx.AsyncClient) -> None:
    answer = await http.get(f"{fleet_urls['meridian']}/v1/models", headers=KEY)
    assert {"prompt", "completion"} <= set(answer.json()["data"][0]["pricing"])
    assert answer.headers["x-ratelimit-limit-requests"] == "500"
