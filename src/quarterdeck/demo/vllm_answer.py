"""The answers of a simulated vLLM to /v1/chat/completions and /v1/completions, whole or streamed."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from quarterdeck.demo.asking import DONE, Ask, compact, finished, follow, sse
from quarterdeck.demo.http import Response
from quarterdeck.demo.load import Load

SSE_TYPE = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request on its way to one engine."""

    load: Load
    ask: Ask
    clock: Callable[[], float]
    created: int
    fingerprint: str
    chat: bool

    async def response(self) -> Response:
        """The whole answer when it is done, or the beginning of a stream."""
        name = f"{'chatcmpl' if self.chat else 'cmpl'}-{secrets.token_hex(8)}"
        if self.ask.stream:
            return Response(content_type=SSE_TYPE, stream=self._stream(name))
        job = await finished(self.load, self.ask, self.clock)
        choice = self._message(job.made) if self.chat else self._text("".join(self.ask.pieces[: job.made]))
        whole = {
            "id": name,
            "object": "chat.completion" if self.chat else "text_completion",
            "created": self.created,
            "model": self.ask.model,
            "choices": [choice],
            "service_tier": None,
            "system_fingerprint": self.fingerprint,
            "usage": {**self._usage(job.made), "prompt_tokens_details": None, "completion_tokens_details": None},
            **({"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None} if self.chat else {}),
            "kv_transfer_params": None,
            "ec_transfer_params": None,
            "metrics": None,
        }
        return Response(body=compact(whole))

    async def _stream(self, name: str) -> AsyncGenerator[bytes, None]:
        base: dict[str, Any] = {
            "id": name,
            "object": "chat.completion.chunk" if self.chat else "text_completion",
            "created": self.created,
            "model": self.ask.model,
        }
        pieces, sent = self.ask.pieces, 0
        steps = follow(self.load, self.ask, self.clock)
        try:
            async for job in steps:
                if self.chat and not sent:
                    yield self._opening(base)
                made = self.load.generated(job)
                yield b"".join(self._chunk(base, pieces, index) for index in range(sent, made))
                sent = made
        finally:
            await steps.aclose()
        if self.ask.usage:
            yield sse({**base, "choices": [], "usage": self._usage(sent), "system_fingerprint": self.fingerprint})
        yield DONE

    def _opening(self, base: dict[str, Any]) -> bytes:
        choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
        return sse({**base, "choices": [choice], **self._usage_now(0), "prompt_token_ids": None, "prompt_text": None})

    def _chunk(self, base: dict[str, Any], pieces: list[str], index: int) -> bytes:
        last = index == len(pieces) - 1
        choice: dict[str, Any] = {"index": 0}
        choice |= {"delta": self.ask.delta(index)} if self.chat else {"text": pieces[index]}
        choice |= {"logprobs": None, "finish_reason": self.ask.reason if last else None}
        if last or not self.chat:
            choice["stop_reason"] = None
        if not self.chat:
            choice["prompt_token_ids"] = None
        choice["token_ids"] = None
        closing = {"system_fingerprint": self.fingerprint} if last and not self.ask.usage else {}
        return sse({**base, "choices": [choice], **self._usage_now(index + 1), **closing})

    def _usage(self, made: int) -> dict[str, int]:
        prompt = self.ask.prompt_tokens
        return {"prompt_tokens": prompt, "total_tokens": prompt + made, "completion_tokens": made}

    def _usage_now(self, made: int) -> dict[str, Any]:
        return {"usage": {**self._usage(made), "completion_tokens_details": None}} if self.ask.usage_always else {}

    def _message(self, made: int) -> dict[str, Any]:
        empty = dict.fromkeys(("refusal", "annotations", "audio", "function_call", "reasoning"))
        return {
            "index": 0,
            "message": {**empty, **self.ask.message(made)},
            "logprobs": None,
            "finish_reason": self.ask.reason,
            "stop_reason": None,
            "token_ids": None,
            "routed_experts": None,
        }

    def _text(self, text: str) -> dict[str, Any]:
        return {
            "index": 0,
            "text": text,
            "logprobs": None,
            "finish_reason": self.ask.reason,
            "stop_reason": None,
            "token_ids": None,
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "routed_experts": None,
        }
