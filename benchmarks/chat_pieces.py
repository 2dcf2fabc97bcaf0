"""What one piece of an answer costs, from the bytes of the socket to the `Answer`: both interfaces, with a key to look for.

uv run python benchmarks/chat_pieces.py [PIECES]

Beside it the `ollama` client's own work on a line (its pydantic model), which ours is in the place of.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from quarterdeck.endpoints.chat import ollama, openai
from quarterdeck.endpoints.chat.open import _cleaned
from quarterdeck.model.chat.answer import Answer
from quarterdeck.model.chat.request import ChatRequest, Message, Role
from quarterdeck.wire.http import Fetch, Target

REQUEST = ChatRequest("m", (Message(Role.USER, "hello"),))
ROUNDS = 5


class Chunks(httpx.AsyncByteStream):
    """One chunk a piece, as a server sends them."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class Canned(Fetch):
    """Answers without a network."""

    def __init__(self, chunks: list[bytes]) -> None:
        super().__init__(Target("http://127.0.0.1:1"))
        self._chunks = chunks

    @property
    def secret(self) -> str:
        """A key of the usual length."""
        return "sk-" + "k" * 45

    @asynccontextmanager
    async def streaming(self, *_: object, **__: object) -> AsyncIterator[httpx.Response]:
        """The answer."""
        yield httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Chunks(self._chunks))


def sse(count: int) -> list[bytes]:
    """As vLLM writes them."""
    base = {"id": "chatcmpl-0123456789abcdef", "object": "chat.completion.chunk", "created": 1795000000, "model": "m"}
    choice = {"index": 0, "delta": {"content": " word"}, "logprobs": None, "finish_reason": None, "token_ids": None}
    one = b"data: " + json.dumps({**base, "choices": [choice]}).encode() + b"\n\n"
    return [*[one] * count, b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', b"data: [DONE]\n\n"]


def ndjson(count: int) -> list[bytes]:
    """As Ollama writes them."""
    message = {"role": "assistant", "content": " word"}
    told: dict[str, Any] = {"model": "m", "created_at": "2026-11-23T04:00:00.123456789Z", "message": message}
    one = json.dumps({**told, "done": False}).encode() + b"\n"
    return [*[one] * count, json.dumps({**told, "done": True, "eval_count": count}).encode() + b"\n"]


async def ours(engine: str, chunks: list[bytes]) -> float:
    """Seconds for all."""
    fetch = Canned(chunks)
    speaking = ollama.speak(fetch, REQUEST) if engine == "ollama" else openai.speak(fetch, engine, REQUEST)
    answer = Answer("e", "m", 0.0)
    started = time.perf_counter()
    async with aclosing(_cleaned(fetch, speaking)) as pieces:
        async for piece in pieces:
            answer.take(piece, time.monotonic())
    return time.perf_counter() - started


def theirs(chunks: list[bytes]) -> float:
    """What the `ollama` package does with each line."""
    from ollama import ChatResponse

    started = time.perf_counter()
    for chunk in chunks:
        ChatResponse(**json.loads(chunk))
    return time.perf_counter() - started


def main() -> None:
    """Print microseconds a piece, the best of some rounds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    for name, chunks in (("vllm", sse(count)), ("ollama", ndjson(count))):
        best = min(asyncio.run(ours(name, chunks)) for _ in range(ROUNDS))
        print(f"{name:8} {best / count * 1e6:6.1f} µs a piece")
    best = min(theirs(ndjson(count)) for _ in range(ROUNDS))
    print(f"the ollama package's parsing alone {best / count * 1e6:6.1f} µs a line")


if __name__ == "__main__":
    main()
