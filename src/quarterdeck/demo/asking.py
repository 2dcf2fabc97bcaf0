"""What a client asks for, read from an OpenAI-style body, and the stream of tokens it gets from a simulated engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quarterdeck.demo import prose
from quarterdeck.demo.job import Job
from quarterdeck.demo.load import Load

TICK_S = 0.02
"""How often a waiting client looks for new tokens."""
TEMPLATE_TOKENS = 6
"""What a chat template adds to a message."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for text. ``pieces`` are the tokens it will get, ``limit`` what the client allows."""

    model: str
    prompt_tokens: int
    pieces: list[str]
    limit: int
    stream: bool = False
    usage: bool = False
    """Whether a stream ends with its usage."""
    usage_always: bool = False
    """Whether every chunk of a stream carries it."""
    thoughts: int = 0
    """So many of the first pieces are reasoning."""

    def delta(self, index: int, reasoning: str = "reasoning") -> dict[str, str]:
        """The piece at ``index`` as part of a message; ``reasoning``: what the server calls that field."""
        return {reasoning if index < self.thoughts else "content": self.pieces[index]}

    def message(self, made: int, reasoning: str = "reasoning") -> dict[str, str]:
        """The message of a whole answer of ``made`` pieces."""
        thought = "".join(self.pieces[: min(made, self.thoughts)])
        message = {"role": "assistant", "content": "".join(self.pieces[self.thoughts : made])}
        return {**message, reasoning: thought} if thought else message

    @property
    def reason(self) -> str:
        """Why the answer ends where it ends."""
        return "length" if len(self.pieces) >= self.limit else "stop"


def read_ask(body: Mapping[str, Any], *, model: str, room: int, thinks: bool = False) -> Ask:
    """``room``: the model's context in tokens; ``thinks``: it does unless told not to, others only when told to.

    Values of the wrong type count as not given.
    """
    prompt = prompt_of(body)
    prompt_tokens = prose.token_count(prompt) + TEMPLATE_TOKENS * max(1, prompt.count("\0"))
    limit = _limit(body, max(1, room - prompt_tokens))
    effort = body.get("reasoning_effort")
    thought = prose.thought(effort if isinstance(effort, str) else "low" if thinks else "none")
    answer = [*thought, *prose.pieces(model, prompt)]
    endless = body.get("ignore_eos") is True
    options = body.get("stream_options")
    options = options if isinstance(options, dict) else {}
    usage = options.get("include_usage") is True
    return Ask(
        model=model,
        prompt_tokens=prompt_tokens,
        pieces=prose.spoken(answer, limit if endless else min(limit, len(answer))),
        limit=limit,
        stream=body.get("stream") is True,
        usage=usage,
        usage_always=usage and options.get("continuous_usage_stats") is True,
        thoughts=len(thought),
    )


def _limit(body: Mapping[str, Any], room: int) -> int:
    for name in ("max_completion_tokens", "max_tokens", "n_predict", "num_predict"):
        wanted = body.get(name)
        if isinstance(wanted, int) and not isinstance(wanted, bool) and wanted > 0:
            return min(wanted, room)
    return room


def prompt_of(body: Mapping[str, Any]) -> str:
    """All text of ``messages`` (a NUL between two) or ``prompt``."""
    messages = body.get("messages")
    if isinstance(messages, list):
        return "\0".join(_content(message) for message in messages)
    prompt = body.get("prompt")
    if isinstance(prompt, list):
        return "\0".join(part for part in prompt if isinstance(part, str))
    return prompt if isinstance(prompt, str) else ""


def _content(message: object) -> str:
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


async def until(at: float, clock: Callable[[], float]) -> None:
    """Wait for a moment of the simulation."""
    while clock() < at:  # noqa: ASYNC110 (simulated time: nothing tells when it has come)
        await asyncio.sleep(TICK_S)


def _pause(job: Job, now: float) -> float:
    """Until the next look: the first token goes out when it is there, as clients time it."""
    return min(TICK_S, max(0.001, job.first_at - now)) if job.first is None and job.first_at is not None else TICK_S


async def follow(load: Load, ask: Ask, clock: Callable[[], float]) -> AsyncGenerator[Job, None]:
    """Queue ``ask`` on ``load`` and yield its job whenever there are new tokens, the last time when it has finished.

    A consumer that stops early takes the request back.
    """
    job = load.submit(ask.prompt_tokens, len(ask.pieces), ask.limit, clock())
    seen = 0
    try:
        while job.finished is None:
            await asyncio.sleep(_pause(job, clock()))
            load.advance(clock())
            if load.generated(job) > seen:
                seen = load.generated(job)
                yield job
        if job.made > seen:
            yield job
    finally:
        load.cancel(job, clock())


async def finished(load: Load, ask: Ask, clock: Callable[[], float]) -> Job:
    """Queue ``ask`` and wait until it is done."""
    steps = follow(load, ask, clock)
    try:
        async for last in steps:
            job = last
    finally:
        await steps.aclose()
    return job


def sse(data: object) -> bytes:
    """One server-sent event."""
    return b"data: " + compact(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def compact(data: object) -> bytes:
    """JSON without spaces, as the servers write it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
