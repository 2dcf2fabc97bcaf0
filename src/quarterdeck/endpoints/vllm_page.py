"""vLLM's metrics page: the names of every version since 0.6, and what they say beside the load of the engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.endpoints.vllm_identity import cache_rows
from quarterdeck.format import printable
from quarterdeck.model.reading import EngineReading, LoraAdapter
from quarterdeck.wire.prometheus import TOO_MANY, Layout, Page, PageReader, Series


def _counter(*names: str) -> tuple[str, ...]:
    """Each name as the text format has it, then without the suffix."""
    return tuple(spelt for name in names for spelt in (f"vllm:{name}_total", f"vllm:{name}"))


SLEEP = "vllm:engine_sleep_state"
CONFIG = "vllm:cache_config_info"
LORA = "vllm:lora_requests_info"
_BY_SOURCE = _counter("prompt_tokens_by_source")
METRICS = MetricMap(
    {
        "running": ("vllm:num_requests_running",),
        "waiting": ("vllm:num_requests_waiting",),
        "waiting_by_reason": ("vllm:num_requests_waiting_by_reason",),
        "kv_used": ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
        "generation_tokens": _counter("generation_tokens"),
        "prompt_tokens": _counter("prompt_tokens"),
        "cached_tokens": (*_counter("prompt_tokens_cached"), *_BY_SOURCE),
        "finished": _counter("request_success"),
        "rejected": _counter("admission_rejections"),
        "preemptions": _counter("num_preemptions"),
        "cache_queries": _counter("prefix_cache_queries", "gpu_prefix_cache_queries"),
        "cache_hits": _counter("prefix_cache_hits", "gpu_prefix_cache_hits"),
        "reported_hit_rate": ("vllm:gpu_prefix_cache_hit_rate",),
        "draft_tokens": _counter("spec_decode_num_draft_tokens"),
        "accepted_tokens": _counter("spec_decode_num_accepted_tokens"),
        "reported_acceptance": ("vllm:spec_decode_draft_acceptance_rate",),
        "started": ("vllm:generation_tokens_created", "vllm:generation_tokens_total_created"),
        "steps": ("vllm:iteration_tokens_total_count",),
        "ttft": ("vllm:time_to_first_token_seconds_bucket",),
        "itl": ("vllm:inter_token_latency_seconds_bucket", "vllm:time_per_output_token_seconds_bucket"),
        "e2e": ("vllm:e2e_request_latency_seconds_bucket",),
        "queue": ("vllm:request_queue_time_seconds_bucket", "vllm:time_in_queue_requests_bucket"),
    },
    engine_label="engine",
    parts={"waiting_by_reason": "reason", "finished": "finished_reason"},
    part_of={"rejected": "finished"},  # told for the whole server: it counts with the first engine
    unless=dict.fromkeys(_BY_SOURCE, ("source", "local_compute")),
)
WANTED = METRICS.wanted | {SLEEP, CONFIG, LORA}
LONGEST_LABEL = 4000
"""A list of LoRA adapters is one label."""
MOST_ADAPTERS = 256
LATEST_UNIX_TIME = 3e9
"""Several API servers add up their times: what lies behind the year 2065 is no time."""
NO_ADAPTERS_TOLD = (
    "LoRA adapters are not shown: several API servers add up vllm:lora_requests_info, which makes no sense of it"
)


def narrowed_query(layout: Layout) -> str:
    """The query that asks a metrics page for the series that are read here, ``layout`` being those of its first page.

    Older names are left out where a newer one stands for them; what is missing so far is asked for all the same, as some
    versions show a series only after the first request.
    """
    chosen = METRICS.chosen(layout)
    names = {SLEEP, CONFIG, LORA}
    for field, aliases in METRICS.names.items():
        names.update((chosen[field],) if field in chosen else aliases)
    return "?" + "&".join(f"name%5B%5D={quote(name)}" for name in sorted(names))


@dataclass(frozen=True, slots=True)
class Told:
    """What one page said."""

    engines: tuple[EngineReading, ...]
    asleep: Mapping[str, str]
    """Engine label → how it sleeps, of those that do."""
    all_asleep: bool
    adapters: tuple[LoraAdapter, ...]
    max_adapters: int | None
    identity: tuple[tuple[str, str], ...]
    origins: Mapping[str, str]
    estimates: frozenset[str]
    notes: tuple[str, ...]


_Adapters = tuple[tuple[LoraAdapter, ...], int | None]
"""Adapters with requests, and how many may be in use at once."""


class VllmPages:
    """Reads the pages of one server; what only their labels tell is worked out once per layout."""

    def __init__(self) -> None:
        self._reader = PageReader(WANTED, longest_label=LONGEST_LABEL)
        self._pages = EnginePages(METRICS, _capacities)
        self._layout: Layout | None = None
        self._sleep: tuple[tuple[str | None, str, int], ...] = ()
        self._lora: tuple[tuple[int, Series], ...] = ()
        self._last_lora: tuple[Series | None, _Adapters] = (None, ((), None))
        self._identity: tuple[tuple[str, str], ...] = ()
        self._origins: Mapping[str, str] = {}
        self._estimates: frozenset[str] = frozenset()

    def read(self, body: bytes) -> tuple[Told, Layout]:
        """What ``body`` says, and which series it holds."""
        page = self._reader.read(body)
        engines = self._pages.engines(page)
        if page.layout is not self._layout:
            self._plan(page.layout, engines)
            self._layout = page.layout
        asleep = self._asleep(page, engines)
        every = {engine.label for engine in engines} or {label or "0" for label, _, _ in self._sleep}
        (adapters, most), notes = self._newest(page)
        notes = (TOO_MANY, *notes) if self._reader.cut else notes
        told = Told(
            engines,
            asleep,
            bool(asleep) and every <= asleep.keys(),
            adapters,
            most,
            self._identity,
            self._origins,
            self._estimates,
            notes,
        )
        return told, page.layout

    def _plan(self, layout: Layout, engines: Sequence[EngineReading]) -> None:
        placed = list(enumerate(layout.series))
        self._sleep = tuple(
            (METRICS.engine_of(series), printable(series.labels["sleep_state"], 40), index)
            for index, series in placed
            if series.name == SLEEP and series.labels.get("sleep_state", "awake") != "awake"
        )
        self._lora = tuple((index, series) for index, series in placed if series.name == LORA)
        configs = [series.labels for _, series in placed if series.name == CONFIG]
        self._identity = cache_rows(configs)
        origins = {
            field: f"/metrics {name}" for field, name in self._pages.chosen.items() if field not in METRICS.part_of
        }
        self._estimates = frozenset()
        if any(engine.kv_capacity_tokens is not None for engine in engines):
            origins["kv_capacity_tokens"] = f"/metrics {CONFIG}"
            if not any(_said_capacity(labels) for labels in configs):
                origins["kv_capacity_tokens"] += " num_gpu_blocks × block_size"
                self._estimates = frozenset({"kv_capacity_tokens"})  # layers may share blocks unevenly
        if self._sleep:
            origins["sleeping"] = f"/metrics {SLEEP}"
        if self._lora:
            origins["adapters"] = origins["max_adapters"] = f"/metrics {LORA}"
        self._origins = origins

    def _asleep(self, page: Page, engines: Sequence[EngineReading]) -> Mapping[str, str]:
        """What names no engine is said of all."""
        found: dict[str, str] = {}
        for label, how, index in self._sleep:
            if page.values[index] == 1:
                found |= {label: how} if label is not None else {engine.label: how for engine in engines} or {"0": how}
        return found

    def _newest(self, page: Page) -> tuple[_Adapters, tuple[str, ...]]:
        """Of several series what the one says that was set last, its value being the time; nothing where that is none.

        There is one series for each set of adapters that ever was in use, thousands in the end: only the newest is taken apart.
        """
        at, newest = 0.0, None
        for index, series in self._lora:
            if page.values[index] > at:
                at, newest = page.values[index], series
        if newest is None:
            return ((), None), ()
        if at >= LATEST_UNIX_TIME:
            return ((), None), (NO_ADAPTERS_TOLD,)
        if self._last_lora[0] is not newest:
            self._last_lora = (newest, _adapters(newest.labels))
        return self._last_lora[1], ()


def _adapters(labels: Mapping[str, str]) -> _Adapters:
    running = _names(labels.get("running_lora_adapters"))
    waiting = _names(labels.get("waiting_lora_adapters"))
    every = dict.fromkeys((*running, *waiting))
    return tuple(LoraAdapter(name, name in running, name in waiting) for name in every), _whole(labels.get("max_lora"))


def _names(listed: str | None) -> tuple[str, ...]:
    names = (printable(name.strip(), 100) for name in (listed or "").split(",")[:MOST_ADAPTERS])
    return tuple(name for name in names if name)


def _whole(text: str | None) -> int | None:
    """A label's whole number; vLLM writes "None" for what isn't set."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) <= 15 else None


def _said_capacity(labels: Mapping[str, str]) -> int | None:
    return _whole(labels.get("kv_cache_size_tokens")) or None


def _capacity(labels: Mapping[str, str]) -> int | None:
    said = _said_capacity(labels)
    if said is not None:
        return said
    blocks, size = _whole(labels.get("num_gpu_blocks")), _whole(labels.get("block_size"))
    return blocks * size or None if blocks is not None and size is not None else None


def _capacities(layout: Layout, labels: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """Tokens that each engine's KV cache holds. A configuration that names no engine is that of the only one."""
    found: dict[str, Mapping[str, int]] = {}
    for series in layout.series:
        if series.name != CONFIG:
            continue
        tokens, engine = _capacity(series.labels), METRICS.engine_of(series)
        if tokens is None or (engine is None and len(labels) > 1):
            continue
        found[labels[0] if engine is None else engine] = {"kv_capacity_tokens": tokens}
    return found
