"""vLLM, by its metrics page; names of every version since 0.6 are understood (`vllm_page`).

Sources: GET /metrics (open even with --api-key) at every poll; /version, /v1/models (identity, key check) and /health every 15 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from quarterdeck.endpoints.base import Cadence, Partly, first_owner, openai_models, unauthorised
from quarterdeck.endpoints.vllm_abilities import inabilities
from quarterdeck.endpoints.vllm_identity import Rows, model_rows
from quarterdeck.endpoints.vllm_page import WANTED, Told, VllmPages, narrowed_query
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts, Outcome
from quarterdeck.wire.body import mapping, text
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Answer, Fetch
from quarterdeck.wire.prometheus import TOO_MANY, Layout

__all__ = ["DEAD", "NO_PAGE", "NO_STATS", "WANTED", "Vllm", "narrowed_query"]
NO_STATS = (
    "no load numbers: the server runs with --disable-log-stats; start it without to see requests, tokens and KV cache"
)
NO_PAGE = "no load numbers: /metrics is not there; does a proxy in between leave it out?"
DEAD = "the engine is dead (/health 503)"


class Vllm:
    """One vLLM server (all its data-parallel engines behind one port)."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._pages = VllmPages()
        self._narrow: str | None = None
        self._may_narrow = True
        self._without_load = NO_STATS
        self._identity_due = Cadence(monotonic)
        self._identity = Facts("vllm")
        self._refusal: Failure | None = None
        self._owner: str | None = None
        self._cannot: Mapping[str, str] | None = None

    async def read(self) -> Facts:
        """Load from /metrics at every poll, identity and health every 15 s."""
        told = await self._told()
        measured_at = self._fetch.middle
        due = self._identity_due.due()
        if due:
            if (
                self._cannot is None and self._owner == "vllm"
            ):  # known since the last round: its first answer isn't delayed
                self._cannot = await inabilities(self._fetch)
            failed = await self._identify()
            if failed is not None and not told.engines:
                raise failed
            if not told.engines and self._owner not in (None, "vllm"):
                raise foreign("vLLM", f"models are owned by {self._owner}")
        if not told.engines and self._identity.version is None and self._owner != "vllm":
            raise foreign("vLLM")
        if due:
            if self._owner == "vllm" or (self._refusal is not None and told.engines):
                await self._check_health()
            self._identity_due.done()
        notes = () if told.engines or TOO_MANY in told.notes else (self._without_load,)
        facts = _facts(self._identity, told, measured_at, notes, self._cannot or {})
        if self._refusal is not None:
            raise Partly(self._refusal, facts)
        return facts

    async def _told(self) -> Told:
        """The metrics page, narrowed by ``name[]`` to what is read once the server has shown that it has any of it.

        A server with several API processes answers a narrowed request with an empty page: it is asked for the whole one again.
        """
        told, layout = await self._page(self._narrow)
        if self._narrow is None:
            if told.engines and self._may_narrow:
                self._narrow = narrowed_query(layout)
        elif not told.engines:
            self._narrow, self._may_narrow = None, False
            told, _ = await self._page(None)
        return told

    async def _page(self, narrow: str | None) -> tuple[Told, Layout]:
        answer = await self._fetch.optional("/metrics" + (narrow or ""))
        self._without_load = NO_PAGE if answer is None else NO_STATS
        return self._pages.read(answer.body if answer else b"")

    async def _identify(self) -> Failure | None:
        """Version and models. A page that fails (a gateway's 502, a rate limit) leaves what was known, and is returned."""
        version, models, rows = self._identity.version, self._identity.models, self._identity.identity
        self._refusal = None
        failed: Failure | None = None
        notes: list[str] = []
        try:
            answer = await self._fetch.optional("/version")
            version = text(mapping(answer.json()).get("version")) if answer else None
        except Failure as failure:
            failed = _with_status(failure)
            notes.append(f"/version: {failure.reason}")
        try:
            models, rows = self._models(await self._fetch.optional("/v1/models"))
        except Failure as failure:
            if unauthorised(failure):
                self._refusal, models, rows = failure, (), ()
            else:
                failed = _with_status(failure)
                notes.append(f"/v1/models: {failure.reason}")
        if self._identity.version not in (None, version):
            self._narrow, self._may_narrow = None, True  # another version may use other names
            self._cannot = None
        self._identity = Facts("vllm", version=version, models=models, notes=tuple(notes), identity=rows)
        return failed

    def _models(self, listing: Answer | None) -> tuple[tuple[ModelReading, ...], Rows]:
        if listing is None:
            return (), ()
        self._owner = first_owner(listing.body)
        return openai_models(listing.body, ModelState.LOADED) or (), model_rows(listing.body)

    async def _check_health(self) -> None:
        """Raises Failure where the API server lives on without its engine; its metrics then stand still and look idle.

        Only for what has proved to be vLLM: elsewhere this page generates a token (SGLang) or costs money (LiteLLM).
        """
        try:
            await self._fetch.optional("/health")
        except Failure as failure:
            if _with_status(failure).status == 503:
                bare = (
                    failure.reason == "503: not available"
                )  # vLLM says nothing more; what says more is something else
                raise Failure(Outcome.FAILED, DEAD if bare else f"/health {failure.reason}", status=503) from None


def _facts(
    identity: Facts, told: Told, measured_at: float | None, more_notes: tuple[str, ...], cannot: Mapping[str, str]
) -> Facts:
    models = identity.models
    if told.all_asleep:
        models = tuple(replace(model, state=ModelState.SLEEPING) for model in models)
    notes = (*identity.notes, *told.notes, *more_notes)
    if told.asleep:
        notes = (*notes, _all_sleep(told.asleep.values()) if told.all_asleep else _some_sleep(told.asleep.items()))
    return Facts(
        "vllm",
        version=identity.version,
        engines=told.engines,
        models=models,
        sleeping=told.all_asleep,
        measured_at=measured_at,
        notes=notes,
        origins={"version": "/version", "models": "/v1/models", **told.origins},
        estimates=told.estimates,
        identity=(*identity.identity, *told.identity),
        adapters=told.adapters,
        max_adapters=told.max_adapters,
        cannot=cannot,
    )


def _all_sleep(ways: Iterable[str]) -> str:
    how = ", ".join(sorted({way.replace("_", " ") for way in ways}))
    return f"asleep ({how}): requests wait until somebody wakes it (POST /wake_up)"


def _some_sleep(asleep: Iterable[tuple[str, str]]) -> str:
    named = ", ".join(
        f"{label} ({how.replace('_', ' ')})" for label, how in sorted(asleep, key=lambda p: (len(p[0]), p))
    )
    return f"asleep: engine {named}; the others work"


def _with_status(failure: Failure) -> Failure:
    """``failure`` of one page; raised where the server didn't answer at all."""
    if failure.status is None:
        raise failure
    return failure
