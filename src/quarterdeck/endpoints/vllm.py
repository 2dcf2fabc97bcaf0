"""vLLM, by its metrics page; names of every version since 0.6 are understood.

Sources: GET /metrics (open even with --api-key), /v1/models (identity, key check), /version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from quarterdeck.endpoints.base import Cadence, Partly, first_owner, openai_models, unauthorised
from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Facts
from quarterdeck.wire.body import mapping, text
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Answer, Fetch
from quarterdeck.wire.prometheus import Layout, Page, PageReader

SLEEP = "vllm:engine_sleep_state"
METRICS = MetricMap(
    {
        "running": ("vllm:num_requests_running",),
        "waiting": ("vllm:num_requests_waiting",),
        "kv_used": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        "generation_tokens": ("vllm:generation_tokens_total", "vllm:generation_tokens"),
        "prompt_tokens": ("vllm:prompt_tokens_total", "vllm:prompt_tokens"),
        "started": ("vllm:generation_tokens_created", "vllm:generation_tokens_total_created"),
        "steps": ("vllm:iteration_tokens_total_count",),
        "ttft": ("vllm:time_to_first_token_seconds_bucket",),
        "itl": ("vllm:inter_token_latency_seconds_bucket", "vllm:time_per_output_token_seconds_bucket"),
    },
    engine_label="engine",
)
WANTED = METRICS.wanted | {SLEEP}
NO_STATS = (
    "no load numbers: the server runs with --disable-log-stats; start it without to see requests, tokens and KV cache"
)


def narrowed_query(layout: Layout) -> str:
    """The query that asks a metrics page for the series that are read here, ``layout`` being those of its first page.

    Older names are left out where a newer one stands for them; what is missing so far is asked for all the same, as some
    versions show a series only after the first request.
    """
    present = {series.name for series in layout.series}
    names: set[str] = {SLEEP}
    for aliases in METRICS.names.values():
        known = [alias for alias in aliases if alias in present]
        names |= set(known[:1] or aliases)
    return "?" + "&".join(f"name%5B%5D={quote(name)}" for name in sorted(names))


class Vllm:
    """One vLLM server (all its data-parallel engines behind one port)."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._reader = PageReader(WANTED)
        self._pages = EnginePages(METRICS)
        self._narrow: str | None = None
        self._may_narrow = True
        self._identity_due = Cadence(monotonic)
        self._identity = Facts("vllm")
        self._refusal: Failure | None = None
        self._owner: str | None = None

    async def read(self) -> Facts:
        """Load from /metrics at every poll, identity every 15 s."""
        page = await self._page()
        measured_at = self._fetch.middle
        engines = self._pages.engines(page)
        if self._identity_due.due():
            failed = await self._identify()
            if failed is not None and not engines:
                raise failed
            self._identity_due.done()
            if not engines and self._owner not in (None, "vllm"):
                raise foreign("vLLM", f"models are owned by {self._owner}")
        if not engines and self._identity.version is None and self._owner != "vllm":
            raise foreign("vLLM")
        notes = self._identity.notes + (() if engines else (NO_STATS,))
        facts = self._facts(page, replace(self._identity, engines=engines, measured_at=measured_at, notes=notes))
        if self._refusal is not None:
            raise Partly(self._refusal, facts)
        return facts

    async def _page(self) -> Page:
        """The metrics page, narrowed by ``name[]`` to what is shown once the server has shown that it has any of it.

        A server with several API processes answers a narrowed request with an empty page: it is asked for the whole one again.
        """
        answer = await self._fetch.optional("/metrics" + (self._narrow or ""))
        page = self._reader.read(answer.body if answer else b"")
        if self._narrow is None:
            if page.layout.series and self._may_narrow:
                self._narrow = narrowed_query(page.layout)
        elif not page.layout.series:
            self._narrow, self._may_narrow = None, False
            answer = await self._fetch.optional("/metrics")
            page = self._reader.read(answer.body if answer else b"")
        return page

    async def _identify(self) -> Failure | None:
        """Version and models. A page that fails (a gateway's 502, a rate limit) leaves what was known, and is returned."""
        version, models = self._identity.version, self._identity.models
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
            models = self._models(await self._fetch.optional("/v1/models"))
        except Failure as failure:
            if unauthorised(failure):
                self._refusal, models = failure, ()
            else:
                failed = _with_status(failure)
                notes.append(f"/v1/models: {failure.reason}")
        self._identity = Facts("vllm", version=version, models=models, notes=tuple(notes))
        return failed

    def _models(self, listing: Answer | None) -> tuple[ModelReading, ...]:
        if listing is None:
            return ()
        self._owner = first_owner(listing.body)
        return openai_models(listing.body, ModelState.LOADED) or ()

    def _facts(self, page: Page, facts: Facts) -> Facts:
        sleeping = any(
            value == 1 and series.name == SLEEP and series.labels.get("sleep_state") != "awake"
            for series, value in zip(page.layout.series, page.values, strict=True)
        )
        if not sleeping:
            return facts
        return replace(facts, sleeping=True, models=tuple(replace(m, state=ModelState.SLEEPING) for m in facts.models))


def _with_status(failure: Failure) -> Failure:
    """``failure`` of one page; raised where the server didn't answer at all."""
    if failure.status is None:
        raise failure
    return failure
