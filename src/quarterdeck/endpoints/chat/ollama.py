"""Ollama's own interface: POST /api/chat, a line of JSON each piece, durations in nanoseconds in the last.

By requests of our own and not through the official client. Its cost is no reason (3.7 µs for its model of a line; ours takes 11.5 with
all cleaning and adding up: benchmarks/chat_pieces.py), its failures are: no bound for a line or an answer, no deadline between two
pieces, and errors of httpx come out of its streams.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from quarterdeck.endpoints.chat.lines import MOST_BYTES, lines, raise_error, told
from quarterdeck.model.chat.answer import Piece, ServerTimings, ToolCall, Usage
from quarterdeck.model.chat.request import ChatRequest, Message
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import dumped, items, mapping, number, parse, text, whole
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "num_predict",
    "seed": "seed",
    "context_length": "num_ctx",
}
"""Fields of `Sampling` → Ollama's ``options``."""
_NS = 1e9


async def speak(fetch: Fetch, request: ChatRequest) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer. What a model can't do about its thinking is left out and noted. Raises Failure."""
    payload = body(request)
    while True:
        begun = False
        try:
            async with aclosing(_once(fetch, payload)) as pieces:
                async for piece in pieces:
                    begun = True
                    yield piece
                return
        except Failure as failure:
            note = "" if begun else _thinks_less(failure, payload)
            if not note:
                raise
        yield Piece(note=note)


def _thinks_less(failure: Failure, payload: dict[str, object]) -> str:
    """Take out of ``payload`` what the model refuses about its thinking; what to say of it, "" = that wasn't it."""
    if failure.status != 400 or "think" not in payload:
        return ""
    if "does not support thinking" in failure.reason:
        del payload["think"]
        return "this model can't think: reasoning effort is left out"
    if "think value" in failure.reason and isinstance(payload["think"], str):
        payload["think"] = True
        return "this model knows no levels of thinking: it thinks as it does by itself"
    return ""


def body(request: ChatRequest) -> dict[str, object]:
    """The request as Ollama takes it. No ``keep_alive``: what is set for the model stays."""
    sampling = request.sampling
    options: dict[str, object] = {
        name: value for field, name in _OPTIONS.items() if (value := getattr(sampling, field)) is not None
    }
    if sampling.stop is not None:
        options["stop"] = list(sampling.stop)
    payload: dict[str, object] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
    }
    if options:
        payload["options"] = options
    if sampling.effort is not None:
        payload["think"] = False if sampling.effort == "none" else sampling.effort
    if sampling.schema is not None:
        payload["format"] = parse(sampling.schema.encode())
    return payload


def _message(message: Message) -> dict[str, object]:
    told: dict[str, object] = {"role": message.role.value, "content": message.text}
    if message.images:
        told["images"] = [base64.b64encode(image.data).decode() for image in message.images]
    return told


async def _once(fetch: Fetch, payload: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
    done = False
    async with fetch.streaming("/api/chat", payload, most=MOST_BYTES) as response, aclosing(lines(response)) as each:
        async for line in each:
            if not line.strip():
                continue
            said = told(line)
            raise_error(said, fetch)
            done = done or said.get("done") is True
            yield _piece(said)
            if done:
                return
    raise Failure(Outcome.FAILED, "the answer ended half-way")


def _piece(said: Mapping[str, object]) -> Piece:
    message = mapping(said.get("message"))
    content, thought = message.get("content"), message.get("thinking")
    calls = tuple(_tool(mapping(call), at) for at, call in enumerate(items(message.get("tool_calls"), 64)))
    piece = Piece(
        text=content if isinstance(content, str) else "",
        reasoning=thought if isinstance(thought, str) else "",
        tools=calls,
    )
    return piece if said.get("done") is not True else _last(piece, said)


def _tool(call: Mapping[str, object], at: int) -> ToolCall:
    function = mapping(call.get("function"))
    index = whole(function.get("index"))
    arguments = function.get("arguments")
    return ToolCall(
        at if index is None else index,
        text(function.get("name")) or "",
        dumped(arguments or {}).decode(),
        text(call.get("id")) or "",
    )


def _last(piece: Piece, said: Mapping[str, object]) -> Piece:
    prompt, output = whole(said.get("prompt_eval_count")), whole(said.get("eval_count"))
    return piece._replace(
        finish=text(said.get("done_reason")) or "stop",
        usage=Usage(prompt, output),
        model=text(said.get("model")),
        timings=ServerTimings(
            "Ollama's durations",
            load_s=_seconds(said, "load_duration"),
            prompt_s=_seconds(said, "prompt_eval_duration"),
            decode_s=_seconds(said, "eval_duration"),
            total_s=_seconds(said, "total_duration"),
            prompt_tokens=prompt,
            output_tokens=output,
        ),
    )


def _seconds(said: Mapping[str, object], name: str) -> float | None:
    value = number(said.get(name))
    return value / _NS if value is not None and value >= 0 else None
