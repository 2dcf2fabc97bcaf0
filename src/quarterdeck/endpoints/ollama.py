"""Ollama, by its native interface; its load, of which it exports nothing, by `ollama_ladder`.

Sources: GET /api/ps (what is in memory) at every poll; /api/version and /api/tags (what is installed) every 15 s. None of them
loads a model or moves its keep-alive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quarterdeck.endpoints.base import Cadence
from quarterdeck.endpoints.ollama_ladder import Ladder, Local
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.body import items, mapping, text, unix_time, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Answer, Fetch

MOVED = "/api/ps: an expires_at moved, as it does when a request ends"


class Ollama:
    """One Ollama server."""

    def __init__(
        self,
        fetch: Fetch,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        local: Local | None = None,
    ) -> None:
        """``local``: what this machine tells of it, where it runs here."""
        self._fetch = fetch
        self._wall = wall
        self._identity_due = Cadence(monotonic)
        self._version: str | None = None
        self._installed: tuple[ModelReading, ...] = ()
        self._ladder = Ladder(fetch, monotonic, local)
        self._expiry: dict[str, float | None] = {}
        self._active_at: float | None = None

    async def read(self) -> Facts:
        """Resident models first (loaded ones), then what is only on disk."""
        resident = await self._fetch.get("/api/ps")
        measured_at = self._fetch.middle
        loaded = self._resident(resident)
        self._watch(loaded, measured_at)
        trouble = await self._identified() if self._identity_due.due() else ()
        names = {model.id for model in loaded}
        on_disk = tuple(model for model in self._installed if model.id not in names)
        load = await self._ladder.read(loaded, on_disk)
        origins = {"models": "/api/ps, /api/tags", "version": "/api/version"} | load.origins
        if self._active_at is not None:
            origins["active_at"] = MOVED
        return Facts(
            "ollama",
            version=self._version,
            engines=load.engines,
            by_model=True,
            models=loaded + tuple(_loading(model) if model.id in load.loading else model for model in on_disk),
            measured_at=load.measured_at if load.measured_at is not None else measured_at,
            notes=trouble + load.notes,
            origins=origins,
            estimates=load.estimates,
            access_log=load.access_log,
            active_at=self._active_at,
        )

    def _watch(self, loaded: tuple[ModelReading, ...], at: float | None) -> None:
        """A model's time to go is set anew when a request to it ends."""
        expiry = {model.id: model.expires_at for model in loaded}
        before, self._expiry = self._expiry, expiry
        if any(name in before and before[name] != when for name, when in expiry.items()):
            self._active_at = at

    async def _identified(self) -> tuple[str, ...]:
        """Asks for version and library. A page that fails (a proxy's 502) leaves what was known, and is told."""
        try:
            await self._identify()
        except Failure as failure:
            if failure.status is None:
                raise
            return (f"version and installed models: {failure.reason}",)
        self._identity_due.done()
        return ()

    async def _identify(self) -> None:
        version = await self._fetch.optional("/api/version")
        self._version = text(mapping(version.json()).get("version")) if version else None
        tags = await self._fetch.optional("/api/tags")
        entries = items(mapping(tags.json()).get("models")) if tags else []
        self._installed = tuple(
            m for entry in entries if (m := self._model(mapping(entry), ModelState.INSTALLED)) is not None
        )

    def _resident(self, answer: Answer) -> tuple[ModelReading, ...]:
        body = mapping(answer.json())
        if "models" not in body:
            raise foreign("Ollama")
        # Ollama lists no models as `null` in some versions.
        return tuple(
            m for entry in items(body["models"]) if (m := self._model(mapping(entry), ModelState.LOADED)) is not None
        )

    def _model(self, entry: object, state: ModelState) -> ModelReading | None:
        fields = mapping(entry)
        name = text(fields.get("name")) or text(fields.get("model"))
        if name is None:
            return None
        details = mapping(fields.get("details"))
        loaded = state is ModelState.LOADED
        return ModelReading(
            name,
            state,
            size_bytes=whole(fields.get("size")),
            vram_bytes=whole(fields.get("size_vram")) if loaded else None,
            context_length=whole(fields.get("context_length"))
            or (None if loaded else whole(details.get("context_length"))),
            expires_at=unix_time(fields.get("expires_at"), self._wall()) if loaded else None,
            quantization=text(details.get("quantization_level")),
            parameters=text(details.get("parameter_size")),
            remote=text(fields.get("remote_host")),
        )


def _loading(model: ModelReading) -> ModelReading:
    """A model on its way into memory; what its size will be there isn't known yet."""
    return replace(model, state=ModelState.LOADING, size_bytes=None)
