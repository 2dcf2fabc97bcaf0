"""The metrics of endpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quarterdeck.model.fleet import State
from quarterdeck.model.models import ModelState
from quarterdeck.report.prometheus.metric import (
    Kind,
    Metric,
    Sample,
    Scope,
    each,
    keyed,
    moment,
    one_of,
    present,
    scaled,
    words,
)

_QUANTILES = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}
_WINDOWS = ("last", "minute")
_WINDOWS_TOLD = 'window="minute" is the last minute, window="last" since the poll before.'


def _up(state: str) -> Iterable[Sample]:
    yield (), int(State(state).answers)


def _models(models: list[Mapping[str, Any]]) -> Iterable[Sample]:
    """How many are in each state; nothing where no model is known, for that may only be because nobody tells."""
    counts = Counter(model["state"] for model in models)
    return (((state.value,), counts[state.value]) for state in ModelState) if models else ()


def _prices(prices: Mapping[str, Mapping[str, Any]]) -> Iterable[Sample]:
    for model, price in prices.items():
        for kind in ("input", "cached_input", "output"):
            yield (model, kind), price.get(f"{kind}_usd")


def _percentiles(windows: Mapping[str, Mapping[str, Any] | None]) -> Iterable[Sample]:
    for window in _WINDOWS:
        told = windows.get(window) or {}
        for name, quantile in _QUANTILES.items():
            yield (window, quantile), told.get(name)


def _counts(kinds: Mapping[str, Mapping[str, Mapping[str, Any] | None]]) -> Iterable[Sample]:
    for kind, windows in kinds.items():
        for window in _WINDOWS:
            yield (kind, window), (windows.get(window) or {}).get("count")


def _log_latency(log: Mapping[str, Any]) -> Iterable[Sample]:
    for name, quantile in (("latency_p50_s", "0.5"), ("latency_p95_s", "0.95")):
        yield (quantile,), log[name]


def _healthy(deployments: Iterable[Mapping[str, Any]]) -> Iterable[Sample]:
    for one in deployments:
        yield (one["model"], one["backend"]), None if one["state"] is None else int(one["state"] == "healthy")


def _present_state(state: str) -> Iterable[Sample]:
    yield (state,), 1


def _endpoint(name: str, field: str, text: str, unit: str = "", **more: Any) -> Metric:
    return Metric(f"endpoint_{name}", Scope.ENDPOINT, field, text, unit, **more)


def _latency(name: str, kind: str, text: str) -> Metric:
    return _endpoint(
        f"{name}_seconds",
        f"percentiles.{kind}",
        f"{text} {_WINDOWS_TOLD}",
        "seconds",
        kind=Kind.SUMMARY,
        labels=("window", "quantile"),
        get=_percentiles,
    )


_STATE = (
    _endpoint(
        "info",
        "",
        "What it is.",
        kind=Kind.INFO,
        labels=("engine", "version", "host", "boundary"),
        get=words("engine", "version", "host", "boundary"),
    ),
    _endpoint("up", "state", "Whether it answers: 0 in the states STALE and DOWN.", get=_up),
    _endpoint(
        "state",
        "state",
        "Its state: 1 for that one, 0 for the others.",
        labels=("state",),
        get=one_of(*(state.value for state in State)),
    ),
    _endpoint("state_since_timestamp_seconds", "since", "When that state began, Unix time.", "seconds", get=moment),
    _endpoint("reading_age_seconds", "age_s", "How old its numbers are.", "seconds"),
    _endpoint("poll_interval_seconds", "interval_s", "Between two polls of it.", "seconds"),
    _endpoint("poll_latency_seconds", "latency_ms", "How long it took to answer.", "seconds", get=scaled(1e-3)),
    _endpoint("protected", "protected", "Whether acting on it takes typing its name."),
    _endpoint(
        "estimated",
        "estimates",
        "1 for each field of `status --json` whose value is a bound or an estimate.",
        labels=("field",),
        get=present,
    ),
)
_LOAD = (
    _endpoint("requests_running", "running", "Requests running now."),
    _endpoint("requests_waiting", "waiting", "Requests waiting now."),
    _endpoint(
        "requests_waiting_by_reason",
        "waiting_by_reason",
        "Requests waiting now, by why.",
        labels=("reason",),
        get=keyed,
    ),
    _endpoint("generation_tokens_per_second", "generation_tps", "Output tokens.", "tokens_per_second"),
    _endpoint("prompt_tokens_per_second", "prompt_tps", "Prompt tokens, cached ones included.", "tokens_per_second"),
    _endpoint("cached_tokens_per_second", "cached_tps", "Prompt tokens found in a cache.", "tokens_per_second"),
    _endpoint(
        "requests_per_second",
        "requests_ps",
        'Requests ended, by reason (stop, length, abort, error …; "all" where no reason is told).',
        "requests_per_second",
        labels=("reason",),
        get=keyed,
    ),
    _endpoint("preemptions_per_second", "preemptions_ps", "Requests put back.", "preemptions_per_second"),
    _endpoint("kv_cache_usage_ratio", "kv_used", "Part of the KV cache in use, of the fullest engine.", "ratio"),
    _endpoint("kv_cache_capacity_tokens", "kv_capacity_tokens", "What its KV caches hold.", "tokens"),
    _endpoint("prefix_cache_hit_ratio", "cache_hit_rate", "Part of the prompt tokens found, last minute.", "ratio"),
    _endpoint("speculation_accepted_ratio", "acceptance", "Part of the drafted tokens accepted, last minute.", "ratio"),
    _latency("time_to_first_token", "ttft", "Time to first token."),
    _latency("inter_token_latency", "itl", "Time between two tokens."),
    _latency("request_duration", "e2e", "From a request's arrival to its end."),
    _latency("queue_time", "queue", "From a request's arrival to its first step."),
    _endpoint(
        "latency_observations",
        "percentiles",
        "How many measurements those percentiles are from, by kind (ttft, itl, e2e, queue) and window.",
        labels=("kind", "window"),
        get=_counts,
    ),
    _endpoint("time_to_first_token_p95_seconds", "ttft_p95_s", "95th percentile of the last minute.", "seconds"),
    _endpoint("inter_token_latency_p95_seconds", "itl_p95_s", "95th percentile of the last minute.", "seconds"),
)
_SERVED = (
    _endpoint("vram_bytes", "vram_bytes", "GPU memory of its models, as it tells itself.", "bytes"),
    _endpoint("models", "models", "Its models by state.", labels=("state",), get=_models),
    _endpoint(
        "adapter_running",
        "adapters",
        "Whether requests for a LoRA adapter run.",
        labels=("adapter",),
        get=each("name", field="running"),
    ),
    _endpoint(
        "adapter_waiting",
        "adapters",
        "Whether requests for a LoRA adapter wait.",
        labels=("adapter",),
        get=each("name", field="waiting"),
    ),
    _endpoint("adapters_limit", "max_adapters", "LoRA adapters that may be in use at once."),
    _endpoint(
        "deployment_healthy",
        "deployments",
        "Of a gateway: whether a backend is well.",
        labels=("model", "backend"),
        get=_healthy,
    ),
    _endpoint("spend_dollars", "spend_usd", "What a gateway says was spent since it started.", "dollars"),
    _endpoint(
        "access_log_requests_per_second",
        "access_log.requests_per_minute",
        "By its access log, last minute.",
        "requests_per_second",
        get=scaled(1 / 60),
    ),
    _endpoint(
        "access_log_requests",
        "access_log.by_status",
        "By its access log, last minute.",
        labels=("status",),
        get=keyed,
    ),
    _endpoint(
        "access_log_duration_seconds",
        "access_log",
        "Of requests, by its access log, last minute.",
        "seconds",
        kind=Kind.SUMMARY,
        labels=("quantile",),
        get=_log_latency,
    ),
    _endpoint("own_requests", "own_requests.count", "Requests of ours (chat, probes) that the next ones are from."),
    _endpoint("own_time_to_first_token_p50_seconds", "own_requests.ttft_p50_s", "Median.", "seconds"),
    _endpoint(
        "own_decode_p50_tokens_per_second",
        "own_requests.decode_tps_p50",
        "Median, from the first token on.",
        "tokens_per_second",
    ),
    _endpoint(
        "own_last_timestamp_seconds", "own_requests.last", "When the last one was, Unix time.", "seconds", get=moment
    ),
    _endpoint(
        "active_timestamp_seconds",
        "active",
        "When it was last seen to finish a request, Unix time; where nothing better is told.",
        "seconds",
        get=moment,
    ),
    _endpoint(
        "certificate_expiry_timestamp_seconds",
        "certificate_ends",
        "When its TLS certificate expires, Unix time; looked at once an hour.",
        "seconds",
        get=moment,
    ),
    _endpoint(
        "million_tokens_dollars",
        "prices",
        "What 1M tokens cost by the provider's own list.",
        "dollars",
        labels=("model", "kind"),
        get=_prices,
    ),
)


def _replica(name: str, field: str, text: str, unit: str = "") -> Metric:
    return Metric(f"replica_{name}", Scope.REPLICA, field, text, unit)


_REPLICAS = (
    _replica("requests_running", "running", "Requests running now on one engine of an endpoint."),
    _replica("requests_waiting", "waiting", "Requests waiting now."),
    _replica("generation_tokens_per_second", "generation_tps", "Output tokens.", "tokens_per_second"),
    _replica("prompt_tokens_per_second", "prompt_tps", "Prompt tokens.", "tokens_per_second"),
    _replica("kv_cache_usage_ratio", "kv_used", "Part of the KV cache in use.", "ratio"),
    _replica("time_to_first_token_p95_seconds", "ttft_p95_s", "95th percentile of the last minute.", "seconds"),
    _replica("inter_token_latency_p95_seconds", "itl_p95_s", "95th percentile of the last minute.", "seconds"),
)


def _counter(name: str, field: str, text: str, unit: str = "", **more: Any) -> Metric:
    return Metric(f"engine_{name}_total", Scope.COUNTERS, field, text, unit, Kind.COUNTER, **more)


_COUNTERS = (
    _counter(
        "generation_tokens", "generation_tokens", "Output tokens since the server started, as it counts.", "tokens"
    ),
    _counter("prompt_tokens", "prompt_tokens", "Prompt tokens, as the server counts.", "tokens"),
    _counter("cached_tokens", "cached_tokens", "Prompt tokens found in a cache, as the server counts.", "tokens"),
    _counter("preemptions", "preemptions", "Requests put back, as the server counts."),
    _counter(
        "requests_finished",
        "finished",
        'Requests ended, by reason ("all" where no reason is told), as the server counts.',
        labels=("reason",),
        get=keyed,
    ),
)


def _model(name: str, field: str, text: str, unit: str = "", **more: Any) -> Metric:
    return Metric(f"model_{name}", Scope.MODEL, field, text, unit, **more)


_MODELS = (
    _model(
        "state", "state", "1 for the state it is in; no series for the others.", labels=("state",), get=_present_state
    ),
    _model("size_bytes", "size_bytes", "Memory taken when loaded, else the size on disk.", "bytes"),
    _model("vram_bytes", "vram_bytes", "The part of it on GPUs.", "bytes"),
    _model("context_tokens", "context_length", "Tokens per sequence.", "tokens"),
    _model(
        "expiry_timestamp_seconds",
        "expires_at",
        "When it will be unloaded, Unix time; +Inf is never.",
        "seconds",
        get=moment,
    ),
)
ENDPOINTS = (*_STATE, *_LOAD, *_SERVED, *_REPLICAS, *_COUNTERS, *_MODELS)
