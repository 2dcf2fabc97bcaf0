"""What a simulated vLLM 0.32 tells of an engine: the families of its /metrics in the order of the real one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quarterdeck.demo.load import Load
from quarterdeck.demo.tally import Histogram

Values = Callable[[Load], Sequence[float]]

_BY_SOURCE = "Number of prompt tokens by source."
_EXTERNAL = "External prefix cache {} from KV connector cross-instance cache sharing, in terms of number of {} tokens."
_FLOPS = "Estimated number of {} per GPU (for Model Flops Utilization calculations)."
_SLEEP = (
    "Engine sleep state; awake = 0 means engine is sleeping; awake = 1 means engine is awake; "
    "weights_offloaded = 1 means sleep level 1; discard_all = 1 means sleep level 2."
)
_BY_REASON = (
    "Number of waiting requests by reason. Reason labels: 'capacity' = waiting for scheduling capacity; "
    "'deferred' = deferred by transient constraints (LoRA budget, KV transfer, blocked status). "
    "Sum of all reasons equals vllm:num_requests_waiting."
)
_TIERS = (
    "Prefix-cache hit tokens by the cache tier that supplied them: device (local HBM), host (offloaded to DRAM), disk, "
    "p2p (transferred from another vLLM instance) or external_unspecified. Counted at admission; "
    "sums to vllm:prefix_cache_hits + vllm:external_prefix_cache_hits."
)


@dataclass(frozen=True, slots=True)
class Family:
    """One family with a series per engine (and per value of ``label``); counters are named without ``_total``."""

    name: str
    kind: str
    help: str
    values: Values
    label: str = ""
    options: tuple[str, ...] = ("",)


def _finished(load: Load) -> Sequence[float]:
    done = load.tally.finished
    return (done["stop"], done["length"], done["abort"], 0, 0)


def _sources(load: Load) -> Sequence[float]:
    tally = load.tally
    return (tally.prompt_tokens - tally.prompt_cached, tally.prompt_cached, 0)


def _none(_: Load) -> Sequence[float]:
    return (0,)


PLAIN = (
    Family("vllm:estimated_flops_per_gpu", "counter", _FLOPS.format("floating point operations"), _none),
    Family("vllm:estimated_read_bytes_per_gpu", "counter", _FLOPS.format("bytes read from memory"), _none),
    Family("vllm:estimated_write_bytes_per_gpu", "counter", _FLOPS.format("bytes written to memory"), _none),
    Family(
        "vllm:num_requests_running",
        "gauge",
        "Number of requests in model execution batches.",
        lambda e: (e.running,),
    ),
    Family(
        "vllm:num_requests_waiting",
        "gauge",
        "Number of requests waiting to be processed.",
        lambda e: (e.waiting,),
    ),
    Family(
        "vllm:num_requests_waiting_by_reason",
        "gauge",
        _BY_REASON,
        lambda e: (e.waiting, 0),
        "reason",
        ("capacity", "deferred"),
    ),
    Family(
        "vllm:engine_sleep_state",
        "gauge",
        _SLEEP,
        lambda _: (1, 0, 0),
        "sleep_state",
        ("awake", "weights_offloaded", "discard_all"),
    ),
    Family("vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.", lambda e: (e.kv_used,)),
    Family(
        "vllm:prefix_cache_queries",
        "counter",
        "Prefix cache queries, in terms of number of queried tokens.",
        lambda e: (e.tally.prefix_queries,),
    ),
    Family(
        "vllm:prefix_cache_hits",
        "counter",
        "Prefix cache hits, in terms of number of cached tokens.",
        lambda e: (e.tally.prefix_hits,),
    ),
    Family("vllm:external_prefix_cache_queries", "counter", _EXTERNAL.format("queries", "queried"), _none),
    Family("vllm:external_prefix_cache_hits", "counter", _EXTERNAL.format("hits", "cached"), _none),
    Family(
        "vllm:mm_cache_queries",
        "counter",
        "Multi-modal cache queries, in terms of number of queried items.",
        _none,
    ),
    Family("vllm:mm_cache_hits", "counter", "Multi-modal cache hits, in terms of number of cached items.", _none),
    Family("vllm:num_preemptions", "counter", "Cumulative number of preemption from the engine.", _none),
    Family(
        "vllm:prompt_tokens",
        "counter",
        "Number of prefill tokens processed.",
        lambda e: (e.tally.prompt_tokens,),
    ),
    Family(
        "vllm:prompt_tokens_by_source",
        "counter",
        _BY_SOURCE,
        _sources,
        "source",
        ("local_compute", "local_cache_hit", "external_kv_transfer"),
    ),
    Family(
        "vllm:prompt_tokens_cached",
        "counter",
        "Number of cached prompt tokens (local + external).",
        lambda e: (e.tally.prompt_cached,),
    ),
    Family(
        "vllm:prompt_tokens_cached_by_source",
        "counter",
        _TIERS,
        lambda e: (e.tally.prefix_hits, 0, 0, 0, 0),
        "source",
        ("device", "host", "p2p", "disk", "external_unspecified"),
    ),
    Family(
        "vllm:generation_tokens",
        "counter",
        "Number of generation tokens processed.",
        lambda e: (e.generation_tokens,),
    ),
    Family(
        "vllm:request_success",
        "counter",
        "Count of successfully processed requests.",
        _finished,
        "finished_reason",
        ("stop", "length", "abort", "error", "repetition"),
    ),
)


@dataclass(frozen=True, slots=True)
class HistogramFamily:
    """A histogram with a series per engine."""

    name: str
    help: str
    histogram: Callable[[Load], Histogram]


def _ones(bounds: tuple[float, ...], value: float) -> Callable[[Load], Histogram]:
    """A histogram in which every finished request counts with the same value."""

    def histogram(load: Load) -> Histogram:
        found = Histogram(bounds)
        found.observe(value, load.tally.requests)
        return found

    return histogram


HISTOGRAMS = (
    HistogramFamily(
        "vllm:request_prompt_tokens",
        "Number of prefill tokens processed.",
        lambda e: e.tally.request_prompt,
    ),
    HistogramFamily(
        "vllm:request_generation_tokens",
        "Number of generation tokens processed.",
        lambda e: e.tally.request_generation,
    ),
    HistogramFamily(
        "vllm:iteration_tokens_total",
        "Histogram of number of tokens per engine_step.",
        lambda e: e.tally.iteration,
    ),
    HistogramFamily(
        "vllm:request_max_num_generation_tokens",
        "Histogram of maximum number of requested generation tokens.",
        lambda e: e.tally.request_generation,
    ),
    HistogramFamily(
        "vllm:request_params_n",
        "Histogram of the n request parameter.",
        _ones((1, 2, 5, 10, 20), 1),
    ),
    HistogramFamily(
        "vllm:request_params_max_tokens",
        "Histogram of the max_tokens request parameter.",
        lambda e: e.tally.request_limit,
    ),
    HistogramFamily(
        "vllm:time_to_first_token_seconds",
        "Histogram of time to first token in seconds.",
        lambda e: e.tally.ttft,
    ),
    HistogramFamily(
        "vllm:inter_token_latency_seconds",
        "Histogram of inter-token latency in seconds.",
        lambda e: e.tally.itl,
    ),
    HistogramFamily(
        "vllm:request_time_per_output_token_seconds",
        "Histogram of time_per_output_token_seconds per request.",
        lambda e: e.tally.per_token,
    ),
    HistogramFamily(
        "vllm:e2e_request_latency_seconds",
        "Histogram of e2e request latency in seconds.",
        lambda e: e.tally.e2e,
    ),
    HistogramFamily(
        "vllm:request_queue_time_seconds",
        "Histogram of time spent in WAITING phase for request.",
        lambda e: e.tally.queue,
    ),
    HistogramFamily(
        "vllm:request_inference_time_seconds",
        "Histogram of time spent in RUNNING phase for request.",
        lambda e: e.tally.inference,
    ),
    HistogramFamily(
        "vllm:request_prefill_time_seconds",
        "Histogram of time spent in PREFILL phase for request.",
        lambda e: e.tally.prefill,
    ),
    HistogramFamily(
        "vllm:request_decode_time_seconds",
        "Histogram of time spent in DECODE phase for request.",
        lambda e: e.tally.decode,
    ),
    HistogramFamily(
        "vllm:request_num_preemptions",
        "Histogram of the number of times a request was preempted.",
        _ones((1, 2, 3, 4, 5, 10, 20), 0),
    ),
    HistogramFamily(
        "vllm:request_prefill_kv_computed_tokens",
        "Histogram of new KV tokens computed during prefill (excluding cached tokens).",
        lambda e: e.tally.request_computed,
    ),
)
