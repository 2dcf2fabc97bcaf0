"""What servers refuse or do otherwise than asked, and what is said of it."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from chat_desk import prompt
from fake_servers import Asked, Reply, Writer, pages_server, raw_server, serving
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.chat.open import stream
from quarterdeck.model.chat.answer import Answer
from quarterdeck.model.chat.request import ChatRequest
from quarterdeck.wire.failure import Failure
from recorded import recorded

SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
STREAM = {"Content-Type": "text/event-stream"}


def event(content: str = "", finish: str | None = None) -> bytes:
    told = {"choices": [{"delta": {"content": content}, "finish_reason": finish}]}
    return b"data: " + json.dumps(told).encode() + b"\n\n"


HELLO = event("Hel") + event("lo", "stop")


async def asked(
    url: str, engine: str = "openai", request: ChatRequest | None = None, into: Answer | None = None
) -> Answer:
    answer = Answer("e", "m", 0.0) if into is None else into
    async for piece in stream(EndpointSpec("e", url, engine), engine, request or prompt()):
        answer.take(piece, 1.0)
    return answer


LONG = "The request could not be processed as it was sent, because one of its parameters is not known to the model: "


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Unrecognized request argument supplied: seed"}}),
        (400, {"error": {"message": "Unsupported parameter.", "param": "seed"}}),
        (400, {"error": {"message": LONG + "'seed'"}}),
        (400, {"error": "unknown field `seed`"}),
        (
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
        ),
        (422, {"message": "SEED is not supported"}),
    ],
)
async def test_a_refused_parameter_in_every_shape(status: int, body: object) -> None:
    def respond(one: Asked) -> Reply:
        return Reply(body, status) if "seed" in json.loads(one.body) else Reply(HELLO, headers=STREAM)

    async with pages_server(respond) as server:
        answer = await asked(server.url, request=prompt(seed=1, top_p=0.5))
    assert (answer.text, answer.notes) == ("Hello", ["the server refuses seed: left out"])
    assert json.loads(server.asked[-1].body)["top_p"] == 0.5
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "the seedling is not known"),  # another word
        (500, "seed"),  # no refusal
        (400, "temperature"),  # wasn't sent
    ],
)
async def test_what_is_no_refusal_of_a_parameter_is_not_tried_again(status: int, said: str) -> None:
    async with pages_server({"*": Reply({"error": {"message": said}}, status)}) as server:
        with pytest.raises(Failure, match=f"{status}: {said}"):
            await asked(server.url, request=prompt(seed=1))
    assert len(server.asked) == 1


async def test_a_server_that_refuses_everything_is_asked_each_time_with_less() -> None:
    """Not for ever: each parameter is left out once."""
    said = "stream_options seed reasoning_effort top_p temperature response_format stop max_completion_tokens"
    async with pages_server({"*": Reply({"error": {"message": said}}, 400)}) as server:
        with pytest.raises(Failure, match="400: stream_options"):
            await asked(server.url, request=prompt(seed=1, top_p=1, temperature=0, effort="low", max_tokens=5))
    assert len(server.asked) == 7
    assert set(json.loads(server.asked[-1].body)) == {"model", "messages", "stream", "max_completion_tokens"}


@pytest.mark.parametrize(
    ("status", "header", "said"),
    [
        (429, "30", "429: slow down; try again in 30 s"),
        (503, "1.5", "503: slow down; try again in 1.5 s"),
        (429, "Mon, 23 Nov 2026 05:00:00 GMT", "429: slow down; try again after Mon, 23 Nov 2026 05:00:00 GMT"),
        (429, "-1", "429: slow down"),
        (429, "nan", "429: slow down"),
        (429, "", "429: slow down"),
    ],
)
async def test_when_to_try_again_is_said_and_nothing_tried(status: int, header: str, said: str) -> None:
    reply = Reply({"error": {"message": "slow down"}}, status, headers={"Retry-After": header})
    async with pages_server({"*": reply}) as server:
        for engine in ("openai", "ollama"):
            with pytest.raises(Failure) as failed:
                await asked(server.url, engine)
            assert failed.value.reason == said
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("refusal", "then", "note"),
    [
        ('"m" does not support thinking', None, "this model can't think: reasoning effort is left out"),
        (
            'think value "low" is not supported for this model',
            True,
            "this model knows no levels of thinking: it thinks as it does by itself",
        ),
    ],
)
async def test_how_much_an_ollama_model_can_think(refusal: str, then: object, note: str) -> None:
    def respond(one: Asked) -> Reply:
        if json.loads(one.body).get("think") == "low":
            return Reply({"error": refusal}, 400)
        return Reply(recorded("chat/ollama.jsonl"))

    async with pages_server(respond) as server:
        answer = await asked(server.url, "ollama", prompt(effort="low"))
    assert answer.notes == [note]
    assert json.loads(server.asked[-1].body).get("think") == then


@pytest.mark.parametrize(("engine", "told"), [("vllm", {"enable_thinking": False}), ("lmstudio", None)])
async def test_no_thinking_is_said_to_the_chat_template_where_it_decides(engine: str, told: object) -> None:
    async with raw_server(SSE + HELLO) as server:
        await asked(server.url, engine, prompt(effort="none"))
    sent = json.loads(server.asked[0].body)
    assert sent["reasoning_effort"] == "none"
    assert sent.get("chat_template_kwargs") == told


# ---- other shapes


@pytest.mark.parametrize(
    ("event_of", "said"),
    [
        (b'data: {"object": "error", "message": "old vLLM", "code": 400}\n\n', "old vLLM"),
        (b'error: {"code": 500, "message": "old llama.cpp"}\n\n', "old llama.cpp"),
        (b'data: {"error": "tgi", "error_type": "overloaded"}\n\n', "tgi"),
        (b'event: error\ndata: {"error": {"message": "with a name"}}\n\n', "with a name"),
    ],
)
async def test_errors_in_the_middle_in_every_shape(event_of: bytes, said: str) -> None:
    for before in (event("Hel"), HELLO):  # also after what looked like the end
        async with raw_server(SSE + before + event_of) as server:
            with pytest.raises(Failure) as failed:
                await asked(server.url)
        assert failed.value.reason == said


@pytest.mark.parametrize("kind", ["text/plain", "text/html; charset=utf-8", "application/octet-stream"])
async def test_events_under_another_name_are_taken_and_a_page_is_not(kind: str) -> None:
    head = SSE.replace(b"text/event-stream", kind.encode())
    async with raw_server(head + HELLO) as server:
        assert (await asked(server.url)).text == "Hello"
    async with raw_server(head + b"<html>\nSign in\n</html>\n") as server:
        with pytest.raises(Failure, match=r"^its answer is no stream of events$"):
            await asked(server.url)


async def test_json_with_an_error_or_none_at_all() -> None:
    for body, said in (({"error": {"message": "no"}}, "no"), (b"{", "it sends what is no JSON")):
        async with pages_server({"*": Reply(body, headers={"Content-Type": "application/json"})}) as server:
            with pytest.raises(Failure) as failed:
                await asked(server.url)
        assert failed.value.reason == said


async def test_broken_off_after_the_end_is_done_with_a_note() -> None:
    part = f"{len(HELLO):x}\r\n".encode() + HELLO + b"\r\n"
    async with raw_server(CHUNKED + part) as server:
        answer = await asked(server.url)
    assert (answer.text, answer.finish) == ("Hello", "stop")
    assert answer.notes[0].startswith("after the end of the answer: connection")


async def test_a_reset_says_so() -> None:
    async def respond(_: Asked, writer: Writer) -> bool:
        part = event("Hel")
        writer.write(CHUNKED + f"{len(part):x}\r\n".encode() + part + b"\r\n")
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False

    answer = Answer("e", "m", 0.0)
    async with serving(respond) as server:
        with pytest.raises(Failure, match="connection"):
            await asked(server.url, into=answer)
    assert answer.finish is None


async def test_the_prompt_is_in_no_failure() -> None:
    async with pages_server({"*": Reply({}, 500)}) as server:
        with pytest.raises(Failure) as failed:
            await asked(server.url, request=prompt("SECRETPROMPT"))
    assert "SECRETPROMPT" not in repr(failed.value) + failed.value.reason + failed.value.refused
