"""What one poll of one endpoint found, before anything is concluded from it.

Every field that a server may leave out is ``None`` when it is unknown, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from quarterdeck.model.models import ModelReading

if TYPE_CHECKING:
    from quarterdeck.model.chat.price import Price

NOWHERE: Mapping[str, str] = MappingProxyType({})
NO_PRICES: Mapping[str, Price] = MappingProxyType({})


class Outcome(StrEnum):
    """How a poll ended. Only ``ANSWERED`` carries a full set of facts; ``AUTH`` may carry some."""

    ANSWERED = "answered"
    LOADING = "loading"
    """The port answers, the model is not ready (llama.cpp: 503 "Loading model")."""
    AUTH = "auth"
    """401 or 403: the key is missing or wrong."""
    BUSY = "busy"
    """429: it is there, and has had enough of us or of everybody."""
    TIMEOUT = "timeout"
    """No answer inside the deadline; the server may be frozen or the line cut."""
    REFUSED = "refused"
    """Nobody listens on the port (a vLLM that is still loading looks like this from outside)."""
    FAILED = "failed"
    """Any other failure: name lookup, TLS, reset, HTTP 5xx, a body that is too large."""
    FOREIGN = "foreign"
    """Something answers, but not as the engine that was expected."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A Prometheus histogram: cumulative counts at rising upper bounds, the last of them ``inf``. Seconds."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EngineReading:
    """One engine (data-parallel rank, or the only one) of an endpoint: gauges now and counters since its start."""

    label: str = "0"
    running: int | None = None
    waiting: int | None = None
    waiting_by_reason: tuple[tuple[str, int], ...] = ()
    """Parts of ``waiting`` (vLLM: capacity, deferred; SGLang: grammar, paused …), where told."""
    kv_used: float | None = None
    """Fraction 0–1 of the KV cache in use."""
    kv_capacity_tokens: int | None = None
    """Tokens that the whole KV cache holds."""
    generation_tokens: float | None = None
    """Counter: output tokens."""
    prompt_tokens: float | None = None
    """Counter: prompt tokens, cached ones included where the engine counts them."""
    cached_tokens: float | None = None
    """Counter: prompt tokens that were not computed but found in a cache."""
    cached_apart: bool = False
    """Whether ``prompt_tokens`` leaves ``cached_tokens`` out (llama.cpp, SGLang's cache counter)."""
    unfinished_tokens: float | None = None
    """Gauge: output tokens of running requests that ``generation_tokens`` doesn't hold yet (llama.cpp counts at the end)."""
    unfinished_prompt_tokens: float | None = None
    """Gauge: the same for ``prompt_tokens``."""
    reported_tps: float | None = None
    """Generation tok/s as the server itself reports it (SGLang), used where there is no counter."""
    finished: tuple[tuple[str, float], ...] = ()
    """Counters: requests ended, by reason (stop, length, abort, error …)."""
    requests: float | None = None
    """Counter: requests ended, whatever the reason, of engines that don't tell reasons."""
    preemptions: float | None = None
    """Counter: requests that lost their KV cache to others and began again."""
    cache_queries: float | None = None
    """Counter: prompt tokens looked up in the prefix cache …"""
    cache_hits: float | None = None
    """… and those found."""
    reported_hit_rate: float | None = None
    """Fraction 0–1 of the prefix cache's hits as the server itself reports it."""
    draft_tokens: float | None = None
    """Counter: tokens proposed by speculative decoding …"""
    accepted_tokens: float | None = None
    """… and those accepted."""
    reported_acceptance: float | None = None
    """Fraction 0–1 of drafts accepted as the server itself reports it."""
    ttft: Histogram | None = None
    """Time to first token."""
    itl: Histogram | None = None
    """Inter-token latency (TPOT)."""
    e2e: Histogram | None = None
    """From a request's arrival to its end."""
    queue: Histogram | None = None
    """From a request's arrival to its first step."""
    steps: float | None = None
    """Counter: steps of the engine, which also pass while it reads a long prompt and no token comes out."""
    started: float | None = None
    """When this engine's counters began, where it tells: seconds (vLLM) or a mark that only a new process changes (llama.cpp)."""
    counts_at_end: bool = False
    """Whether its counters move only when a request ends (LiteLLM): that they stand still for long is then no stall."""


@dataclass(frozen=True, slots=True)
class LoraAdapter:
    """A LoRA adapter, and whether requests for it run or wait."""

    name: str
    running: bool = False
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Spend:
    """What a gateway says was spent since it started, in US dollars."""

    dollars: float
    origin: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One backend of a gateway (LiteLLM): where it sends the requests for a model."""

    model: str
    backend: str
    """The backend's own model name and, where told, its address without credentials."""
    state: str | None = None
    """healthy, partial outage, outage; ``None`` where the gateway doesn't tell."""


@dataclass(frozen=True, slots=True)
class AccessLog:
    """What a server's access log said of the last minute."""

    requests_per_minute: float
    by_status: tuple[tuple[str, int], ...] = ()
    """Requests by class: ("2xx", 40) …"""
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    origin: str = ""
    """The file or unit."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an endpoint said of itself."""

    engine: str
    version: str | None = None
    engines: tuple[EngineReading, ...] = ()
    """Empty where the server tells nothing of its load (Ollama, managed APIs)."""
    by_model: bool = False
    """Whether each engine is another model (Ollama's runners, llama.cpp's router): not replicas to be compared."""
    whole: EngineReading | None = None
    """What the server counts for all its engines together (SGLang's latencies and requests), and not for each."""
    models: tuple[ModelReading, ...] = ()
    sleeping: bool = False
    measured_at: float | None = None
    """Monotonic seconds when the counters were read; a poll may ask for other things before and after."""
    notes: tuple[str, ...] = ()
    """What is missing and how to get it, one sentence each; for the detail screen."""
    origins: Mapping[str, str] = field(default_factory=lambda: NOWHERE)
    """Field of `EngineReading` (or of this) → where its value came from ("/metrics vllm:num_requests_running")."""
    estimates: frozenset[str] = frozenset()
    """Fields whose value is a bound or an estimate ("running" counted from connections); shown with "~"."""
    identity: tuple[tuple[str, str], ...] = ()
    """What else the server tells of itself, for the detail screen: ("KV cache dtype", "fp8"), ("block size", "16") …"""
    cannot: Mapping[str, str] = field(default_factory=lambda: NOWHERE)
    """Actions (`quarterdeck.model.actions`) that this server can't do, and why, in words; what isn't in it can be, or nobody knows."""
    adapters: tuple[LoraAdapter, ...] = ()
    """LoRA adapters with requests now."""
    max_adapters: int | None = None
    deployments: tuple[Deployment, ...] = ()
    spend: Spend | None = None
    access_log: AccessLog | None = None
    active_at: float | None = None
    """Monotonic seconds when it was last seen to have finished a request, where that is all that can be known (Ollama)."""
    prices: Mapping[str, Price] = field(default_factory=lambda: NO_PRICES)
    """Model id → what its tokens cost, where the server's own list says so."""
    certificate_ends: float | None = None
    """Unix seconds when the server's TLS certificate expires, as read within the last hour."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one poll. ``at`` is monotonic seconds (mid-way between asking and the answer)."""

    at: float
    outcome: Outcome
    reason: str = ""
    """Why it is not a plain answer, in words; "" for a plain answer."""
    latency_s: float | None = None
    """Seconds to the poll's first answer; ``None`` when nothing answered."""
    facts: Facts | None = None
    wall: float | None = None
    """Unix seconds of the same moment; where it ran on and ``at`` didn't, the machine slept."""
