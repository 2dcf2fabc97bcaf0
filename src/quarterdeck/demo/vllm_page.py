"""The /metrics page of a simulated vLLM: `vllm_families` per engine, then the layers of the process and of HTTP."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.demo.load import Load
from quarterdeck.demo.page import Template, labels, number
from quarterdeck.demo.tally import HTTP_HIGH, HTTP_LOW, Histogram
from quarterdeck.demo.vllm_families import HISTOGRAMS, PLAIN, Family, HistogramFamily

CHAT = ("handler", "/v1/chat/completions")
MODELS = ("handler", "/v1/models")
_SIZE = (
    "Content length of {} by handler. Only value of header is respected. Otherwise ignored. No percentile calculated. "
)
_HIGH = "Latency with many buckets but no API specific labels. Made for more accurate percentile calculations. "
_LOW = "Latency with only few buckets by handler. Made to be only used if aggregation by handler is important. "

_CONFIG = {
    "_block_size_resolved": "True",
    "block_size": "16",
    "cache_dtype": "auto",
    "cache_hit_alignment_tokens": "None",
    "effective_attention_block_size": "16",
    "enable_mamba_shared_prefix_checkpoint": "False",
    "enable_prefix_caching": "True",
    "gpu_memory_utilization": "0.92",
    "hash_block_size": "None",
    "is_attention_free": "False",
    "kv_cache_dtype_skip_layers": "[]",
    "kv_cache_layout": "None",
    "kv_cache_memory_bytes": "None",
    "kv_offloading_backend": "native",
    "kv_offloading_size": "None",
    "kv_sharing_fast_prefill": "False",
    "mamba_block_size": "None",
    "mamba_cache_dtype": "auto",
    "mamba_cache_mode": "none",
    "mamba_page_size_padded": "None",
    "mamba_ssm_cache_dtype": "float32",
    "num_cpu_blocks": "None",
    "num_gpu_blocks_override": "None",
    "prefix_cache_retention_interval": "0",
    "prefix_caching_hash_algo": "sha256",
    "prefix_match_unit": "None",
    "replayssm_buffer_len": "16",
    "skip_page_size_padded": "None",
    "sliding_window": "None",
    "swa_bounded_replay": "True",
    "use_kda_recoverssm": "False",
    "use_replayssm": "False",
    "user_specified_block_size": "False",
}

_GARBAGE = (
    ("objects_collected", "Objects collected during gc", (30_702, 8336, 598)),
    ("objects_uncollectable", "Uncollectable objects found during GC", (0, 0, 0)),
    ("collections", "Number of times this generation was collected", (1761, 160, 10)),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What stays the same from one start of the server to the next."""

    model: str
    created: float
    """Unix seconds of the start."""
    multiprocess: bool = False
    """Metrics of several API servers put together: no ``_created``, ``process_`` and ``python_`` samples (WIRE 2.6)."""


class VllmPage:
    """Lays the page out once per start of the server; ``render`` fills in the numbers."""

    def __init__(self, engines: Sequence[Load], identity: Identity, *, max_model_len: int) -> None:
        """``engines``: one per data-parallel rank."""
        self._engines = engines
        self._identity = identity
        self._max_model_len = max_model_len
        self._template = Template()
        if not identity.multiprocess:
            self._lay_process()
        for family in PLAIN:
            self._lay_plain(family)
            if family.name == "vllm:request_success":
                self._lay_rejections()
        for histogram in HISTOGRAMS:
            self._lay_histogram(histogram)
        self._lay_cache_config()
        self._lay_http()

    def render(self, names: Collection[str] = (), *, model_lists: int = 0) -> bytes:
        """The page as of the engines' last ``advance``. ``names``: of ``?name[]=``; ``model_lists``: GETs of /v1/models."""
        if names and self._identity.multiprocess:
            return b""  # what the real one's registry does, having only a collector that can't tell its names
        return self._template.render(list(self._values(model_lists)), names)

    def _values(self, model_lists: int) -> Iterator[float]:
        """In the order in which ``__init__`` made the slots."""
        engines = self._engines
        if not self._identity.multiprocess:
            yield 42.0 + sum(e.busy_s for e in engines) * 0.6
            yield 44 + sum(e.running for e in engines)
        for family in PLAIN:
            for engine in engines:
                yield from family.values(engine)
        for histogram in HISTOGRAMS:
            for engine in engines:
                yield from self._histogram_values(histogram.histogram(engine))
        requests = sum(e.tally.requests for e in engines)
        prompts = sum(e.tally.request_prompt.sum for e in engines)
        yield from (requests, model_lists)
        yield from (requests, 180 * requests + 4 * prompts)
        yield from (requests, 640 * requests)
        yield from self._histogram_values(_merged(HTTP_HIGH, [e.tally.http_high for e in engines]))
        yield from self._histogram_values(_merged(HTTP_LOW, [e.tally.http_low for e in engines]))

    def _histogram_values(self, histogram: Histogram) -> Iterator[float]:
        if self._identity.multiprocess:
            yield histogram.sum
        yield from histogram.cumulative()
        yield histogram.count
        if not self._identity.multiprocess:
            yield histogram.sum

    def _labels(self, engine: int, *more: tuple[str, str]) -> str:
        return labels(("engine", str(engine)), ("model_name", self._identity.model), *more)

    def _lay_plain(self, family: Family) -> None:
        series = [
            self._labels(index, *([(family.label, option)] if family.label else []))
            for index in range(len(self._engines))
            for option in family.options
        ]
        sample = f"{family.name}_total" if family.kind == "counter" else family.name
        self._template.family(sample, family.kind, family.help)
        for labelled in series:
            self._template.slot(sample, labelled)
        if family.kind == "counter":
            self._lay_created(family.name, family.help, series)

    def _lay_created(self, name: str, text: str, series: Sequence[str]) -> None:
        if self._identity.multiprocess:
            return
        self._template.family(f"{name}_created", "gauge", text)
        for labelled in series:
            self._template.constant(f"{name}_created", labelled, self._identity.created)

    def _lay_rejections(self) -> None:
        """The one counter without an engine; nothing is ever rejected here."""
        name, text = "vllm:admission_rejections", "Number of admission attempts rejected by a queue limit, by reason."
        reasons = ("max_num_queued_reqs", "max_num_queued_tokens")
        series = [labels(("model_name", self._identity.model), ("reason", reason)) for reason in reasons]
        self._template.family(f"{name}_total", "counter", text)
        for labelled in series:
            self._template.constant(f"{name}_total", labelled, 0)
        self._lay_created(name, text, series)

    def _lay_histogram(self, family: HistogramFamily) -> None:
        bounds = family.histogram(self._engines[0]).bounds
        pairs = [(("engine", str(i)), ("model_name", self._identity.model)) for i in range(len(self._engines))]
        self._lay_buckets(family.name, family.help, bounds, pairs)

    def _lay_buckets(
        self, name: str, text: str, bounds: Sequence[float], series: Sequence[tuple[tuple[str, str], ...]]
    ) -> None:
        self._template.family(name, "histogram", text)
        for pairs in series:
            if self._identity.multiprocess:
                self._template.slot(f"{name}_sum", labels(*pairs))
            for bound in (*bounds, float("inf")):
                self._template.slot(f"{name}_bucket", labels(("le", number(bound)), *pairs))
            self._template.slot(f"{name}_count", labels(*pairs))
            if not self._identity.multiprocess:
                self._template.slot(f"{name}_sum", labels(*pairs))
        self._lay_created(name, text, [labels(*pairs) for pairs in series])

    def _lay_cache_config(self) -> None:
        self._template.family("vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig")
        for index, engine in enumerate(self._engines):
            tokens = engine.profile.kv_tokens
            config: Mapping[str, str] = {
                **_CONFIG,
                "engine": str(index),
                "kv_cache_max_concurrency": str(tokens / self._max_model_len),
                "kv_cache_size_tokens": str(tokens),
                "num_gpu_blocks": str(tokens // 16),
            }
            self._template.constant("vllm:cache_config_info", labels(*config.items()), 1)

    def _lay_process(self) -> None:
        lay, start = self._template, self._identity.created - 24.9
        for name, text, counts in _GARBAGE:
            lay.family(f"python_gc_{name}_total", "counter", text)
            for generation, count in enumerate(counts):
                lay.constant(f"python_gc_{name}_total", labels(("generation", str(generation))), count)
        lay.family("python_info", "gauge", "Python platform information")
        python = (("implementation", "CPython"), ("major", "3"), ("minor", "12"), ("patchlevel", "9"))
        lay.constant("python_info", labels(*python, ("version", "3.12.9")), 1)
        sizes = {"virtual": 2.87e10, "resident": 3.41e9}
        for name, size in sizes.items():
            lay.family(f"process_{name}_memory_bytes", "gauge", f"{name.capitalize()} memory size in bytes.")
            lay.constant(f"process_{name}_memory_bytes", "", size)
        lay.family("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.")
        lay.constant("process_start_time_seconds", "", start)
        lay.family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.")
        lay.slot("process_cpu_seconds_total")
        lay.family("process_open_fds", "gauge", "Number of open file descriptors.")
        lay.slot("process_open_fds")
        lay.family("process_max_fds", "gauge", "Maximum number of open file descriptors.")
        lay.constant("process_max_fds", "", 65536)

    def _lay_http(self) -> None:
        post, ok = ("method", "POST"), ("status", "2xx")
        text = "Total number of requests by method, status and handler."
        series = [labels(CHAT, post, ok), labels(MODELS, ("method", "GET"), ok)]
        self._template.family("http_requests_total", "counter", text)
        for labelled in series:
            self._template.slot("http_requests_total", labelled)
        self._lay_created("http_requests", text, series)
        for name, what in (("request", "incoming requests"), ("response", "outgoing responses")):
            full, text = f"http_{name}_size_bytes", _SIZE.format(what)
            self._template.family(full, "summary", text)
            self._template.slot(f"{full}_count", labels(CHAT))
            self._template.slot(f"{full}_sum", labels(CHAT))
            self._lay_created(full, text, [labels(CHAT)])
        self._lay_buckets("http_request_duration_highr_seconds", _HIGH, HTTP_HIGH, [()])
        self._lay_buckets("http_request_duration_seconds", _LOW, HTTP_LOW, [(CHAT, post)])


def _merged(bounds: tuple[float, ...], parts: Sequence[Histogram]) -> Histogram:
    whole = Histogram(bounds)
    for part in parts:
        whole.counts = [a + b for a, b in zip(whole.counts, part.counts, strict=True)]
        whole.count += part.count
        whole.sum += part.sum
    return whole
