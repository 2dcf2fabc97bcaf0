"""The metrics page of SGLang: which of its series count, and what they say of each data-parallel rank.

Schedulers' series carry tp_rank, and dp_rank with data parallelism; the API process counts requests, without a rank.
``sglang:generation_tokens_total`` moves only when a request ends; ``sglang:realtime_tokens_total`` moves with every step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from quarterdeck.endpoints.metric_map import MetricMap
from quarterdeck.model.reading import EngineReading
from quarterdeck.wire.prometheus import Series

REALTIME = "sglang:realtime_tokens_total"
METRICS = MetricMap(
    {
        "running": ("sglang:num_running_reqs",),
        "waiting": ("sglang:num_queue_reqs",),
        "kv_used": ("sglang:token_usage",),
        "kv_capacity_tokens": ("sglang:max_total_num_tokens",),
        "generation_tokens": (f"{REALTIME} decode",),
        "prompt_tokens": (f"{REALTIME} prefill_compute",),
        "cached_tokens": (f"{REALTIME} prefill_cache",),
        "preemptions": ("sglang:num_retracted_requests_total",),
        "requests": ("sglang:num_requests_total",),
        "reported_tps": ("sglang:gen_throughput",),
        "reported_hit_rate": ("sglang:cache_hit_rate",),
        "reported_acceptance": ("sglang:spec_accept_rate",),
        "ttft": ("sglang:time_to_first_token_seconds_bucket",),
        "itl": ("sglang:inter_token_latency_seconds_bucket", "sglang:time_per_output_token_seconds_bucket"),
        "e2e": ("sglang:e2e_request_latency_seconds_bucket",),
        "queue": ("sglang:queue_time_seconds_bucket",),
    },
    engine_label="dp_rank",
)
WANTED = frozenset(name.partition(" ")[0] for name in METRICS.wanted)
WHOLE = "all"
"""Label of what the API process counts for several ranks together."""


def chosen(series: tuple[Series, ...]) -> Iterator[tuple[int, Series]]:
    """One scheduler's series per data-parallel rank (all tensor- and pipeline-parallel ranks count the same tokens); the rest whole."""
    first: dict[str, tuple[tuple[int, str], ...]] = {}
    for one in series:
        if "tp_rank" in one.labels:
            rank = one.labels.get("dp_rank", "0")
            first[rank] = min(first.get(rank, _place(one)), _place(one))
    others = WHOLE if len(first) > 1 else next(iter(first), "0")
    for index, one in enumerate(series):
        rank = one.labels.get("dp_rank", "0") if "tp_rank" in one.labels else others
        by_scheduler = "tp_rank" in one.labels
        if by_scheduler and (_place(one) != first[rank] or one.labels.get("priority")):
            continue  # with priorities, the series without one is their sum
        name = f"{one.name} {one.labels.get('mode', '')}" if one.name == REALTIME else one.name
        yield index, Series(name, {**one.labels, "dp_rank": rank})


def _place(series: Series) -> tuple[tuple[int, str], ...]:
    """Where a scheduler stands among those of its rank; numbers in their order."""
    told = (series.labels.get(name, "") for name in ("tp_rank", "pp_rank", "moe_ep_rank"))
    return tuple((len(rank), rank) for rank in told)


def tidied(engine: EngineReading) -> EngineReading:
    """Counters of the prefix cache out of the two kinds of prompt tokens, which are counted apart."""
    capacity = engine.kv_capacity_tokens
    computed, cached = engine.prompt_tokens, engine.cached_tokens
    return replace(
        engine,
        kv_capacity_tokens=None if capacity is None else round(capacity),
        cached_apart=True,
        cache_queries=None if computed is None or cached is None else computed + cached,
        cache_hits=cached,
        reported_tps=credible(engine.reported_tps, engine.running),
    )


def credible(tps: float | None, running: int | None) -> float | None:
    """gen_throughput as a rate that can be; 0 where nothing runs."""
    if running == 0:
        return 0.0  # the server keeps its last figure when it falls idle
    return tps if tps is not None and 0 <= tps < 1e9 else None
