"""The metrics page of LiteLLM's proxy: what of it counts, spend, and the state of deployments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.endpoints.metrics_page import MetricsPage
from quarterdeck.model.reading import EngineReading, Spend
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch
from quarterdeck.wire.prometheus import TOO_MANY, Page, Series

REQUESTS = "litellm_proxy_total_requests_metric_total"
SPEND = "litellm_spend_metric_total"
STATE = "litellm_deployment_state"
METRICS = MetricMap(
    {
        "running": ("litellm_in_flight_requests",),
        "waiting": ("litellm_admission_queued_requests",),
        "generation_tokens": ("litellm_output_tokens_metric_total",),
        "prompt_tokens": ("litellm_input_tokens_metric_total",),
        "cached_tokens": ("litellm_input_cached_tokens_metric_total",),
        "finished": (REQUESTS,),
        "started": ("process_start_time_seconds",),
        "ttft": ("litellm_llm_api_time_to_first_token_metric_bucket",),
        "e2e": ("litellm_request_total_latency_metric_bucket",),
        "queue": ("litellm_request_queue_time_seconds_bucket",),
    },
    parts={"finished": "status_code"},
)
WANTED = METRICS.wanted | {SPEND, STATE}
NO_METRICS = 'no tokens, spend or latencies: set `callbacks: ["prometheus"]` in litellm_settings'
AT_THE_END = "tokens and latencies are those of requests that ended; time to first token is of streams only"
SEVERAL_WORKERS = "no tokens, spend or latencies: several workers answer in turn, each with its own counters; set PROMETHEUS_MULTIPROC_DIR"
STATES = {0.0: "healthy", 1.0: "partial outage", 2.0: "outage"}
_MOST_STARTS = 64


@dataclass(frozen=True, slots=True)
class Counted:
    """What the page says; ``notes`` where it says nothing, or what to know of it."""

    engine: EngineReading = field(default_factory=EngineReading)
    spend: Spend | None = None
    states: Mapping[str, str] = field(default_factory=dict)
    """Id of a deployment → its state in words."""
    notes: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)


class LiteLLMPage:
    """Reads it, poll after poll."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        # /metrics redirects to /metrics/. Only what is shown is asked for: pages of tens of MB are known.
        self._page = MetricsPage(fetch, "/metrics/", WANTED, monotonic, choose=chosen, narrow=True)
        self._pages = EnginePages(METRICS)
        self._starts: list[float] = []
        self._several = False

    async def read(self) -> Counted:
        """Raises Failure only where the server didn't answer at all."""
        try:
            page = await self._page.read()
        except Failure as failure:
            if failure.status is None:
                raise
            return Counted(notes=(f"/metrics/: {failure.reason}",))
        engines = self._pages.engines(page) if page is not None else ()
        if page is None or not page.layout.series:
            return Counted(notes=(TOO_MANY if page is not None and self._page.cut else NO_METRICS,))
        engine = replace(engines[0], counts_at_end=True) if engines else EngineReading()
        self._note_start(engine.started)
        if self._several:
            return Counted(states=_states(page), notes=(SEVERAL_WORKERS,))
        notes = (TOO_MANY, AT_THE_END) if self._page.cut else (AT_THE_END,)
        origins = {name: f"/metrics/ {sample}" for name, sample in self._pages.chosen.items()}
        return Counted(engine, _spend(page), _states(page), notes, origins)

    def _note_start(self, started: float | None) -> None:
        """A start time that comes back after another one is not a restart: several processes answer."""
        if started is None or (self._starts and self._starts[-1] == started):
            return
        self._several = self._several or started in self._starts
        self._starts = [*self._starts[-_MOST_STARTS:], started]


def chosen(series: tuple[Series, ...]) -> Iterator[tuple[int, Series]]:
    """All but requests that name no model: those of pollers like this one, which the proxy counts too."""
    for index, one in enumerate(series):
        if one.name != REQUESTS:
            yield index, one
        elif one.labels.get("requested_model", "?") not in ("", "None"):
            status = one.labels.get("status_code", "")
            yield (
                index,
                Series(one.name, {**one.labels, "status_code": f"HTTP {status}" if status.isdigit() else status}),
            )


def _spend(page: Page) -> Spend | None:
    """All of it since the proxy started; ``None`` where a part is no sum of money."""
    parts = [value for series, value in zip(page.layout.series, page.values, strict=True) if series.name == SPEND]
    if not parts or not all(0 <= part < 1e12 for part in parts):
        return None
    return Spend(math.fsum(parts), f"/metrics/ {SPEND}, since the proxy started")


def _states(page: Page) -> dict[str, str]:
    """The worst that is said of each deployment."""
    worst: dict[str, float] = {}
    for series, value in zip(page.layout.series, page.values, strict=True):
        if series.name == STATE and value in STATES:
            name = series.labels.get("model_id", "")
            worst[name] = max(worst.get(name, 0.0), value)
    return {name: STATES[value] for name, value in worst.items() if name}
