"""The interface that OpenAI's API made common: POST …/chat/completions, answered as server-sent events.

Spoken by vLLM, llama.cpp, SGLang, LiteLLM, LM Studio, llama-swap, TGI and the managed APIs; where they differ is said beside it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from urllib.parse import urlsplit

import httpx

from quarterdeck.endpoints.chat.lines import LONGEST_LINE, MOST_BYTES, events, raise_error, told
from quarterdeck.endpoints.chat.numbers import timings_of, usage_of
from quarterdeck.endpoints.chat.thinking import Thinking
from quarterdeck.model.chat.answer import Piece, ToolCall
from quarterdeck.model.chat.request import ChatRequest, Message
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.body import items, mapping, parse, text, whole
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

_REFUSALS = (400, 422)
_DROPPABLE = {
    "stream_options": "",
    "seed": "seed",
    "reasoning_effort": "reasoning effort",
    "top_p": "top-p",
    "temperature": "temperature",
    "response_format": "the JSON schema",
    "stop": "stop words",
    "chat_template_kwargs": "",
    "timings_per_token": "",
}
"""What is left out when a server refuses it by name, and how that is told ("" = it isn't: only our numbers need it)."""
_THINKS_BY_TEMPLATE = ("vllm", "sglang", "llamacpp")
_TELLS_COST_IF_ASKED = "openrouter.ai"
_WORD = re.compile(r"[a-z_]+")
_OF_VERSION = re.compile(r"/(?:v\d+|openai)$")


async def speak(fetch: Fetch, engine: str, request: ChatRequest) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer. A parameter that the server refuses by name is left out and noted. Raises Failure."""
    payload, note = body(engine, request)
    if urlsplit(fetch.target.url).hostname == _TELLS_COST_IF_ASKED:
        payload["usage"] = {"include": True}
    if note:
        yield Piece(note=note)
    while True:
        begun = False
        try:
            async with aclosing(_once(fetch, payload)) as pieces:
                async for piece in pieces:
                    begun = True
                    yield piece
                return
        except Failure as failure:
            refused = None if begun else _refused(failure, payload)
            if refused is None:
                raise
        if told := _left_out(refused, payload):
            yield Piece(note=told)


def body(engine: str, request: ChatRequest) -> tuple[dict[str, object], str]:
    """The request as the interface has it, and what can't be said in it."""
    sampling = request.sampling
    payload: dict[str, object] = {
        "model": request.model,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    for name in ("temperature", "top_p", "max_tokens", "seed"):
        if (value := getattr(sampling, name)) is not None:
            payload[name] = value
    if sampling.stop is not None:
        payload["stop"] = list(sampling.stop)
    if sampling.effort is not None:
        payload["reasoning_effort"] = sampling.effort
        if sampling.effort == "none" and engine in _THINKS_BY_TEMPLATE:  # they leave it to the model's chat template
            payload["chat_template_kwargs"] = {"enable_thinking": False}
    if sampling.schema is not None:
        schema = {"name": "answer", "schema": parse(sampling.schema.encode())}
        payload["response_format"] = {"type": "json_schema", "json_schema": schema}
    if engine == "llamacpp":
        payload["timings_per_token"] = False  # its timings come with the last piece
    note = "context length can't be set through this interface: left as it is set there"
    return payload, note if sampling.context_length is not None else ""


def _message(message: Message) -> dict[str, object]:
    if not message.images:
        return {"role": message.role.value, "content": message.text}
    parts: list[dict[str, object]] = [{"type": "text", "text": message.text}]
    for image in message.images:
        url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": message.role.value, "content": parts}


def _refused(failure: Failure, payload: Mapping[str, object]) -> str | None:
    """The parameter that a server refuses by name, where the request makes sense without it."""
    if failure.status not in _REFUSALS:
        return None
    said = frozenset(_WORD.findall(failure.refused.lower()))
    if "max_completion_tokens" in said and "max_tokens" in payload:
        return "max_tokens"
    return next((name for name in _DROPPABLE if name in payload and name in said), None)


def _left_out(name: str, payload: dict[str, object]) -> str:
    value = payload.pop(name)
    if name == "max_tokens":  # OpenAI's newer models know it under another name only
        payload["max_completion_tokens"] = value
        return ""
    words = _DROPPABLE[name]
    return f"the server refuses {words}: left out" if words else ""


def path_of(url: str) -> str:
    """Below the endpoint's URL, which may be a server's root or an OpenAI base (…/v1)."""
    return "/chat/completions" if _OF_VERSION.search(url.rstrip("/")) else "/v1/chat/completions"


async def _once(fetch: Fetch, payload: Mapping[str, object]) -> AsyncGenerator[Piece, None]:
    reader = _Reader(fetch)
    try:
        async with fetch.streaming(path_of(fetch.target.url), payload, most=MOST_BYTES) as response:
            kind = response.headers.get("content-type", "")
            reader.foreign = "event-stream" not in kind
            if "json" in kind:
                for piece in reader.whole(await _all(response)):
                    yield piece
                return
            async with aclosing(events(response)) as each:
                async for data in each:
                    if data.strip() == b"[DONE]":
                        reader.finished = True
                        break
                    for piece in reader.event(data):
                        yield piece
    except Failure as failure:
        if not reader.finished or failure.outcome is Outcome.FOREIGN:
            raise
        yield Piece(note=f"after the end of the answer: {failure.reason}")
    for piece in reader.rest():
        yield piece
    reader.close()


async def _all(response: httpx.Response) -> bytes:
    """The body of a server that doesn't stream."""
    found = bytearray()
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > LONGEST_LINE * 8:
            raise Failure(Outcome.FOREIGN, "its answer is no stream, and too large")
    return bytes(found)


class _Reader:
    """From the JSON of one answer's events to pieces."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._thinking: Thinking | None = Thinking()
        """``None`` once the server has told reasoning apart by itself."""
        self.finished = False
        """Whether it said that the answer is whole."""
        self.foreign = False
        """Whether it calls its answer something else than events, and none came."""

    def event(self, data: bytes) -> list[Piece]:
        """Of one event."""
        finished, self.finished = self.finished, False  # an error after the end is an error
        said = told(data)
        raise_error(said, self._fetch)
        self.foreign = False
        choice = mapping((items(said.get("choices"), 1) or [None])[0])
        delta = mapping(choice.get("delta")) or mapping(choice.get("message"))
        piece = self._said(delta)
        finish = text(choice.get("finish_reason"))
        self.finished = finished or finish is not None
        piece = piece._replace(
            finish=finish,
            usage=usage_of(said),
            timings=timings_of(said),
            model=text(said.get("model")) if finish else None,
        )
        return [piece] if piece != _NOTHING else []

    def whole(self, data: bytes) -> list[Piece]:
        """Of an answer that came in one."""
        pieces = self.event(data)
        self.finished = True
        note = Piece(note="the server doesn't stream: time to first token is that of the whole answer")
        return [*pieces, *self.rest(), note]

    def rest(self) -> list[Piece]:
        """What was held back."""
        answer, reasoning = self._thinking.rest() if self._thinking is not None else ("", "")
        piece = Piece(text=answer, reasoning=reasoning)
        return [piece] if piece.is_token else []

    def close(self) -> None:
        """Raises Failure where the server never said that the answer is whole."""
        if self.foreign:
            raise Failure(Outcome.FOREIGN, "its answer is no stream of events")
        if not self.finished:
            raise Failure(Outcome.FAILED, "the answer ended half-way")

    def _said(self, delta: Mapping[str, object]) -> Piece:
        content = _text_of(delta.get("content"))
        thought = _text_of(delta.get("reasoning")) or _text_of(delta.get("reasoning_content"))
        if thought and self._thinking is not None:
            held, _ = self._thinking.rest()
            self._thinking, content = None, held + content
        elif content and self._thinking is not None:
            content, thought = self._thinking.feed(content)
        calls = tuple(_tool(mapping(call), at) for at, call in enumerate(items(delta.get("tool_calls"), 64)))
        return Piece(text=content, reasoning=thought, tools=calls)


_NOTHING = Piece()


def _text_of(value: object) -> str:
    """Text, or the texts of its parts."""
    if isinstance(value, str):
        return value
    parts = (mapping(part).get("text") for part in items(value, 64))
    return "".join(part for part in parts if isinstance(part, str))


def _tool(call: Mapping[str, object], at: int) -> ToolCall:
    function, index = mapping(call.get("function")), whole(call.get("index"))
    arguments = function.get("arguments")
    said = arguments if isinstance(arguments, str) else ""
    return ToolCall(at if index is None else index, text(function.get("name")) or "", said, text(call.get("id")) or "")
