"""A simulated Ollama 0.32.15: its library, what is in memory, downloads; `ollama_talk` answers prompts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from math import isinf
from typing import Any

from quarterdeck.demo.asking import compact
from quarterdeck.demo.http import Handler, Response, Style
from quarterdeck.demo.job import Profile
from quarterdeck.demo.load import Load
from quarterdeck.demo.ollama_models import INSTALLED, LIBRARY, OllamaModel, describe, full_name
from quarterdeck.demo.ollama_wire import NDJSON_TYPE, answer, failure, guarded, timestamp, v1_failure
from quarterdeck.demo.pulling import TICK_S, Downloads, Layer, Trouble
from quarterdeck.demo.request import Request
from quarterdeck.demo.residency import KEEP_S, Residency, Resident, context_of

VERSION = "0.32.15"
STYLE = Style(
    not_found=Response(404, b"404 page not found", "text/plain"),
    not_allowed=Response(405, b"405 method not allowed", "text/plain"),
    head=False,
)
SLOTS = 4
"""OLLAMA_NUM_PARALLEL."""
FAVOURITE = "gemma3:12b"
"""The model that the simulated clients talk to."""
VISITOR = "qwen3:14b"
"""The model that one of them needs now and then: it comes, stays a while and goes."""
VISIT_EVERY_S, VISIT_FIRST_S, VISIT_STAYS_S = 150.0, 25.0, 45.0
STEP_S = 20.0
"""Longest time passed at once; shorter than any model stays."""
MOST_DISTURBED = 1000
_HALF = {"status": "pulling half a line"}
"""Sent without its end."""
LEAVE_ALONE_S = 90.0
"""After the favourite was unloaded, nobody asks for it for so long."""


class OllamaServer:
    """One server. ``clock`` is the simulation's, ``wall`` its time of day; ``born`` (on ``clock``) may be in the past."""

    def __init__(
        self,
        profile: Profile,
        *,
        vram_bytes: int,
        seed: str,
        clock: Callable[[], float],
        wall: Callable[[], float],
        born: float,
    ) -> None:
        self.clock = clock
        self.wall = wall
        self.load = Load(profile, seed=f"{seed}:ollama", start=born)
        self.residency = Residency(vram_bytes)
        self.downloads = Downloads()
        self.models: dict[str, OllamaModel] = {}
        self.down = False
        self.disturbed: deque[str] = deque(maxlen=MOST_DISTURBED)
        """What clients (the simulated ones excepted) did to what is in memory: "load gemma3:12b", "keep …", "unload …"."""
        for index, name in enumerate(INSTALLED):
            model = LIBRARY[name]
            self.models[name] = model.renamed(name, self.unix(born) - 86_400.0 * (3 + 11 * index))
            self.downloads.have(model)
        self._seen_finished = 0
        self._visit_at = born + VISIT_FIRST_S
        self._favourite_back = self._at = born

    def unix(self, at: float) -> float:
        """A moment of the simulation as Unix seconds."""
        return self.wall() - (self.clock() - at)

    def advance(self, now: float) -> None:
        """Let the simulated time pass: background requests, models that come and go."""
        while self._at < now:
            self._at = min(now, self._at + STEP_S)
            self._step(self._at)

    def _step(self, now: float) -> None:
        if self._favourite_back <= now and FAVOURITE in self.models and not self.residency.holds(FAVOURITE):
            self._touch(FAVOURITE, KEEP_S, now)
        self.load.boost = 1.0 if self.residency.holds(FAVOURITE) else 0.0
        self.load.advance(now)
        if self.load.tally.requests != self._seen_finished and self.load.last_finished is not None:
            self._seen_finished = self.load.tally.requests
            if self.residency.holds(FAVOURITE):
                self._touch(FAVOURITE, KEEP_S, self.load.last_finished)
        while self._visit_at <= now:
            if VISITOR in self.models:
                self._touch(VISITOR, VISIT_STAYS_S, self._visit_at)
            self._visit_at += VISIT_EVERY_S
        self.residency.expire(now)

    def hold(self, model: OllamaModel, keep_s: float, now: float, context: int | None = None) -> Resident:
        """A client's request needs ``model`` with so much context: it comes into memory, or stays there for longer."""
        stays = self.residency.context(model.name) == context_of(model, context)
        self.disturbed.append(f"{'keep' if stays else 'load'} {model.name}")
        return self.residency.begin(model, keep_s, now, context)

    def unload(self, name: str, now: float) -> None:
        """A client takes a model out of memory; the simulated clients respect that for a while."""
        self.disturbed.append(f"unload {name}")
        if name == FAVOURITE:
            self._favourite_back = now + LEAVE_ALONE_S
        self.residency.unload(name, now)

    def _touch(self, name: str, keep_s: float, now: float) -> None:
        """As clients do that take the model as it is."""
        context = self.residency.context(name)
        self.residency.end(self.residency.begin(self.models[name], keep_s, now, context), now)

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What it answers, prompts excepted (`ollama_talk.routes`)."""
        found: dict[tuple[str, str], Handler] = {
            ("GET", "/"): self._root,
            ("HEAD", "/"): self._root,
            ("GET", "/api/version"): self._version,
            ("HEAD", "/api/version"): self._version,
            ("GET", "/api/status"): self._status,
            ("GET", "/api/tags"): self._tags,
            ("HEAD", "/api/tags"): self._tags,
            ("GET", "/api/ps"): self._ps,
            ("POST", "/api/show"): self._show,
            ("POST", "/api/pull"): self._pull,
            ("POST", "/api/copy"): self._copy,
            ("DELETE", "/api/delete"): self._delete,
            ("GET", "/v1/models"): self._v1_models,
            ("GET", "/v1/models/*"): self._v1_model,
        }
        return {route: guarded(handler) for route, handler in found.items()}

    def find(self, name: object) -> OllamaModel | None:
        """The installed model called so, with or without a tag."""
        return self.models.get(full_name(name)) if isinstance(name, str) and name else None

    async def _root(self, _: Request) -> Response:
        return Response(body=b"Ollama is running", content_type="text/plain; charset=utf-8")

    async def _version(self, _: Request) -> Response:
        return answer({"version": VERSION})

    async def _status(self, _: Request) -> Response:
        return answer({"cloud": {"disabled": True, "source": "env"}})

    async def _tags(self, _: Request) -> Response:
        newest = sorted(self.models.values(), key=lambda model: -model.modified)
        return answer({"models": [_tag(model) for model in newest]})

    async def _ps(self, _: Request) -> Response:
        now = self.clock()
        self.advance(now)
        return answer({"models": [self._process(entry) for entry in self.residency.listed(now)]})

    async def _show(self, request: Request) -> Response:
        name = _name(request)
        if not name:
            return failure(400, "model is required")
        model = self.find(name)
        if model is None:
            return failure(404, f"model '{full_name(name)}' not found")
        return answer(describe(model, timestamp(model.modified)))

    async def _pull(self, request: Request) -> Response:
        name = _name(request)
        if not name or any(letter in name for letter in " \t\\"):
            return failure(400, "invalid model name")
        lines = self._pulling(full_name(name))
        if request.json().get("stream") is not False:
            return Response(content_type=NDJSON_TYPE, stream=_ndjson(lines))
        async for line in lines:
            last = line
        return Response(500 if "error" in last else 200, compact(last))

    async def _copy(self, request: Request) -> Response:
        body = request.json()
        source, target = self.find(body.get("source")), body.get("destination")
        if source is None:
            return failure(404, f'model "{body.get("source")}" not found')
        if not isinstance(target, str) or not target:
            return failure(400, f'destination "{target}" is invalid')
        copy = source.renamed(full_name(target), self.wall())
        self.models[copy.name] = copy
        return Response(content_type=None)

    async def _delete(self, request: Request) -> Response:
        name = _name(request)
        model = self.find(name)
        if model is None:
            return failure(404, f"model '{name}' not found")
        self.unload(model.name, self.clock())
        del self.models[model.name]
        if not any(other.digest == model.digest for other in self.models.values()):
            self.downloads.forget(model)
        return Response(content_type=None)

    async def _v1_models(self, _: Request) -> Response:
        newest = sorted(self.models.values(), key=lambda model: -model.modified)
        cards = [_card(model.name, model) for model in newest]
        return Response(body=compact({"object": "list", "data": cards}) + b"\n")

    async def _v1_model(self, request: Request) -> Response:
        name = request.path.removeprefix("/v1/models/")
        model = self.find(name)
        if model is None:
            return v1_failure(404, f"model '{name}' not found", "not_found_error")
        return Response(body=compact(_card(name, model)) + b"\n")

    def _process(self, entry: Resident) -> dict[str, Any]:
        model = entry.model
        # Go's time.Duration ends at 292 years: that is what "for ever" looks like.
        expires = self.wall() + 9_223_372_036 if isinf(entry.expires_at) else self.unix(entry.expires_at)
        return {
            "name": model.name,
            "model": model.name,
            "size": model.resident,
            "digest": model.digest,
            "details": model.details(),
            "expires_at": timestamp(expires),
            "size_vram": entry.vram,
            "context_length": entry.context,
        }

    async def _pulling(self, name: str) -> AsyncGenerator[dict[str, Any], None]:
        yield {"status": "pulling manifest"}
        await asyncio.sleep(TICK_S)
        model = LIBRARY.get(name)
        if model is None:
            yield {"error": "pull model manifest: file does not exist"}
            return
        for layer in self.downloads.begin(model, self.clock()):
            line = layer.advance(self.clock())
            yield line
            while not layer.complete:
                await asyncio.sleep(TICK_S)
                trouble = self.downloads.trouble(model, layer)
                if trouble is not None:
                    async for wrong in _troubled(trouble, layer, line):
                        yield wrong
                    return
                line = layer.advance(self.clock())
                yield line
        for status in ("verifying sha256 digest", "writing manifest"):
            yield {"status": status}
            await asyncio.sleep(TICK_S)
        self.models[name] = model.renamed(name, self.wall())
        yield {"status": "success"}


async def _troubled(trouble: Trouble, layer: Layer, line: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """What still comes of a download that goes wrong; ``line`` is its last good one."""
    if trouble is Trouble.DISK_FULL:
        partial = f"/usr/share/ollama/.ollama/models/blobs/sha256-{layer.digest}-partial"
        yield {"error": f"write {partial}: no space left on device"}
    while trouble is Trouble.STALLED:
        yield line
        await asyncio.sleep(TICK_S)
    if trouble is Trouble.HALF_LINE:
        yield _HALF
    if trouble is not Trouble.DISK_FULL:
        raise ConnectionResetError


async def _ndjson(lines: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    try:
        async for line in lines:
            half = line == _HALF
            yield compact(line)[: 12 if half else None] + (b"" if half else b"\n")
    finally:
        await lines.aclose()


def _name(request: Request) -> str:
    body = request.json()
    name = body.get("model") or body.get("name")
    return name if isinstance(name, str) else ""


def _tag(model: OllamaModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": timestamp(model.modified),
        "size": model.size,
        "digest": model.digest,
        "details": {**model.details(), "context_length": model.context, "embedding_length": model.embedding},
        "capabilities": list(model.capabilities),
    }


def _card(name: str, model: OllamaModel) -> dict[str, Any]:
    owner = model.name.rpartition("/")[0] or "library"
    return {"id": name, "object": "model", "created": int(model.modified), "owned_by": owner}
