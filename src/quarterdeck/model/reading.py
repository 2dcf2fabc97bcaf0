"""What one poll of one endpoint found, before anything is concluded from it.

Every field that a server may leave out is ``None`` when it is unknown, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.model.models import ModelReading


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
    kv_used: float | None = None
    """Fraction 0–1 of the KV cache in use."""
    generation_tokens: float | None = None
    """Counter: output tokens."""
    prompt_tokens: float | None = None
    """Counter: prompt tokens, cached ones included where the engine counts them."""
    unfinished_tokens: float | None = None
    """Gauge: output tokens of running requests that ``generation_tokens`` doesn't hold yet (llama.cpp counts at the end)."""
    unfinished_prompt_tokens: float | None = None
    """Gauge: the same for ``prompt_tokens``."""
    reported_tps: float | None = None
    """Generation tok/s as the server itself reports it (SGLang), used where there is no counter."""
    ttft: Histogram | None = None
    """Time to first token."""
    itl: Histogram | None = None
    """Inter-token latency."""
    steps: float | None = None
    """Counter: steps of the engine, which also pass while it reads a long prompt and no token comes out."""
    started: float | None = None
    """When this engine's counters began, where it tells: seconds (vLLM) or a mark that only a new process changes (llama.cpp)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an endpoint said of itself."""

    engine: str
    version: str | None = None
    engines: tuple[EngineReading, ...] = ()
    """Empty where the server tells nothing of its load (Ollama, managed APIs)."""
    models: tuple[ModelReading, ...] = ()
    sleeping: bool = False
    measured_at: float | None = None
    """Monotonic seconds when the counters were read; a poll may ask for other things before and after."""
    notes: tuple[str, ...] = ()
    """What is missing and how to get it, one sentence each; for the detail screen."""


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
