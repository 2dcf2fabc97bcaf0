"""Text Generation Inference (TGI).

Sources: GET /metrics at every poll; /info every 15 s. Its token counts are the sums of histograms, which a request enters when it
ends; what moves while it works is the count of inference calls. /health is left alone: it may generate a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from quarterdeck.endpoints.base import Cadence
from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.endpoints.metrics_page import MetricsPage
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import EngineReading, Facts
from quarterdeck.wire.body import mapping, text, whole
from quarterdeck.wire.failure import Failure, foreign
from quarterdeck.wire.http import Fetch

METRICS = MetricMap(
    {
        "running": ("tgi_batch_current_size",),
        "waiting": ("tgi_queue_size",),
        "generation_tokens": ("tgi_request_generated_tokens_sum",),
        "prompt_tokens": ("tgi_request_input_length_sum",),
        "steps": ("tgi_batch_inference_count", "tgi_batch_inference_count_total"),
        "success": ("tgi_request_success", "tgi_request_success_total"),
        "finished": ("tgi_request_failure", "tgi_request_failure_total"),
        "itl": ("tgi_request_mean_time_per_token_duration_bucket",),
        "e2e": ("tgi_request_duration_bucket",),
        "queue": ("tgi_request_queue_duration_bucket",),
    },
    parts={"finished": "err"},
    part_of={"success": "finished"},
)
NO_METRICS = "no load numbers: this TGI has no /metrics"
AT_THE_END = "tok/s counts the tokens of requests that ended: TGI counts none before"
MEANS = "inter-token latency is of each request's mean: TGI measures no single tokens, and no time to first token"


class TGI:
    """One TGI server."""

    def __init__(self, fetch: Fetch, monotonic: Callable[[], float]) -> None:
        self._fetch = fetch
        self._metrics = MetricsPage(fetch, "/metrics", METRICS.wanted, monotonic)
        self._pages = EnginePages(METRICS)
        self._identity_due = Cadence(monotonic)
        self._identity = Facts("tgi")

    async def read(self) -> Facts:
        """Load from /metrics at every poll, identity every 15 s."""
        engines, notes = await self._load()
        measured_at = self._fetch.middle
        if self._identity_due.due():
            self._identity = _identity(mapping((await self._fetch.get("/info")).json()))
            self._identity_due.done()
        return replace(
            self._identity,
            engines=engines,
            measured_at=measured_at,
            notes=notes,
            origins={"models": "/info", "version": "/info"} | self._origins,
        )

    @property
    def _origins(self) -> dict[str, str]:
        return {name: f"/metrics {sample}" for name, sample in self._pages.chosen.items() if name != "success"}

    async def _load(self) -> tuple[tuple[EngineReading, ...], tuple[str, ...]]:
        try:
            page = await self._metrics.read()
        except Failure as failure:
            if failure.status is None:
                raise
            return (), (f"/metrics: {failure.reason}",)
        engines = self._pages.engines(page) if page is not None else ()
        return engines, (AT_THE_END, MEANS) if engines else (NO_METRICS,)


def _identity(info: Mapping[str, object]) -> Facts:
    model = text(info.get("model_id"))
    if model is None or not {"max_total_tokens", "max_input_tokens", "max_concurrent_requests", "router"} & info.keys():
        raise foreign("TGI")
    told = (
        ("dtype", text(info.get("model_dtype"))),
        ("device", text(info.get("model_device_type"))),
        ("model revision", text(info.get("model_sha"))),
        ("most requests at once", _count(info.get("max_concurrent_requests"))),
        ("longest input", _count(info.get("max_input_tokens"))),
    )
    return Facts(
        "tgi",
        version=text(info.get("version")),
        models=(ModelReading(model, ModelState.LOADED, context_length=whole(info.get("max_total_tokens"))),),
        identity=tuple((name, value) for name, value in told if value is not None),
    )


def _count(value: object) -> str | None:
    found = whole(value)
    return None if found is None else str(found)
