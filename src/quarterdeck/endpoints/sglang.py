"""SGLang, by /v1/loads, which answers without --enable-metrics, and by /metrics where that is on.

Never /health: that generates a token. Sources: GET /v1/loads?include=all at every poll (read from shared memory, no scheduler is
asked); /metrics at every poll where it exists: it alone has counters and histograms; /v1/models and /model_info every 15 s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from quarterdeck.endpoints.base import Cadence, Partly, first_owner, openai_models, unauthorised
from quarterdeck.endpoints.metric_map import EnginePages
from quarterdeck.endpoints.metrics_page import AGAIN_EVERY_S, MetricsPage
from quarterdeck.endpoints.sglang_page import METRICS, WANTED, WHOLE, chosen, credible, tidied
from quarterdeck.format import size
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts
from quarterdeck.wire.body import fraction, items, mapping, number, text, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Fetch

ALL, CORE = "/v1/loads?include=all", "/v1/loads?include=core"
LOADS_ORIGINS = {
    "version": "/v1/loads version",
    "running": "/v1/loads num_running_reqs",
    "waiting": "/v1/loads num_waiting_reqs and queues.grammar",
    "waiting_by_reason": "/v1/loads queues, disaggregation",
    "kv_used": "/v1/loads token_usage",
    "kv_capacity_tokens": "/v1/loads max_total_num_tokens",
    "reported_tps": "/v1/loads gen_throughput",
    "reported_hit_rate": "/v1/loads cache_hit_rate",
    "reported_acceptance": "/v1/loads speculative.accept_rate",
}
NO_LOADS = "no load numbers: this SGLang has neither /v1/loads (0.5 and newer) nor /metrics; update it or start it with --enable-metrics"
NO_METRICS = "no latency percentiles and no counters: start SGLang with --enable-metrics"
REPORTED = "tok/s is SGLang's own figure (gen_throughput), not measured from a counter"
_QUEUES = (
    ("prefill_bootstrap_queue_reqs", "prefill bootstrap"),
    ("prefill_inflight_queue_reqs", "prefill in flight"),
    ("decode_prealloc_queue_reqs", "decode preallocation"),
    ("decode_transfer_queue_reqs", "decode transfer"),
    ("decode_retracted_queue_reqs", "retracted"),
)


class SGLang:
    """One SGLang server with all its data-parallel ranks."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._metrics = MetricsPage(fetch, "/metrics", WANTED, monotonic, choose=chosen)
        self._pages = EnginePages(METRICS)
        self._loads_path = ALL
        self._loads_again = Cadence(monotonic, AGAIN_EVERY_S)
        self._identity_due = Cadence(monotonic)
        self._models: tuple[ModelReading, ...] = ()
        self._known = False
        self._told: tuple[tuple[str, str], ...] = ()
        self._refusal: Failure | None = None

    async def read(self) -> Facts:
        """Load of every rank. Raises Partly where only /metrics, which needs no key, answers."""
        due = self._identity_due.due()
        body = await self._loads(due)
        counted, note = await self._counters()
        measured_at = self._fetch.middle
        if self._refusal is not None and not counted:
            raise self._refusal
        if due and self._refusal is None:
            await self._identify()
        if due:
            self._identity_due.done()
        loads = [mapping(entry) for entry in items(body.get("loads"), 1024)]
        if not counted and "loads" not in body and not self._known:
            raise foreign("SGLang")
        facts = self._facts(body, loads, counted, note)
        facts = replace(facts, measured_at=measured_at)
        if self._refusal is not None:
            raise Partly(self._refusal, facts)
        return facts

    async def _loads(self, due: bool) -> Mapping[str, object]:
        """The answer of /v1/loads; empty where there is none, or the key is refused (asked again every 15 s)."""
        if self._refusal is not None and not due:
            return {}
        if not self._loads_again.due():
            return {}
        self._refusal = None
        try:
            answer = await self._fetch.optional(self._loads_path)
        except Failure as failure:
            if unauthorised(failure):
                self._refusal = failure
                return {}
            if (
                failure.status in (400, 422, 500) and self._loads_path == ALL
            ):  # a version that names its sections otherwise
                self._loads_path = CORE
                return await self._loads(due)
            raise
        if answer is None:
            self._loads_again.done()
        return mapping(answer.json()) if answer else {}

    async def _counters(self) -> tuple[dict[str, EngineReading], str]:
        """What /metrics tells by rank, and why it tells nothing."""
        try:
            page = await self._metrics.read()
        except Failure as failure:
            if failure.status is None:
                raise
            return {}, f"/metrics: {failure.reason}"
        if page is None:
            return {}, NO_METRICS
        return {engine.label: tidied(engine) for engine in self._pages.engines(page)}, ""

    async def _identify(self) -> None:
        listing = await self._fetch.optional("/v1/models")
        self._models = (openai_models(listing.body, ModelState.LOADED) or ()) if listing else ()
        self._known = first_owner(listing.body) == "sglang" if listing else False
        info = await self._fetch.optional("/model_info")
        told = mapping(info.json()) if info else {}
        named = (("model path", text(told.get("model_path"))), ("weight version", text(told.get("weight_version"))))
        self._told = tuple((name, value) for name, value in named if value is not None)

    def _facts(
        self,
        body: Mapping[str, object],
        loads: list[Mapping[str, object]],
        counted: dict[str, EngineReading],
        note: str,
    ) -> Facts:
        together = counted.pop(WHOLE, None)
        engines = tuple(_merged(load, index, counted) for index, load in enumerate(loads)) or tuple(counted.values())
        if together is not None and len(engines) == 1:
            engines = (_filled(engines[0], together),)
        has_counter = any(engine.generation_tokens is not None for engine in engines)
        notes = (
            *((note,) if engines and note else ()),
            *((REPORTED,) if engines and not has_counter else ()),
            *(() if engines or loads or "loads" in body else (NO_LOADS,)),
        )
        lora = mapping(loads[0].get("lora")) if loads else {}
        return Facts(
            "sglang",
            version=text(body.get("version")),
            engines=engines,
            whole=together if len(engines) > 1 else None,
            models=self._models,
            notes=notes,
            origins=self._origins(bool(loads)),
            identity=self._told + _of_the_machine(body, loads),
            max_adapters=whole(lora.get("slots_total")),
        )

    def _origins(self, has_loads: bool) -> dict[str, str]:
        chosen = self._pages.chosen
        from_page = {name: f"/metrics {sample}" for name, sample in chosen.items()}
        if "prompt_tokens" in chosen and "cached_tokens" in chosen:
            from_page["cache_hits"] = from_page["cached_tokens"]
            from_page["cache_queries"] = f"{from_page['prompt_tokens']} + {chosen['cached_tokens']}"
        return {"models": "/v1/models"} | from_page | (LOADS_ORIGINS if has_loads else {})


def _filled(engine: EngineReading, more: EngineReading) -> EngineReading:
    """``engine`` with what only ``more`` knows."""
    names = ("requests", "ttft", "itl", "e2e", "queue")
    missing = {name: getattr(more, name) for name in names if getattr(engine, name) is None}
    return replace(engine, **missing)


def _merged(load: Mapping[str, object], index: int, counted: Mapping[str, EngineReading]) -> EngineReading:
    """A rank as /v1/loads tells it now, with the counters that only /metrics has."""
    rank = whole(load.get("dp_rank"))
    label = str(index if rank is None else rank)
    page = counted.get(label, EngineReading(label))
    running = whole(load.get("num_running_reqs"))
    waiting, reasons = _waiting(load)
    acceptance = fraction(mapping(load.get("speculative")).get("accept_rate"))
    return replace(
        page,
        running=running,
        waiting=waiting,
        waiting_by_reason=reasons,
        kv_used=fraction(load.get("token_usage")),
        kv_capacity_tokens=whole(load.get("max_total_num_tokens")) or page.kv_capacity_tokens,
        reported_tps=credible(number(load.get("gen_throughput")), running),
        reported_hit_rate=fraction(load.get("cache_hit_rate")),
        reported_acceptance=acceptance if acceptance is not None else page.reported_acceptance,
    )


def _waiting(load: Mapping[str, object]) -> tuple[int | None, tuple[tuple[str, int], ...]]:
    """All that waits, and for what: requests whose grammar is being compiled are in a queue of their own."""
    queued = whole(load.get("num_waiting_reqs"))
    if queued is None:
        return None, ()
    grammar = whole(mapping(load.get("queues")).get("grammar")) or 0
    stages = mapping(load.get("disaggregation"))
    parts = [(word, whole(stages.get(name)) or 0) for name, word in _QUEUES]
    plain = max(0, queued - sum(count for _, count in parts))
    told = tuple((word, count) for word, count in (("queue", plain), ("grammar", grammar), *parts) if count)
    return queued + grammar, told


def _of_the_machine(body: Mapping[str, object], loads: list[Mapping[str, object]]) -> tuple[tuple[str, str], ...]:
    """What /v1/loads tells besides load, of its first rank."""
    load = loads[0] if loads else {}
    memory, lora, drafts = (mapping(load.get(name)) for name in ("memory", "lora", "speculative"))
    accelerator, count = text(body.get("accelerator")), whole(body.get("num_accelerators"))
    used, slots, longest = (
        whole(lora.get("slots_used")),
        whole(lora.get("slots_total")),
        number(drafts.get("accept_length")),
    )
    most = whole(load.get("max_running_requests"))
    told = (
        ("accelerator", None if accelerator is None else accelerator + (f" ×{count}" if count else "")),
        ("most running", None if most is None else str(most)),
        ("weights", _gigabytes(memory.get("weight_gb"))),
        ("KV cache", _gigabytes(memory.get("kv_cache_gb"))),
        ("CUDA graphs", _gigabytes(memory.get("graph_gb"))),
        ("LoRA slots", f"{used} of {slots} in use" if used is not None and slots is not None else None),
        ("accepted per step", None if longest is None else f"{longest:.2f} tokens"),
    )
    return tuple((name, value) for name, value in told if value is not None)


def _gigabytes(value: object) -> str | None:
    """GB (powers of two) as SGLang gives them, in words."""
    found = number(value)
    return size(found * 2**30) if found is not None and 0 <= found < 1e7 else None
