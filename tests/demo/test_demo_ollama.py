"""The simulated Ollama, through the official client; its rules for what is in memory."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ollama import AsyncClient, ResponseError

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.demo import ollama_talk
from quarterdeck.demo.http import Handler, HttpServer, Response, Routes, Style
from quarterdeck.demo.job import Profile
from quarterdeck.demo.ollama import FAVOURITE, LEAVE_ALONE_S, STYLE, VISITOR, OllamaServer
from quarterdeck.demo.ollama_models import LIBRARY, full_name
from quarterdeck.demo.pulling import BYTES_S, Downloads
from quarterdeck.demo.request import Request
from quarterdeck.demo.residency import Residency, keep_alive_s
from quarterdeck.demo.world import World
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.hosts.ollama.local import open_local
from quarterdeck.model.models import ModelState

GIB = 2**30
HELLO = [{"role": "user", "content": "hello there"}]


@pytest.fixture
async def client(fleet_urls: dict[str, str]) -> AsyncIterator[AsyncClient]:
    ollama = AsyncClient(host=fleet_urls["workbench"], headers={}, timeout=20)
    yield ollama
    await ollama.close()  # type: ignore[no-untyped-call]


@pytest.fixture
async def raw(fleet_urls: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=fleet_urls["workbench"], timeout=20) as http:
        yield http


async def resident(client: AsyncClient) -> list[str | None]:
    return [model.model for model in (await client.ps()).models]


async def test_what_is_installed_and_in_memory(client: AsyncClient) -> None:
    installed = [model.model for model in (await client.list()).models]
    assert "gemma3:12b" in installed
    assert len(installed) == len(set(installed)) == 5
    loaded = (await client.ps()).models[0]
    assert (loaded.size or 0) >= (loaded.size_vram or 0) > 0
    assert loaded.context_length == 32_768
    assert loaded.expires_at is not None
    shown = await client.show("gemma3:12b")
    assert shown.modelinfo is not None
    assert shown.modelinfo["general.architecture"] == "gemma3"
    assert shown.capabilities == ["completion", "vision"]


async def test_chat_streamed_and_whole(client: AsyncClient) -> None:
    text, last = "", None
    async for part in await client.chat("gemma3:12b", HELLO, stream=True):
        text += part.message.content or ""
        last = part
    assert last is not None
    assert (last.done, last.done_reason) == (True, "stop")
    assert last.eval_count
    assert last.eval_duration
    whole = await client.chat("gemma3:12b", HELLO)
    assert whole.message.content == text
    assert "simulated" in text
    short = await client.chat("gemma3:12b", HELLO, options={"num_predict": 4})
    assert (short.eval_count, short.done_reason) == (4, "length")


async def test_thinking_comes_first(client: AsyncClient) -> None:
    answer = await client.chat("qwen3:14b", HELLO, think=True, options={"num_predict": 20})
    assert (answer.message.thinking or "").startswith("The question")
    assert (answer.message.content or "").startswith("This is")
    silent = await client.chat("qwen3:14b", HELLO, think=False, options={"num_predict": 5})
    assert silent.message.thinking is None


async def test_generate_loads_and_unloads(client: AsyncClient) -> None:
    assert (await client.generate("llama3.2:3b", keep_alive=-1)).done_reason == "load"
    entry = next(model for model in (await client.ps()).models if model.model == "llama3.2:3b")
    assert entry.expires_at is not None
    assert entry.expires_at.year > 2200
    said = await client.generate("llama3.2:3b", "once upon", options={"num_predict": 3}, keep_alive="10m")
    assert said.eval_count == 3
    assert (await client.generate("llama3.2:3b", keep_alive=0)).done_reason == "unload"
    assert "llama3.2:3b" not in await resident(client)


def test_an_unloaded_favourite_stays_away_for_a_while(new_world: Callable[..., World], hand: Any) -> None:
    server = new_world().workbench

    def in_memory() -> set[str]:
        server.advance(hand.now)
        return {entry.model.name for entry in server.residency.listed(hand.now)}

    assert FAVOURITE in in_memory()
    requests = server.load.tally.requests
    server.unload(FAVOURITE, hand.now)
    for _ in range(8):
        hand.now += LEAVE_ALONE_S / 10
        assert FAVOURITE not in in_memory()
    assert server.load.tally.requests - requests <= 4
    hand.now += LEAVE_ALONE_S
    assert FAVOURITE in in_memory()


def test_a_visitor_comes_and_goes(new_world: Callable[..., World], hand: Any) -> None:
    server, seen = new_world().workbench, []
    for _ in range(30):
        hand.now += 10
        server.advance(hand.now)
        seen.append(VISITOR in {entry.model.name for entry in server.residency.listed(hand.now)})
    changes = sum(a != b for a, b in pairwise(seen))
    assert 3 <= changes <= 5


Listen = Callable[[Routes, Style], Awaitable[HttpServer]]


def alone(hand: Any) -> OllamaServer:
    """A server without simulated requests; only the visitor comes and goes."""
    profile = Profile(arrivals=0.0)
    wall = lambda: 1.795e9 + hand.now  # noqa: E731
    return OllamaServer(profile, vram_bytes=48 * GIB, seed="alone", clock=hand, wall=wall, born=hand.now)


def recording(routes: Routes, asked: list[str]) -> Routes:
    """The same, with every request noted."""

    def noted(name: str, handler: Handler) -> Handler:
        async def handle(request: Request) -> Response:
            asked.append(name)
            return await handler(request)

        return handle

    return {route: noted(" ".join(route), handler) for route, handler in routes.items()}


async def test_what_clients_do_to_the_memory_is_remembered(hand: Any, listen: Listen) -> None:
    server = alone(hand)
    url = (await listen({**server.routes(), **ollama_talk.routes(server)}, STYLE)).url
    async with httpx.AsyncClient(base_url=url) as http:
        server.advance(hand.now + 30.0)
        hand.now += 30.0
        assert list(server.disturbed) == []  # what is simulated doesn't count
        await http.post("/api/embed", json={"model": "nomic-embed-text", "input": "a"})
        await http.post("/api/embed", json={"model": "nomic-embed-text", "input": "a", "keep_alive": "1h"})
        await http.post("/api/generate", json={"model": "nomic-embed-text", "keep_alive": 0})
        await http.get("/api/ps")
        await http.post("/api/show", json={"model": "nomic-embed-text"})
    name = "nomic-embed-text:latest"
    assert list(server.disturbed) == [f"load {name}", f"keep {name}", f"unload {name}"]


async def test_polling_loads_nothing_and_keeps_nothing_in_memory(hand: Any, listen: Listen) -> None:
    server, asked = alone(hand), list[str]()
    url = (await listen(recording({**server.routes(), **ollama_talk.routes(server)}, asked), STYLE)).url
    spec = EndpointSpec("workbench", url, engine="auto")
    endpoint = Endpoint(spec, monotonic=hand, wall=server.wall, local=open_local(spec, hand, server.wall))
    expiries: dict[str, set[float | None]] = {}
    active: set[float | None] = set()
    for _ in range(100):
        hand.now += 2.0
        facts = (await endpoint.poll()).facts
        assert facts is not None
        active.add(facts.active_at)
        for model in facts.models:
            if model.state is ModelState.LOADED:
                expiries.setdefault(model.id, set()).add(model.expires_at)
    await endpoint.close()
    assert list(server.disturbed) == []
    assert {one for one in asked if one.startswith("POST")} == set()
    assert asked.count("GET /api/ps") >= 100
    assert {name: len(times) for name, times in expiries.items()} == {FAVOURITE: 1, VISITOR: 2}  # it came twice
    assert active == {None}


async def test_pull_copy_delete(client: AsyncClient) -> None:
    lines = [line async for line in await client.pull("smollm2:135m", stream=True)]
    assert [lines[0].status, lines[-1].status] == ["pulling manifest", "success"]
    done = [line.completed or 0 for line in lines if line.total == LIBRARY["smollm2:135m"].layers[0][1]]
    assert done == sorted(done)
    assert done[-1] == LIBRARY["smollm2:135m"].layers[0][1]
    await client.copy("smollm2:135m", "mine")
    names = [model.model for model in (await client.list()).models]
    assert {"smollm2:135m", "mine:latest"} <= set(names)
    await client.delete("mine")
    assert "mine:latest" not in [model.model for model in (await client.list()).models]
    assert (await client.pull("smollm2:135m")).status == "success"


async def test_errors_as_the_client_knows_them(client: AsyncClient) -> None:
    with pytest.raises(ResponseError, match="file does not exist") as streamed:
        async for _ in await client.pull("no-such-model", stream=True):
            pass
    assert streamed.value.status_code == -1
    with pytest.raises(ResponseError, match="file does not exist") as whole:
        await client.pull("no-such-model")
    assert whole.value.status_code == 500
    for asking in (client.show("nope"), client.delete("nope"), client.copy("nope", "x"), client.chat("nope", HELLO)):
        with pytest.raises(ResponseError, match="not found") as missing:
            await asking
        assert missing.value.status_code == 404
    with pytest.raises(ResponseError, match='"gemma3:12b" does not support thinking'):
        await client.chat("gemma3:12b", HELLO, think=True)
    with pytest.raises(ResponseError, match="does not support embeddings") as unable:
        await client.embed("gemma3:12b", "x")
    assert unable.value.status_code == 501


async def test_embeddings_are_stable(client: AsyncClient) -> None:
    one = (await client.embed("nomic-embed-text", ["a", "b"])).embeddings
    two = (await client.embed("nomic-embed-text", "a")).embeddings
    assert len(one) == 2
    assert list(one[0]) == list(two[0])
    assert math.fsum(x * x for x in one[1]) == pytest.approx(1, abs=1e-4)


async def test_the_plain_wire(raw: httpx.AsyncClient) -> None:
    root = await raw.get("/")
    assert (root.text, root.headers["content-type"]) == ("Ollama is running", "text/plain; charset=utf-8")
    assert (await raw.head("/")).headers["content-length"] == "17"
    assert (await raw.get("/api/version")).json() == {"version": "0.32.15"}
    assert (await raw.get("/metrics")).text == "404 page not found"
    assert (await raw.get("/api/chat")).status_code == 405
    assert (await raw.get("/", headers={"host": "evil.example"})).status_code == 403
    assert (await raw.get("/", headers={"host": "box.local:11434"})).status_code == 200
    assert (await raw.get("/v1/models/gemma3:12b")).json()["owned_by"] == "library"
    listed = (await raw.get("/v1/models")).json()["data"]
    assert {card["owned_by"] for card in listed} == {"library"}


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/generate", b'{"mod', 400, "unexpected EOF"),
        ("/api/generate", b"", 400, "missing request body"),
        ("/api/generate", b'{"prompt":"x"}', 404, "model '' not found"),
        ("/api/show", b"{}", 400, "model is required"),
        ("/api/show", b'{"model":"nope"}', 404, "model 'nope:latest' not found"),
        ("/api/pull", b'{"model":"a b"}', 400, "invalid model name"),
        ("/api/chat", b'{"model":"gemma3:12b","keep_alive":"soon"}', 400, 'time: invalid duration "soon"'),
        ("/api/chat", b"[1]", 400, "not an object"),
    ],
)
async def test_errors_on_the_wire(raw: httpx.AsyncClient, path: str, body: bytes, status: int, error: str) -> None:
    answer = await raw.post(path, content=body)
    assert (answer.status_code, answer.json()) == (status, {"error": error})


async def test_the_openai_side(raw: httpx.AsyncClient) -> None:
    ask: dict[str, Any] = {"model": "llama3.2:3b", "messages": HELLO, "max_tokens": 6}
    whole = (await raw.post("/v1/chat/completions", json=ask)).json()
    assert whole["usage"]["completion_tokens"] == 6
    assert whole["system_fingerprint"] == "fp_ollama"
    streamed = await raw.post(
        "/v1/chat/completions", json={**ask, "stream": True, "stream_options": {"include_usage": True}}
    )
    events = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line]
    assert events[-1] == "[DONE]"
    chunks = [json.loads(event) for event in events[:-1]]
    assert chunks[-1]["usage"]["completion_tokens"] == 6
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])
    assert text == whole["choices"][0]["message"]["content"]
    missing = await raw.post("/v1/chat/completions", json={**ask, "model": "nope"})
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")


def test_models_come_and_go() -> None:
    memory, small, large = Residency(20 * GIB), LIBRARY["llama3.2:3b"], LIBRARY["gpt-oss:20b"]
    first = memory.begin(small, 60.0, 0.0)
    assert first.ready_at > 0
    assert memory.listed(0.0) == []
    assert memory.listed(first.ready_at) == [first]
    memory.unload(small.name, 5.0)
    assert memory.holds(small.name)  # it is working
    memory.end(first, 10.0)
    assert not memory.holds(small.name)
    again = memory.begin(small, 60.0, 20.0)
    memory.end(again, 30.0)
    assert memory.listed(89.0) == [again]
    assert memory.listed(90.0) == []
    kept = memory.begin(small, math.inf, 100.0)
    memory.end(kept, 101.0)
    assert memory.listed(1e9) == [kept]
    memory.begin(large, 60.0, 1e9)
    assert not memory.holds(small.name)  # evicted: 20 GiB hold one of them


def test_a_model_that_does_not_fit_is_split() -> None:
    memory = Residency(10 * GIB)
    entry = memory.begin(LIBRARY["gpt-oss:20b"], 60.0, 0.0)
    assert 0 < entry.vram < entry.model.resident
    other = memory.begin(LIBRARY["llama3.2:3b"], 60.0, 1.0)
    assert other.vram == 0
    assert other.ready_at > entry.ready_at  # one loads at a time


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 300),
        (0, 0),
        ("0", 0),
        (90, 90),
        ("5m", 300),
        ("1h30m", 5400),
        ("250ms", 0.25),
        (-1, math.inf),
        ("-1m", math.inf),
    ],
)
def test_keep_alive(value: object, seconds: float) -> None:
    assert keep_alive_s(value) == seconds


@given(st.text() | st.booleans() | st.lists(st.integers()))
def test_keep_alive_of_anything(value: object) -> None:
    try:
        assert keep_alive_s(value) >= 0
    except ValueError:
        assert value not in ("5m", "0")


def test_a_download_is_resumed_and_shared() -> None:
    downloads, model = Downloads(), LIBRARY["qwen3:0.6b"]
    layer = next(downloads.begin(model, 0.0))
    layer.advance(0.5)
    after_half = int(layer.advance(0.5)["completed"])
    assert after_half == pytest.approx(0.5 * BYTES_S, rel=0.2)
    resumed = next(downloads.begin(model, 100.0))
    assert int(resumed.advance(100.0)["completed"]) == pytest.approx(after_half, rel=0.2)
    other = next(downloads.begin(model, 100.1))
    other.advance(100.1)
    assert int(resumed.advance(100.1)["completed"]) < after_half + 0.2 * BYTES_S
    assert not resumed.complete
    resumed.advance(1000.0)
    assert other.complete


@pytest.mark.parametrize(("name", "full"), [("a", "a:latest"), ("a:b", "a:b"), ("h:80/l/a", "h:80/l/a:latest")])
def test_full_names(name: str, full: str) -> None:
    assert full_name(name) == full
