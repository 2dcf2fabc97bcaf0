"""A simulated llama-server (llama.cpp b11434) with one model: health, properties, slots, metrics and chat."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable
from typing import Any

from quarterdeck.demo.asking import DONE, Ask, compact, finished, follow, read_ask, sse
from quarterdeck.demo.http import Handler, Response, Style
from quarterdeck.demo.job import Job, Profile
from quarterdeck.demo.llamacpp_page import MetricsPage
from quarterdeck.demo.llamacpp_props import model_card, properties, slot
from quarterdeck.demo.load import Load
from quarterdeck.demo.request import Request

BUILD = "b11434-5d8f3a1"
JSON_TYPE = "application/json; charset=utf-8"
LOADING_S = 9.0
"""How long a start takes to read the model; the port answers 503 meanwhile."""


def _error(status: int, message: str, kind: str) -> Response:
    error = {"error": {"code": status, "message": message, "type": kind}}
    return Response(status, compact(error), JSON_TYPE, close=True)


STYLE = Style(
    server="llama.cpp",
    date=False,
    extra=(("Access-Control-Allow-Origin", ""),),
    keep_alive="timeout=5, max=100",
    not_found=_error(404, "File Not Found", "not_found_error"),
)


class LlamaServer:
    """One server. ``clock`` is the simulation's, ``wall`` its time of day; ``born`` (on ``clock``) may be in the past."""

    def __init__(
        self,
        model: str,
        profile: Profile,
        *,
        n_ctx: int,
        seed: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
        born: float,
    ) -> None:
        """``n_ctx``: context of one slot, in tokens; ``profile.max_seqs`` is the number of slots."""
        self.model = model
        self.profile = profile
        self.n_ctx = n_ctx
        self.clock = clock
        self.wall = wall
        self.down = False
        self._seed = seed
        self._starts = 0
        self._busy_before = 0.0
        self._start(born, ready_at=born)

    def restart(self, now: float) -> None:
        """The process is new: counters from zero, and the model has to be read first."""
        self._busy_before = self.busy_s
        self.down = False
        self._start(now, ready_at=now + LOADING_S)

    def _start(self, now: float, *, ready_at: float) -> None:
        self._starts += 1
        self._ready_at = ready_at
        self._tasks: dict[int, Job] = {}
        self.load = Load(self.profile, seed=f"{self._seed}:llama:{self._starts}", start=ready_at)
        # The real header holds ggml_time_us(), microseconds since the machine booted, whatever its name says.
        self._page = MetricsPage(self.load, process_start=int(now * 1e6))

    def advance(self, now: float) -> None:
        """Let the simulated time pass."""
        if not self.down:
            self.load.advance(now)
            for job in self.load.jobs:
                self._tasks[job.slot] = job

    @property
    def busy_s(self) -> float:
        """Seconds of work since the first start; never falls."""
        return self._busy_before + self.load.busy_s

    @property
    def loading_left_s(self) -> float:
        """Seconds until the model is in memory; 0 when it is."""
        return max(0.0, self._ready_at - self.clock())

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What it answers."""
        return {
            ("GET", "/health"): self._ready(self._health),
            ("GET", "/v1/health"): self._ready(self._health),
            ("GET", "/props"): self._ready(self._props),
            ("GET", "/slots"): self._ready(self._slots),
            ("GET", "/metrics"): self._ready(self._metrics),
            ("GET", "/models"): self._ready(self._models),
            ("GET", "/v1/models"): self._ready(self._models),
            ("POST", "/v1/chat/completions"): self._ready(self._chat),
            ("POST", "/chat/completions"): self._ready(self._chat),
        }

    def metrics(self) -> bytes:
        """The metrics page of now."""
        self.advance(self.clock())
        return self._page.render()

    def _ready(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            if self.loading_left_s:
                return _error(503, "Loading model", "unavailable_error")
            return await handler(request)

        return checked

    async def _health(self, _: Request) -> Response:
        return _json({"status": "ok"})

    async def _props(self, _: Request) -> Response:
        return _json(properties(self.model, n_ctx=self.n_ctx, slots=self.profile.max_seqs, build=BUILD))

    async def _slots(self, request: Request) -> Response:
        self.advance(self.clock())
        if request.values("fail_on_no_slot") and self.load.running >= self.profile.max_seqs:
            return _error(503, "no slot available", "unavailable_error")
        running = {job.slot for job in self.load.jobs}
        states = []
        for index in range(self.profile.max_seqs):
            job = self._tasks.get(index)
            made = self.load.generated(job) if job is not None and index in running else None
            states.append(slot(index, self.n_ctx, job, made))
        return _json(states)

    async def _metrics(self, _: Request) -> Response:
        body = self.metrics()
        start = (("Process-Start-Time-Unix", str(self._page.process_start)),)
        return Response(body=body, content_type="text/plain; version=0.0.4", headers=start)

    async def _models(self, _: Request) -> Response:
        return _json(model_card(self.model, created=int(self.wall()), n_ctx=self.n_ctx))

    async def _chat(self, request: Request) -> Response:
        try:
            body = request.json()
        except ValueError as error:
            return _error(400, f"[json.exception.parse_error.101] parse error: {error}", "invalid_request_error")
        if not isinstance(body.get("messages"), list):
            return _error(400, "'messages' is required", "invalid_request_error")
        ask = read_ask(body, model=self.model, room=self.n_ctx)
        self.advance(self.clock())
        name = f"chatcmpl-{secrets.token_urlsafe(24)}"
        base = {
            "created": int(self.wall()),
            "id": name,
            "model": self.model,
            "system_fingerprint": BUILD,
            "object": "chat.completion.chunk",
        }
        if ask.stream:
            stream = self._stream(self.load, ask, base, each=body.get("timings_per_token") is True)
            return Response(content_type="text/event-stream", stream=stream)
        job = await finished(self.load, ask, self.clock)
        message = ask.message(job.made, "reasoning_content")
        choice = {"finish_reason": ask.reason, "index": 0, "message": message}
        usage = _usage(ask, job.made)
        whole = {"choices": [choice], **base, "object": "chat.completion", "usage": usage}
        return _json({**whole, "timings": _timings(job, job.made, job.finished)})

    async def _stream(self, load: Load, ask: Ask, base: dict[str, Any], *, each: bool) -> AsyncGenerator[bytes, None]:
        sent = 0
        steps = follow(load, ask, self.clock)
        try:
            async for job in steps:
                if not sent:
                    yield sse({"choices": [_choice({"role": "assistant", "content": None})], **base})
                made = load.generated(job)
                for index in range(sent, made):
                    extra = {"timings": _timings(job, index + 1, self.clock())} if each else {}
                    yield sse({"choices": [_choice(ask.delta(index, "reasoning_content"))], **base, **extra})
                sent = made
        finally:
            await steps.aclose()
        timings = {"timings": _timings(job, sent, job.finished)}
        closing = {} if ask.usage else timings
        yield sse({"choices": [_choice({}, ask.reason)], **base, **closing})
        if ask.usage:
            yield sse({"choices": [], **base, "usage": _usage(ask, sent), **timings})
        yield DONE


def _json(data: object) -> Response:
    return Response(body=compact(data), content_type=JSON_TYPE)


def _choice(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"finish_reason": reason, "index": 0, "delta": delta}


def _usage(ask: Ask, made: int) -> dict[str, Any]:
    total = ask.prompt_tokens + made
    counts = {"completion_tokens": made, "prompt_tokens": ask.prompt_tokens, "total_tokens": total}
    return {**counts, "prompt_tokens_details": {"cached_tokens": 0}}


def _timings(job: Job, made: int, now: float | None) -> dict[str, Any]:
    first = job.arrived if job.first is None else job.first
    prompt_s = max(1e-6, first - (job.arrived if job.admitted is None else job.admitted))
    predicted_s = max(1e-6, (first if now is None else now) - first)
    return {
        "cache_n": job.cached,
        "prompt_n": job.prompt - job.cached,
        "prompt_ms": round(prompt_s * 1e3, 3),
        "prompt_per_token_ms": prompt_s * 1e3 / max(1, job.prompt - job.cached),
        "prompt_per_second": (job.prompt - job.cached) / prompt_s,
        "predicted_n": made,
        "predicted_ms": round(predicted_s * 1e3, 3),
        "predicted_per_token_ms": predicted_s * 1e3 / max(1, made),
        "predicted_per_second": made / predicted_s,
    }
