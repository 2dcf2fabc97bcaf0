"""Our own timed request: what is sent, what is measured, and every way in which it can fail."""

from __future__ import annotations

import json
import math

import pytest

from fake_servers import Asked, Reply, pages_server, serving
from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.probe import MOST_BYTES, timed
from quarterdeck.engine.probing import probed_model
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequest
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

QWEN = ModelReading("qwen3", ModelState.LOADED, expires_at=1_000_100.0)
SSE = {"Content-Type": "text/event-stream; charset=utf-8"}
NDJSON = {"Content-Type": "application/x-ndjson"}


class Ticking:
    """A clock that goes on by a second each time somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def events(*payloads: object) -> str:
    return "".join(f"data: {p if isinstance(p, str) else json.dumps(p)}\n\n" for p in payloads)


def piece(content: str, **more: object) -> dict[str, object]:
    return {"choices": [{"index": 0, "delta": {"content": content}}], **more}


GOOD = events(
    {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
    piece("one"),
    piece(" two"),
    {"choices": [], "usage": {"completion_tokens": 16, "prompt_tokens": 6}},
    "[DONE]",
)


async def asked_of(
    reply: Reply, engine: str = "vllm", model: ModelReading = QWEN, path: str = ""
) -> tuple[OwnRequest, Asked]:
    async with pages_server(lambda asked: reply) as server:
        spec = EndpointSpec("a", server.url + path, engine=engine)
        found = await timed(spec, engine, model, monotonic=Ticking(), wall=lambda: 1_000_000.0)
        return found, server.asked[0]


async def test_time_to_the_first_token_and_tokens_a_second_after_it() -> None:
    found, asked = await asked_of(Reply(": a comment\n\n" + GOOD, headers=SSE))
    assert (found.tokens, asked.method, asked.path) == (16, "POST", "/v1/chat/completions")
    assert found.ttft_s is not None
    assert found.ttft_s > 0
    assert found.decode_s is not None
    assert found.decode_tps == pytest.approx(15 / found.decode_s)
    sent = json.loads(asked.body)
    assert (sent["model"], sent["max_tokens"], sent["stream"], sent["temperature"]) == ("qwen3", 16, True, 0)


async def test_an_openai_base_is_asked_below_it() -> None:
    _, asked = await asked_of(Reply(GOOD, headers=SSE), engine="openai", path="/api/v1")
    assert asked.path == "/api/v1/chat/completions"


async def test_without_usage_the_pieces_are_counted() -> None:
    found, _ = await asked_of(Reply(events(piece("a"), piece("b"), piece("c"), "[DONE]"), headers=SSE))
    assert found.tokens == 3


async def test_thinking_is_a_token_too() -> None:
    thought = {"choices": [{"delta": {"reasoning": "hm"}}]}
    found, _ = await asked_of(Reply(events(thought, "[DONE]"), headers=SSE))
    assert found.tokens == 1


@pytest.mark.parametrize(
    ("expires_at", "keep_alive"), [(1_000_100.0, 100), (math.inf, -1), (None, None), (999_000.0, None)]
)
async def test_ollamas_keep_alive_ends_when_it_would_have_ended_and_one_that_is_over_is_not_made_a_second(
    expires_at: float | None, keep_alive: int | None
) -> None:
    lines = [
        {"message": {"role": "assistant", "content": "one"}, "done": False},
        {"message": {"content": ""}, "done": True, "eval_count": 16, "eval_duration": 1},
    ]
    reply = Reply("\n".join(map(json.dumps, lines)) + "\n", headers=NDJSON)
    found, asked = await asked_of(reply, "ollama", ModelReading("q", ModelState.LOADED, expires_at=expires_at))
    sent = json.loads(asked.body)
    assert (asked.path, sent.get("keep_alive"), found.tokens) == ("/api/chat", keep_alive, 16)
    assert set(sent["options"]) == {"num_predict", "temperature"}  # any other would make the model load again


@pytest.mark.parametrize(
    ("reply", "engine", "reason"),
    [
        (Reply({"error": {"message": "no such model"}}, 404), "vllm", "404: no such model"),
        (Reply("nope", 500), "vllm", "500: X"),
        (Reply(events(piece("a"), {"error": {"message": "out of memory"}}), headers=SSE), "vllm", "out of memory"),
        (Reply(events("[DONE]"), headers=SSE), "vllm", "it answered without a token"),
        (Reply("<html>", headers={"Content-Type": "text/html"}), "vllm", "it doesn't stream (no text/event-stream)"),
        (Reply(events(piece("x" * 1000)) * 2000, headers=SSE), "vllm", f"the answer is larger than {MOST_BYTES // 1024} KiB"),
        (Reply("data: {half", headers=SSE), "vllm", "it answered without a token"),
        (Reply('{"message":{"content":"a"}}\n', headers=NDJSON), "ollama", "the answer ended half-way"),
        (Reply('{"error":"model runner has stopped"}\n', headers=NDJSON), "ollama", "model runner has stopped"),
        (Reply("\x00\xff{", headers=NDJSON), "ollama", "the answer ended half-way"),
    ],
)  # fmt: skip
async def test_failures_in_words(reply: Reply, engine: str, reason: str) -> None:
    with pytest.raises(Failure) as caught:
        await asked_of(reply, engine)
    assert caught.value.reason == reason


async def test_a_server_that_dies_half_way_or_never_answers() -> None:
    async def dies(asked: Asked, writer: object) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\ndata: {")  # type: ignore[attr-defined]
        return False

    async def hangs(asked: Asked, writer: object) -> bool:
        return True

    for respond, outcome in ((dies, Outcome.FAILED), (hangs, Outcome.TIMEOUT)):
        async with serving(respond) as server:
            with pytest.raises(Failure) as caught:
                await timed(EndpointSpec("a", server.url), "vllm", QWEN, within=0.2)
            assert caught.value.outcome is outcome


async def test_a_request_is_never_sent_twice_and_carries_only_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs_up(asked: Asked, writer: object) -> bool:
        return False

    monkeypatch.setenv("MY_KEY", "sk-very-secret-1")
    async with serving(hangs_up) as server:
        with pytest.raises(Failure):
            await timed(EndpointSpec("a", server.url, auth=Auth(env="MY_KEY")), "vllm", QWEN)
        assert [one.headers.get("authorization") for one in server.asked] == ["Bearer sk-very-secret-1"]


async def test_a_key_that_the_server_echoes_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret-1")
    reply = Reply(events({"error": {"message": "bad key sk-very-secret-1"}}), headers=SSE)
    async with pages_server(lambda asked: reply) as server:
        with pytest.raises(Failure) as caught:
            await timed(EndpointSpec("a", server.url, auth=Auth(env="MY_KEY")), "vllm", QWEN)
    assert "sk-very" not in caught.value.reason


def view(state: State, *models: ModelReading) -> EndpointView:
    return EndpointView("a", "http://a", state=state, reason="why", models=models)


ON_DISK = ModelReading("big", ModelState.INSTALLED)


def test_the_model_asked_is_one_in_memory() -> None:
    assert probed_model(view(State.OK, ON_DISK, QWEN)) is QWEN
    assert probed_model(view(State.BUSY, QWEN, ModelReading("b", ModelState.SERVED)), "b").id == "b"


@pytest.mark.parametrize(
    ("found", "wanted", "message"),
    [
        (view(State.DOWN, QWEN), None, "a is DOWN: why"),
        (view(State.SLEEPING, QWEN), None, "a is SLEEPING: why"),
        (view(State.OK, ON_DISK), None, "a has no model in memory"),
        (view(State.OK, ON_DISK, QWEN), "big", "big is not in memory"),
        (view(State.OK, QWEN), "other", "a has no model 'other'"),
    ],
)
def test_what_would_load_wake_or_fail_is_refused(found: EndpointView, wanted: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        probed_model(found, wanted)
