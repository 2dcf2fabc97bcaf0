"""Ollama's own interface: POST /api/chat, a line of JSON each piece, durations in nanoseconds in the last.

By requests of our own and not through the official client, which costs as much for each token (4.5 against 4.0 µs): that one has
no bound for a line or an answer, no deadline between two pieces, and lets errors of httpx out of its streams.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from quarterdeck.endpoints.chat.lines import MOST_BYTES, lines
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
_NO_THINKING = "does not support thinking"
_NS = 1e9


async def speak(fetch: Fetch, request: ChatRequest) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer. Raises Failure."""
    payload = body(request)
    try:
        async with aclosing(_once(fetch, payload)) as pieces:
            async for piece in pieces:
                yield piece
    except Failure as failure:
        if "think" not in payload or failure.status != 400 or _NO_THINKING not in failure.reason:
            raise
        yield Piece(note="this model can't think: reasoning effort is left out")
        async with aclosing(_once(fetch, {key: value for key, value in payload.items() if key != "think"})) as pieces:
            async for piece in pieces:
                yield piece


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
            told = mapping(parse(line.decode("utf-8", "replace").encode()))
            if said := told.get("error"):
                words = text(said) or text(mapping(said).get("message")) or "an error without words"
                raise Failure(Outcome.FAILED, fetch.redacted(words))
            if not told:
                raise Failure(Outcome.FOREIGN, "it sends what is no JSON")
            done = done or told.get("done") is True
            yield _piece(told)
    if not done:
        raise Failure(Outcome.FAILED, "the answer ended half-way")


def _piece(told: Mapping[str, object]) -> Piece:
    message = mapping(told.get("message"))
    said, thought = message.get("content"), message.get("thinking")
    calls = tuple(_tool(mapping(call), at) for at, call in enumerate(items(message.get("tool_calls"), 64)))
    piece = Piece(
        text=said if isinstance(said, str) else "", reasoning=thought if isinstance(thought, str) else "", tools=calls
    )
    return piece if told.get("done") is not True else _last(piece, told)


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


def _last(piece: Piece, told: Mapping[str, object]) -> Piece:
    prompt, output = whole(told.get("prompt_eval_count")), whole(told.get("eval_count"))
    return piece._replace(
        finish=text(told.get("done_reason")) or "stop",
        usage=Usage(prompt, output),
        model=text(told.get("model")),
        timings=ServerTimings(
            "Ollama's durations",
            load_s=_seconds(told, "load_duration"),
            prompt_s=_seconds(told, "prompt_eval_duration"),
            decode_s=_seconds(told, "eval_duration"),
            total_s=_seconds(told, "total_duration"),
            prompt_tokens=prompt,
            output_tokens=output,
        ),
    )


def _seconds(told: Mapping[str, object], name: str) -> float | None:
    value = number(told.get(name))
    return value / _NS if value is not None and value >= 0 else None
