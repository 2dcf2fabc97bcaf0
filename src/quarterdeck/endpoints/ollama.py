"""Ollama, by its native interface. It exports no load: running, waiting and rates stay unknown.

Sources: GET /api/ps (what is in memory) at every poll; /api/version and /api/tags (what is installed) every 15 s. None of them
loads a model or moves its keep-alive.
"""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.endpoints.base import Cadence
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.body import items, mapping, text, unix_time, whole
from quarterdeck.wire.failure import foreign
from quarterdeck.wire.http import Answer, Fetch

NO_LOAD = "running, waiting and tok/s are unknown: Ollama exports no load numbers"


class Ollama:
    """One Ollama server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._fetch = fetch
        self._wall = wall
        self._identity_due = Cadence(monotonic)
        self._version: str | None = None
        self._installed: tuple[ModelReading, ...] = ()

    async def read(self) -> Facts:
        """Resident models first (loaded ones), then what is only on disk."""
        resident = await self._fetch.get("/api/ps")
        loaded = self._resident(resident)
        if self._identity_due.due():
            await self._identify()
            self._identity_due.done()
        names = {model.id for model in loaded}
        on_disk = tuple(model for model in self._installed if model.id not in names)
        return Facts("ollama", version=self._version, models=loaded + on_disk, notes=(NO_LOAD,))

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
        )
