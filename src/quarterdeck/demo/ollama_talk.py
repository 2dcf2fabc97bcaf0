"""How a simulated Ollama answers prompts: /api/generate, /api/chat, /api/embed and /v1/chat/completions."""

from __future__ import annotations

import hashlib
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from quarterdeck.demo import prose
from quarterdeck.demo.asking import DONE, Ask, compact, follow, read_ask, sse, until
from quarterdeck.demo.http import Handler, Response
from quarterdeck.demo.job import Job
from quarterdeck.demo.ollama import OllamaServer
from quarterdeck.demo.ollama_models import OllamaModel
from quarterdeck.demo.ollama_wire import NDJSON_TYPE, answer, failure, guarded, timestamp, v1_failure
from quarterdeck.demo.request import Request
from quarterdeck.demo.residency import keep_alive_s

MAX_QUEUE = 512
_BUSY = "server busy, please try again.  maximum pending requests exceeded"


@dataclass(frozen=True, slots=True)
class _Talk:
    """One prompt for one model. The first ``thoughts`` pieces of the answer are its thinking."""

    server: OllamaServer
    model: OllamaModel
    name: str
    """As the client called it."""
    ask: Ask
    keep_s: float
    chat: bool
    thoughts: int = 0
    context: int | None = None

    async def steps(self) -> AsyncGenerator[tuple[Job, float], None]:
        """The job whenever it has new tokens, and the seconds it took until the model was in memory."""
        server, asked = self.server, self.server.clock()
        server.advance(asked)
        entry = server.hold(self.model, self.keep_s, asked, self.context)
        try:
            await until(entry.ready_at, server.clock)
            loaded = server.clock() - asked + 0.0019
            jobs = follow(server.load, self.ask, server.clock)
            try:
                async for job in jobs:
                    yield job, loaded
            finally:
                await jobs.aclose()
        finally:
            server.residency.end(entry, server.clock())

    def line(self, index: int) -> dict[str, Any]:
        """One line of a native stream: the token at ``index``."""
        return {**self._head(), **self._said(index, index + 1), "done": False}

    def closing(self, job: Job, loaded: float, *, whole: bool) -> dict[str, Any]:
        """The last line of a stream, or (``whole``) all of an answer."""
        first = job.arrived if job.first is None else job.first
        done = first if job.finished is None else job.finished
        started = job.arrived if job.admitted is None else job.admitted
        said = self._said(0, job.made) if whole else self._said(job.made, job.made)
        context = {} if self.chat else {"context": [5 + 11 * i % 32_000 for i in range(12)]}
        return {
            **self._head(),
            **said,
            "done": True,
            "done_reason": self.ask.reason,
            **context,
            "total_duration": int((done - job.arrived + loaded) * 1e9),
            "load_duration": int(loaded * 1e9),
            "prompt_eval_count": self.ask.prompt_tokens,
            "prompt_eval_duration": int((first - started) * 1e9),
            "eval_count": job.made,
            "eval_duration": int((done - first) * 1e9),
        }

    def _head(self) -> dict[str, Any]:
        return {"model": self.name, "created_at": timestamp(self.server.wall())}

    def _said(self, start: int, end: int) -> dict[str, Any]:
        thinking = "".join(self.ask.pieces[start : min(end, self.thoughts)])
        text = "".join(self.ask.pieces[max(start, self.thoughts) : end])
        thought = {"thinking": thinking} if thinking else {}
        if self.chat:
            return {"message": {"role": "assistant", "content": text, **thought}}
        return {"response": text, **thought}


def routes(server: OllamaServer) -> dict[tuple[str, str], Handler]:
    """What answers prompts."""

    async def generate(request: Request) -> Response:
        return await _native(server, request, chat=False)

    async def chat(request: Request) -> Response:
        return await _native(server, request, chat=True)

    async def embed(request: Request) -> Response:
        return _embed(server, request)

    async def v1_chat(request: Request) -> Response:
        return await _v1_chat(server, request)

    return {
        ("POST", "/api/generate"): guarded(generate),
        ("POST", "/api/chat"): guarded(chat),
        ("POST", "/api/embed"): guarded(embed),
        ("POST", "/v1/chat/completions"): guarded(v1_chat),
    }


async def _native(server: OllamaServer, request: Request, *, chat: bool) -> Response:
    body = request.json()
    name = body.get("model") or ""
    model = server.find(name)
    if model is None:
        return failure(404, f"model '{name}' not found")
    keep_s = keep_alive_s(body.get("keep_alive"))
    if not body.get("messages" if chat else "prompt"):
        if not chat and keep_s and "completion" not in model.capabilities:
            return failure(400, f'"{name}" does not support generate')
        return await _load_only(server, model, name, keep_s, chat=chat, context=_context(body))
    refused = _refusal(server, model, name, body)
    if refused is not None:
        return refused
    talk = _talk(server, model, name, body, keep_s, chat=chat)
    if body.get("stream") is not False:
        return Response(content_type=NDJSON_TYPE, stream=_lines(talk))
    steps = talk.steps()
    try:
        async for step in steps:
            job, loaded = step
    finally:
        await steps.aclose()
    return answer(talk.closing(job, loaded, whole=True))


def _refusal(server: OllamaServer, model: OllamaModel, name: str, body: dict[str, Any]) -> Response | None:
    if "completion" not in model.capabilities:
        return failure(400, f'"{name}" does not support {"chat" if "messages" in body else "generate"}')
    if body.get("think") not in (None, False) and "thinking" not in model.capabilities:
        return failure(400, f'"{name}" does not support thinking')
    if body.get("tools") and "tools" not in model.capabilities:
        return failure(400, f"registry.ollama.ai/library/{model.name} does not support tools")
    return failure(503, _BUSY) if server.load.waiting >= MAX_QUEUE else None


def _talk(
    server: OllamaServer, model: OllamaModel, name: str, body: dict[str, Any], keep_s: float, *, chat: bool
) -> _Talk:
    options = body.get("options")
    limits = {"num_predict": options.get("num_predict")} if isinstance(options, dict) else {}
    ask = read_ask({**body, **limits}, model=name, room=min(model.context, 32_768))
    if "thinking" not in model.capabilities or body.get("think") is False:
        return _Talk(server, model, name, ask, keep_s, chat, context=_context(body))
    think = body.get("think")
    thought = prose.thought(think if isinstance(think, str) else "low")
    pieces = [*thought, *ask.pieces][: ask.limit]
    thoughtful = Ask(ask.model, ask.prompt_tokens, pieces, ask.limit, ask.stream, ask.usage)
    return _Talk(server, model, name, thoughtful, keep_s, chat, len(thought), _context(body))


def _context(body: dict[str, Any]) -> int | None:
    """The tokens of context that a request asks for."""
    options = body.get("options")
    asked = options.get("num_ctx") if isinstance(options, dict) else None
    return asked if isinstance(asked, int) and asked > 0 else None


async def _lines(talk: _Talk) -> AsyncGenerator[bytes, None]:
    sent = 0
    steps = talk.steps()
    try:
        async for step in steps:
            job, loaded = step
            made = talk.server.load.generated(job)
            yield b"".join(compact(talk.line(index)) + b"\n" for index in range(sent, made))
            sent = made
    finally:
        await steps.aclose()
    yield compact(talk.closing(job, loaded, whole=False)) + b"\n"


async def _load_only(
    server: OllamaServer, model: OllamaModel, name: str, keep_s: float, *, chat: bool, context: int | None
) -> Response:
    """A request without a prompt loads the model, or with ``keep_alive`` 0 unloads it."""
    said = {"message": {"role": "assistant", "content": ""}} if chat else {"response": ""}
    reason = "load" if keep_s else "unload"
    if keep_s:
        entry = server.hold(model, keep_s, server.clock(), context)
        try:
            await until(entry.ready_at, server.clock)
        finally:
            server.residency.end(entry, server.clock())
    else:
        server.unload(model.name, server.clock())
    head = {"model": name, "created_at": timestamp(server.wall())}
    return answer({**head, **said, "done": True, "done_reason": reason})


def _embed(server: OllamaServer, request: Request) -> Response:
    body = request.json()
    name = body.get("model") or ""
    model = server.find(name)
    if model is None:
        return failure(404, f"model '{name}' not found")
    if "embedding" not in model.capabilities:
        return failure(501, "This server does not support embeddings. Start it with `--embeddings`")
    now = server.clock()
    server.residency.end(server.hold(model, keep_alive_s(body.get("keep_alive")), now, _context(body)), now)
    given = body.get("input")
    texts = given if isinstance(given, list) else [given]
    count = sum(prose.token_count(str(text)) for text in texts)
    return answer(
        {
            "model": name,
            "embeddings": [_vector(str(text), model.embedding) for text in texts],
            "total_duration": 14_143_917,
            "load_duration": 1_019_500,
            "prompt_eval_count": count,
        }
    )


def _vector(text: str, size: int) -> list[float]:
    """A unit vector that is always the same for the same text."""
    draw = random.Random(hashlib.sha256(text.encode()).digest())
    raw = [draw.gauss(0, 1) for _ in range(size)]
    length = sum(value * value for value in raw) ** 0.5
    return [round(value / length, 7) for value in raw]


async def _v1_chat(server: OllamaServer, request: Request) -> Response:
    body = request.json()
    name = body.get("model") or ""
    model = server.find(name)
    if model is None:
        return v1_failure(404, f"model '{name}' not found", "not_found_error")
    if not body.get("messages"):
        return v1_failure(400, "[] is too short - 'messages'", "invalid_request_error")
    talk = _talk(server, model, name, {**body, "think": False, "reasoning_effort": None}, keep_alive_s(None), chat=True)
    base = {"id": f"chatcmpl-{random.randint(1, 999)}", "created": int(server.wall()), "model": name}
    if talk.ask.stream:
        return Response(content_type="text/event-stream", stream=_v1_stream(talk, base))
    steps = talk.steps()
    try:
        async for step in steps:
            job = step[0]
    finally:
        await steps.aclose()
    message = {"role": "assistant", "content": "".join(talk.ask.pieces[: job.made])}
    choice = {"index": 0, "message": message, "finish_reason": talk.ask.reason}
    whole = {**_v1_head(base, "chat.completion"), "choices": [choice], "usage": _usage(talk.ask, job.made)}
    return Response(body=compact(whole) + b"\n")


async def _v1_stream(talk: _Talk, base: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    head = _v1_head(base, "chat.completion.chunk")
    sent = 0
    steps = talk.steps()
    try:
        async for step in steps:
            made = talk.server.load.generated(step[0])
            for index in range(sent, made):
                delta = {"content": talk.ask.pieces[index]}
                delta = delta if index else {"role": "assistant", **delta}
                yield sse({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            sent = made
    finally:
        await steps.aclose()
    yield sse({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": talk.ask.reason}]})
    if talk.ask.usage:
        yield sse({**head, "choices": [], "usage": _usage(talk.ask, sent)})
    yield DONE


def _v1_head(base: dict[str, Any], kind: str) -> dict[str, Any]:
    named = {"id": base["id"], "object": kind, "created": base["created"]}
    return {**named, "model": base["model"], "system_fingerprint": "fp_ollama"}


def _usage(ask: Ask, made: int) -> dict[str, int]:
    total = ask.prompt_tokens + made
    return {"prompt_tokens": ask.prompt_tokens, "completion_tokens": made, "total_tokens": total}
