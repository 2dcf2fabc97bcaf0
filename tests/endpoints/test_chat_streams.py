"""Answers as streams: recorded ones of real servers, refused parameters, and everything that can go wrong on the way."""

from __future__ import annotations

import json

import pytest

from chat_desk import prompt
from fake_servers import Asked, Recorder, Reply, pages_server, raw_server
from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.chat.lines import LONGEST_LINE
from quarterdeck.endpoints.chat.open import stream
from quarterdeck.endpoints.chat.openai import path_of
from quarterdeck.model.chat.answer import Answer, ServerTimings, Usage
from quarterdeck.model.chat.request import ChatRequest, Image, Message, Role, Sampling
from quarterdeck.wire.failure import Failure
from recorded import recorded

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
NDJSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


async def asked(
    server: Recorder,
    engine: str = "openai",
    request: ChatRequest | None = None,
    into: Answer | None = None,
    **spec: object,
) -> Answer:
    """The answer added up. Raises Failure; what came before it is in ``into``."""
    answer = Answer("e", "m", 0.0) if into is None else into
    endpoint = EndpointSpec("e", server.url, engine, **spec)  # type: ignore[arg-type]
    async for piece in stream(endpoint, engine, request or prompt()):
        answer.take(piece, 1.0)
    return answer


def event(content: str = "", finish: str | None = None, **delta: object) -> bytes:
    told = {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
HELLO = (event("Hel"), event("lo"), event(finish="stop"))


# ---- as real servers answer


@pytest.mark.parametrize(
    ("engine", "file", "usage", "finish"),
    [
        ("vllm", "vllm.sse", Usage(10, 24), "length"),
        ("llamacpp", "llamacpp.sse", Usage(16, 24, cached_tokens=15), "length"),
        ("litellm", "litellm.sse", Usage(10, 8, cached_tokens=9, reasoning_tokens=0), "length"),
        ("ollama", "ollama.jsonl", Usage(25, 16), "length"),
    ],
)
async def test_recorded(engine: str, file: str, usage: Usage, finish: str) -> None:
    body = recorded(f"chat/{file}")
    async with raw_server((NDJSON if engine == "ollama" else SSE) + body) as server:
        answer = await asked(server, engine)
    assert (answer.usage, answer.finish) == (usage, finish)
    assert answer.text
    assert answer.notes == []
    assert server.targets == ["/api/chat" if engine == "ollama" else "/v1/chat/completions"]


async def test_what_servers_measured_themselves() -> None:
    async with raw_server(SSE + recorded("chat/llamacpp.sse")) as server:
        assert (await asked(server, "llamacpp")).timings == ServerTimings(
            "llama.cpp's timings", None, 0.000398, 0.002003, 0.000398 + 0.002003, 1, 24
        )
    async with raw_server(NDJSON + recorded("chat/ollama.jsonl")) as server:
        assert (await asked(server, "ollama")).timings == ServerTimings(
            "Ollama's durations", 0.001975027, 0.000834, 0.004663, 0.009406461, 25, 16
        )


async def test_comments_other_fields_and_no_done() -> None:
    noise = b": OPENROUTER PROCESSING\n\nevent: message\nid: 7\nretry: 10\n\n"
    async with raw_server(SSE + noise + b"".join(HELLO)) as server:
        answer = await asked(server)
    assert (answer.text, answer.finish) == ("Hello", "stop")


async def test_tool_calls_come_in_parts() -> None:
    first = {"index": 0, "id": "c1", "function": {"name": "get", "arguments": '{"a"'}}
    second = {"index": 0, "function": {"arguments": ":1}"}}
    stream_of = (event("", tool_calls=[first]), event("", tool_calls=[second]), event(finish="tool_calls"))
    async with raw_server(SSE + b"".join(stream_of) + DONE) as server:
        answer = await asked(server)
    assert [(call.name, call.arguments, call.id) for call in answer.tools.values()] == [("get", '{"a":1}', "c1")]


async def test_a_server_that_does_not_stream() -> None:
    told = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}
    async with pages_server({"*": Reply(told, headers={"Content-Type": "application/json"})}) as server:
        answer = await asked(server)
    assert (answer.text, answer.usage.output_tokens) == ("Hello", 1)
    assert "doesn't stream" in answer.notes[0]


# ---- what is asked


def sent(server: Recorder, place: int = -1) -> dict[str, object]:
    told = json.loads(server.asked[place].body)
    assert isinstance(told, dict)
    return told


async def test_every_setting_in_both_interfaces() -> None:
    sampling = Sampling(0.5, 0.9, 100, 7, 4096, "low", '{"type": "object"}', ("END",))
    image = Image("cat.png", "image/png", b"\x89PNG")
    request = ChatRequest("m", (Message(Role.SYSTEM, "Be brief."), Message(Role.USER, "What?", (image,))), sampling)
    async with raw_server(SSE + b"".join(HELLO)) as server:
        answer = await asked(server, "vllm", request)
        told = sent(server)
    assert told["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
            ],
        },
    ]
    assert {key: told[key] for key in ("temperature", "top_p", "max_tokens", "seed", "stop", "reasoning_effort")} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 100,
        "seed": 7,
        "stop": ["END"],
        "reasoning_effort": "low",
    }
    assert told["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": {"type": "object"}},
    }
    assert answer.notes == ["context length can't be set through this interface: left as it is set there"]
    async with raw_server(NDJSON + recorded("chat/ollama.jsonl")) as server:
        answer = await asked(server, "ollama", request)
        told = sent(server)
    assert told["options"] == {
        "temperature": 0.5,
        "top_p": 0.9,
        "num_predict": 100,
        "seed": 7,
        "num_ctx": 4096,
        "stop": ["END"],
    }
    assert (told["think"], told["format"]) == ("low", {"type": "object"})
    assert told["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What?", "images": ["iVBORw=="]},
    ]
    assert "keep_alive" not in told
    assert answer.notes == []


async def test_what_a_server_refuses_by_name_is_left_out_and_said() -> None:
    def respond(one: Asked) -> Reply:
        told = json.loads(one.body)
        for name in ("stream_options", "seed", "max_tokens"):
            if name in told:
                hint = "; use max_completion_tokens" if name == "max_tokens" else ""
                return Reply({"error": {"message": f"unknown parameter: {name}{hint}"}}, 400)
        return Reply(b"".join(HELLO), headers={"Content-Type": "text/event-stream"})

    async with pages_server(respond) as server:
        answer = await asked(server, request=prompt(seed=3, max_tokens=9))
        told = sent(server)
    assert (answer.text, answer.notes) == ("Hello", ["the server refuses seed: left out"])
    assert told["max_completion_tokens"] == 9
    assert len(server.asked) == 4


async def test_a_refusal_that_names_nothing_is_the_answer() -> None:
    async with pages_server({"*": Reply({"error": {"message": "model m does not exist"}}, 404)}) as server:
        with pytest.raises(Failure, match="404: model m does not exist"):
            await asked(server, request=prompt(seed=3))
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://a:8000", "/v1/chat/completions"),
        ("https://api.together.ai/v1", "/chat/completions"),
        ("https://openrouter.ai/api/v1/", "/chat/completions"),
        ("https://api.deepinfra.com/v1/openai", "/chat/completions"),
        ("http://a/v10", "/chat/completions"),
        ("http://a/vllm", "/v1/chat/completions"),
    ],
)
def test_where_it_is_asked(url: str, path: str) -> None:
    assert path_of(url) == path


# ---- what goes wrong


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (event("Hel"), "the answer ended half-way"),
        (event("Hel") + b'data: {"error": {"message": "out of memory"}}\n\n' + DONE, "out of memory"),
        (event("Hel") + b'{"error": "plain line"}\n', "plain line"),
        (event("Hel") + b'data: {"error": {}, "error": {"code": 1}}\n\n', "an error without words"),
        (event("Hel") + b"data: {half a\n\n", "it sends what is no JSON"),
        (event("Hel") + b"data: " + b"x" * (LONGEST_LINE + 10) + b"\n\n", "line longer than 1 MiB"),
        (event("Hel") + b"data: " + b"x" * (10 * LONGEST_LINE), "line longer than 1 MiB"),
        (b"", "the answer ended half-way"),
    ],
)
async def test_openai_faults(body: bytes, said: str) -> None:
    answer = Answer("e", "m", 0.0)
    async with raw_server(SSE + body) as server:
        with pytest.raises(Failure, match=said):
            await asked(server, into=answer)
    assert answer.text == ("Hel" if body.startswith(event("Hel")) else "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": {"content": "Hel"}, "done": false}\n', "the answer ended half-way"),
        (b'{"message": {"content": "Hel"}}\n{"error": "runner crashed"}\n', "runner crashed"),
        (b'{"error": {"message": "in a box"}}\n', "in a box"),
        (b"<html>", "it sends what is no JSON"),
    ],
)
async def test_ollama_faults(body: bytes, said: str) -> None:
    async with raw_server(NDJSON + body) as server:
        with pytest.raises(Failure, match=said):
            await asked(server, "ollama")


async def test_the_connection_breaks() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with raw_server(chunked + b"20\r\nhalf") as server:
        with pytest.raises(Failure, match="connection"):
            await asked(server)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (429, {"error": {"message": "slow down"}}, "429: slow down"),
        (503, {"error": {"message": "Loading model"}}, "loading the model"),
        (401, {}, "401: key missing or wrong"),
        (500, b"\x00\xff", "500: "),
    ],
)
async def test_refused(status: int, body: object, said: str) -> None:
    async with pages_server({"*": Reply(body, status)}) as server:
        with pytest.raises(Failure, match=said):
            await asked(server)


async def test_nobody_there() -> None:
    async with raw_server() as server:
        pass
    with pytest.raises(Failure, match="connection refused"):
        await asked(server)


# ---- what comes is clean


async def test_control_characters_never_come_through() -> None:
    hostile = "a\x1b[31mred\x07\x00\x9b2J\u202eb\r\n\tc"
    bad = b'data: {"choices":[{"delta":{"content":"\xff\xfe ok"}}]}\n\n'
    async with raw_server(SSE + event(hostile) + bad + event(finish="stop")) as server:
        text = (await asked(server)).text
    assert text == "aredb\n\tc\ufffd\ufffd ok"


async def test_the_key_goes_to_its_endpoint_and_is_echoed_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAT_KEY", "sk-topsecretkey")
    async with raw_server(SSE + event("it was sk-topsec") + event("retkey!") + event(finish="stop")) as server:
        answer = await asked(server, auth=Auth(env="CHAT_KEY"))
        assert server.asked[0].headers["authorization"] == "Bearer sk-topsecretkey"
    assert answer.text == "it was [key]!"
