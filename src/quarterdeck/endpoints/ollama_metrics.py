"""An Ollama's own /metrics page, where it has one: proposed for the server (OLLAMA_METRICS=1), and what proxies in front of it add."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.endpoints.metrics_page import MetricsPage
from quarterdeck.model.reading import EngineReading
from quarterdeck.wire.http import Fetch

METRICS = MetricMap(
    {
        "running": (
            "ollama_active_requests",
            "ollama_requests_active",
            "ollama_requests_running",
            "ollama_running_requests",
            "ollama_requests_in_progress",
            "ollama_requests_in_flight",
        ),
        "waiting": (
            "ollama_requests_queued",
            "ollama_queued_requests",
            "ollama_requests_pending",
            "ollama_pending_requests",
            "ollama_requests_waiting",
            "ollama_queue_depth",
            "ollama_queue_size",
        ),
        "generation_tokens": (
            "ollama_completion_tokens_total",
            "ollama_generated_tokens_total",
            "ollama_tokens_generated_total",
            "ollama_generation_tokens_total",
            "ollama_output_tokens_total",
            "ollama_eval_tokens_total",
            "ollama_eval_total",
            "ollama_eval_count_total",
        ),
        "prompt_tokens": (
            "ollama_prompt_tokens_total",
            "ollama_input_tokens_total",
            "ollama_prompt_eval_tokens_total",
            "ollama_prompt_eval_total",
            "ollama_prompt_eval_count_total",
        ),
        "requests": ("ollama_requests_total", "ollama_inference_requests_total"),
        "e2e": ("ollama_request_duration_seconds_bucket", "ollama_total_duration_seconds_bucket"),
        "ttft": ("ollama_time_to_first_token_seconds_bucket",),
        "started": ("process_start_time_seconds",),
    }
)
"""No released Ollama has such a page; the names are those of ollama-metrics-proxy and of the pull requests for it, and their kin."""
_LOAD = ("running", "waiting", "generation_tokens", "prompt_tokens", "requests", "e2e")


class OllamaMetrics:
    """Reads it at every poll as long as it is there, else looks for it once a minute."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._page = MetricsPage(fetch, "/metrics", METRICS.wanted, monotonic)
        self._pages = EnginePages(METRICS)
        self.measured_at: float | None = None

    async def read(self) -> EngineReading | None:
        """What it holds; ``None`` where there is no such page, or nothing of Ollama on it. Raises Failure."""
        page = await self._page.read()
        if page is None:
            return None
        self.measured_at = self._fetch.middle
        engines = self._pages.engines(page)
        if not engines or not any(name in self._pages.chosen for name in _LOAD):
            return None
        # The counters of a proxy move when a request ends: standing still is no stall.
        return replace(engines[0], counts_at_end=True)

    @property
    def origins(self) -> dict[str, str]:
        """Field → the sample that carried it on the last page."""
        return {name: f"/metrics {sample}" for name, sample in self._pages.chosen.items() if name != "started"}
