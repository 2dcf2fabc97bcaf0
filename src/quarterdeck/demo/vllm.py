"""A simulated vLLM 0.32, plain or data-parallel: the routes, answers, errors and metrics of the real one."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.demo.asking import compact, prompt_of, read_ask
from quarterdeck.demo.http import Handler, Response, Style
from quarterdeck.demo.job import Profile
from quarterdeck.demo.load import Load
from quarterdeck.demo.request import Request
from quarterdeck.demo.vllm_answer import Answer
from quarterdeck.demo.vllm_page import Identity, VllmPage

VERSION = "0.32.0"
_DETAIL = b'{"detail":"%b"}'
STYLE = Style(
    server="uvicorn",
    lower=True,
    extra=(("Vary", "Origin"),),
    not_found=Response(404, _DETAIL % b"Not Found"),
    not_allowed=Response(405, _DETAIL % b"Method Not Allowed"),
    head=False,
)
METRICS_TYPE = "text/plain; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class VllmSpec:
    """How a simulated vLLM was started."""

    model: str
    root: str
    profile: Profile
    engines: int = 1
    max_model_len: int = 32_768
    multiprocess: bool = False
    """Whether its metrics come from several API servers (the default of a data-parallel vLLM)."""


@dataclass(slots=True)
class VllmServer:
    """One server: its engines, and a handler per route. ``clock`` is the simulation's, ``wall`` its time of day."""

    spec: VllmSpec
    seed: str
    clock: Callable[[], float]
    wall: Callable[[], float]
    born: float
    """On ``clock``: when it was started, which may be in the past."""
    loads: list[Load] = field(init=False)
    down: bool = False
    _page: VllmPage = field(init=False)
    _lists: int = 0
    _busy_before: float = 0.0
    _starts: int = 0

    def __post_init__(self) -> None:
        self._start(self.born)

    def restart(self, now: float) -> None:
        """The process is new: every counter begins at zero."""
        self._busy_before, warmth = self.busy_s, [load.warmth for load in self.loads]
        self.down = False
        self._start(now)
        for load, warm in zip(self.loads, warmth, strict=True):
            load.warmth = warm

    def _start(self, now: float) -> None:
        self._starts += 1
        seed = f"{self.seed}:{self.spec.model}:{self._starts}"
        self.loads = [Load(self.spec.profile, seed=f"{seed}:{i}", start=now) for i in range(self.spec.engines)]
        identity = Identity(self.spec.model, self.wall() - (self.clock() - now), self.spec.multiprocess)
        self._page = VllmPage(self.loads, identity, max_model_len=self.spec.max_model_len)
        self._lists = 0

    def advance(self, now: float) -> None:
        """Let the simulated time pass."""
        if not self.down:
            for load in self.loads:
                load.advance(now)

    @property
    def busy_s(self) -> float:
        """Engine-seconds of work since the first start; never falls."""
        return self._busy_before + sum(load.busy_s for load in self.loads)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What it answers."""
        return {
            ("GET", "/health"): self._empty,
            ("GET", "/ping"): self._empty,
            ("POST", "/ping"): self._empty,
            ("GET", "/version"): self._version,
            ("GET", "/load"): self._load,
            ("GET", "/metrics"): self._metrics,
            ("GET", "/v1/models"): self._models,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/completions"): self._completions,
            ("POST", "/tokenize"): self._tokenize,
        }

    def metrics(self, names: tuple[str, ...] = ()) -> bytes:
        """The metrics page of now."""
        self.advance(self.clock())
        return self._page.render(names, model_lists=self._lists)

    async def _empty(self, _: Request) -> Response:
        return Response(content_type=None)

    async def _version(self, _: Request) -> Response:
        return Response(body=compact({"version": VERSION}))

    async def _load(self, _: Request) -> Response:
        return Response(body=compact({"server_load": 0}))  # counts only with --enable-server-load-tracking

    async def _metrics(self, request: Request) -> Response:
        body = self.metrics(tuple(request.values("name[]")))
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                body=gzip.compress(body, 1), content_type=METRICS_TYPE, headers=(("Content-Encoding", "gzip"),)
            )
        return Response(body=body, content_type=METRICS_TYPE)

    async def _models(self, _: Request) -> Response:
        self._lists += 1
        created = int(self.wall())
        digest = hashlib.sha256(f"{self.spec.model}:{self._lists}".encode()).hexdigest()
        permission = {
            "id": f"modelperm-{digest[:16]}",
            "object": "model_permission",
            "created": created,
            "allow_create_engine": False,
            "allow_sampling": True,
            "allow_logprobs": True,
            "allow_search_indices": False,
            "allow_view": True,
            "allow_fine_tuning": False,
            "organization": "*",
            "group": None,
            "is_blocking": False,
        }
        card = {
            "id": self.spec.model,
            "object": "model",
            "created": created,
            "owned_by": "vllm",
            "root": self.spec.root,
            "parent": None,
            "max_model_len": self.spec.max_model_len,
            "permission": [permission],
        }
        return Response(body=compact({"object": "list", "data": [card]}))

    async def _tokenize(self, request: Request) -> Response:
        body = _body(request)
        if isinstance(body, Response):
            return body
        ask = read_ask(body, model=self.spec.model, room=self.spec.max_model_len)
        tokens = [100 + (7919 * i) % 150_000 for i in range(ask.prompt_tokens)]
        known = {"count": len(tokens), "max_model_len": self.spec.max_model_len, "tokens": tokens, "token_strs": None}
        return Response(body=compact(known))

    async def _chat(self, request: Request) -> Response:
        return await self._generate(request, chat=True)

    async def _completions(self, request: Request) -> Response:
        return await self._generate(request, chat=False)

    async def _generate(self, request: Request, *, chat: bool) -> Response:
        body = _body(request)
        if isinstance(body, Response):
            return body
        refusal = self._refusal(body, chat=chat)
        if refusal is not None:
            return refusal
        ask = read_ask(body, model=self.spec.model, room=self.spec.max_model_len)
        now = self.clock()
        self.advance(now)
        load = min(self.loads, key=lambda engine: engine.running + engine.waiting)
        answer = Answer(load, ask, self.clock, int(self.wall()), f"vllm-{VERSION}-736632f1", chat)
        return await answer.response()

    def _refusal(self, body: dict[str, Any], *, chat: bool) -> Response | None:
        needed = "messages" if chat else "prompt"
        if needed not in body or (chat and not isinstance(body["messages"], list)):
            message = (
                "1 validation error:\n"
                f"  {{'type': 'missing', 'loc': 'body.{needed}', 'msg': 'Field required', "
                f"'input': '<dict of {len(body)} items>'}}"
            )
            return _error(400, message, "Bad Request", f"body.{needed}")
        model = body.get("model")
        if model is not None and model != self.spec.model:
            text = f"The model `{model}` does not exist. Valid aliases: {self.spec.model}."
            return _error(404, text, "NotFoundError", "model")
        return self._too_long(body)

    def _too_long(self, body: dict[str, Any]) -> Response | None:
        room, wanted = self.spec.max_model_len, body.get("max_tokens")
        if isinstance(wanted, int) and wanted > room:
            text = (
                f"max_tokens={wanted} cannot be greater than max_model_len={room}. "
                f"Please request fewer output tokens. (parameter=max_tokens, value={wanted})"
            )
            return _error(400, text, "BadRequestError", "max_tokens")
        size = len(prompt_of(body))
        if size > room * 13:
            text = (
                f"This model's maximum context length is {room} tokens. However, your prompt contains {size} characters "
                f"(more than {room * 13} characters, which is the upper bound for {room} input tokens). "
                f"Please reduce the length of the input prompt. (parameter=input_text, value={size})"
            )
            return _error(400, text, "BadRequestError", "input_text")
        return None


def _body(request: Request) -> dict[str, Any] | Response:
    try:
        return request.json()
    except ValueError as error:
        at = getattr(error, "pos", 0)
        detail = (
            f"1 validation error:\n  {{'type': 'json_invalid', 'loc': 'body.{at}', 'msg': 'JSON decode error', "
            f"'input': '<dict of 0 items>', 'ctx': {{'error': '{getattr(error, 'msg', error)}'}}}}"
        )
        return _error(400, detail, "Bad Request", f"body.{at}")


def _error(status: int, message: str, kind: str, param: str) -> Response:
    return Response(status, compact({"error": {"message": message, "type": kind, "param": param, "code": status}}))
