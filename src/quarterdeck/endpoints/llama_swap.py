"""llama-swap: which of its models run, start or are stopped. It counts no requests that a poller could ask for.

Sources: GET /running at every poll; /v1/models and /api/version every 15 s. Never /unload, which unloads every model though it is
a GET, and never /upstream/…, which starts one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarterdeck.endpoints.base import Cadence
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.body import items, mapping, text
from quarterdeck.wire.failure import foreign
from quarterdeck.wire.http import Fetch

NO_LOAD = "running, waiting and tok/s are unknown: llama-swap exports no load numbers; add the servers behind it as endpoints of their own"
_STATES = {
    "ready": ModelState.LOADED,
    "starting": ModelState.LOADING,
    "stopping": ModelState.LOADED,
    "stopped": ModelState.INSTALLED,
    "shutdown": ModelState.INSTALLED,
}
"""A process that is being stopped still holds its memory."""


class LlamaSwap:
    """One llama-swap."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._identity_due = Cadence(monotonic)
        self._version: str | None = None
        self._commit: str | None = None
        self._listed: dict[str, ModelState] = {}

    async def read(self) -> Facts:
        """Running models first, then the others of its configuration."""
        body = mapping((await self._fetch.get("/running")).json())
        if "running" not in body:
            raise foreign("llama-swap")
        measured_at = self._fetch.middle
        if self._identity_due.due():
            await self._identify()
            self._identity_due.done()
        running = _running(body["running"])
        models = running | {name: state for name, state in self._listed.items() if name not in running}
        return Facts(
            "llama-swap",
            version=self._version,
            models=tuple(ModelReading(name, state) for name, state in models.items()),
            measured_at=measured_at,
            notes=(NO_LOAD,),
            origins={"models": "/running, /v1/models", "version": "/api/version"},
            identity=(("commit", self._commit),) if self._commit is not None else (),
        )

    async def _identify(self) -> None:
        version = await self._fetch.optional("/api/version")
        told = mapping(version.json()) if version else {}
        self._version, self._commit = text(told.get("version")), text(told.get("commit"))
        listing = await self._fetch.optional("/v1/models")
        entries = items(mapping(listing.json()).get("data")) if listing else []
        named = ((text(entry.get("id")), entry) for entry in map(mapping, entries))
        self._listed = {name: _configured(entry) for name, entry in named if name is not None}


def _running(listing: object) -> dict[str, ModelState]:
    """Model → state. The command line of each, which can hold keys, is not looked at."""
    entries = [mapping(entry) for entry in items(listing)]
    named = ((text(entry.get("model")), text(entry.get("state"))) for entry in entries)
    return {name: _STATES.get(state or "", ModelState.SERVED) for name, state in named if name is not None}


def _configured(entry: Mapping[str, object]) -> ModelState:
    """The state of a model that doesn't run: a peer's is served from elsewhere."""
    by_peer = text(mapping(mapping(entry.get("meta")).get("llamaswap")).get("peerID")) is not None
    return ModelState.SERVED if by_peer else ModelState.INSTALLED
