"""The load of one llama-server process: its counters at /metrics, and from /slots what these don't hold yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from quarterdeck.endpoints.llama_slots import busy_slots, unfinished
from quarterdeck.endpoints.metric_map import EnginePages, MetricMap
from quarterdeck.model.reading import EngineReading
from quarterdeck.wire.http import Fetch
from quarterdeck.wire.prometheus import PageReader

METRICS = MetricMap(
    {
        "running": ("llamacpp:requests_processing",),
        "waiting": ("llamacpp:requests_deferred",),
        "kv_used": ("llamacpp:kv_cache_usage_ratio",),
        "generation_tokens": ("llamacpp:tokens_predicted_total",),
        "prompt_tokens": ("llamacpp:prompt_tokens_total",),
        "cached_tokens": ("llamacpp:prompt_tokens_cached_total",),
        "draft_tokens": ("llamacpp:spec_decode_num_draft_tokens_total",),
        "accepted_tokens": ("llamacpp:spec_decode_num_accepted_tokens_total",),
        "steps": ("llamacpp:n_decode_total",),
    }
)
SLOTS_ORIGINS = {
    "unfinished_tokens": "/slots next_token.n_decoded",
    "unfinished_prompt_tokens": "/slots n_prompt_tokens_processed",
}
STARTED = "Process-Start-Time-Unix"
CONSISTENT_TRIES = 3


@dataclass(slots=True)
class LoadPages:
    """Reads it, directly or through a router (``query`` names the model then). ``fetch`` may be changed between two readings."""

    fetch: Fetch
    query: str = ""
    _reader: PageReader = field(default_factory=lambda: PageReader(METRICS.wanted))
    _pages: EnginePages = field(default_factory=lambda: EnginePages(METRICS))
    _marked: bool = False
    """Whether the server told when it began."""

    async def read(self, label: str) -> EngineReading | None:
        """``None`` where the server runs without --metrics. /slots is read only while requests run: it keeps a server awake."""
        reading = await self._counters(label)
        if reading is None:
            return None
        for tries_left in reversed(range(CONSISTENT_TRIES)):
            if not reading.running:
                # The counters hold finished requests only; while nothing runs there is nothing beside them.
                return replace(reading, unfinished_tokens=0.0, unfinished_prompt_tokens=0.0)
            answer = await self.fetch.optional("/slots" + self.query)
            after = await self._counters(label)
            slots = busy_slots(answer.json()) if answer is not None else None
            if slots is None or after is None:
                return reading
            decoded, prompted = unfinished(slots)
            if _same_counters(reading, after) or not tries_left:
                # Either no request ended in between, so that each token is in one of the two. Or requests end all the time: those
                # that did just now are missed rather than counted twice.
                known = after if _same_counters(reading, after) else reading
                return replace(known, unfinished_tokens=decoded, unfinished_prompt_tokens=prompted)
            reading = after
        return reading

    @property
    def origins(self) -> dict[str, str]:
        """Field → where it came from."""
        page = "/metrics?model=…" if self.query else "/metrics"
        told = {name: f"{page} {sample}" for name, sample in self._pages.chosen.items()}
        if not told:
            return {}
        if "prompt_tokens" in told and "cached_tokens" in told:
            told["cache_hits"] = told["cached_tokens"]
            told["cache_queries"] = f"{told['prompt_tokens']} + {self._pages.chosen['cached_tokens']}"
        started = {"started": f"{page} header {STARTED}"} if self._marked else {}
        return told | SLOTS_ORIGINS | started

    async def _counters(self, label: str) -> EngineReading | None:
        answer = await self.fetch.optional("/metrics" + self.query)
        if answer is None:
            return None
        engines = self._pages.engines(self._reader.read(answer.body))
        if not engines:
            return None
        started = _started(answer.headers)
        self._marked = started is not None
        computed, cached = engines[0].prompt_tokens, engines[0].cached_tokens
        return replace(
            engines[0],
            label=label,
            started=started,
            cached_apart=True,
            cache_queries=None if computed is None or cached is None else computed + cached,
            cache_hits=cached,
        )


def _same_counters(one: EngineReading, other: EngineReading) -> bool:
    return (one.generation_tokens, one.prompt_tokens) == (other.generation_tokens, other.prompt_tokens)


def _started(headers: Mapping[str, str]) -> float | None:
    """What the server calls its start (microseconds since the machine's, in fact): the same as long as the process lives."""
    try:
        started = float(headers.get(STARTED.casefold(), ""))
    except ValueError:
        return None
    return started if 0 <= started < 1e18 else None
