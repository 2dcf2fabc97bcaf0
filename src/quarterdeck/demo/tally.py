"""Histograms and counters of one simulated engine, filled by `quarterdeck.demo.load`."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

LATENCY = (0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680)
TTFT = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.04,
    0.06,
    0.08,
    0.1,
    0.25,
    0.5,
    0.75,
    1,
    2.5,
    5,
    7.5,
    10,
    20,
    40,
    80,
    160,
    640,
    2560,
)
ITL = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80)
ITERATION = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
HTTP_HIGH = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60)
HTTP_LOW = (0.1, 0.5, 1)
TOKENS = tuple(step * 10**power for power in range(5) for step in (1, 2, 5))[:-1]
"""1, 2, 5, 10 … 20000: what vLLM makes of a context of 32,768 tokens."""


@dataclass(slots=True)
class Histogram:
    """Counts per bucket (not cumulative; the last is +Inf), the number of observations and their sum."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    count: int = 0
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float, times: int = 1) -> None:
        """Count ``value`` ``times`` times."""
        self.counts[bisect_left(self.bounds, value)] += times
        self.count += times
        self.sum += value * times

    def cumulative(self) -> Iterator[int]:
        """Counts at or below each bound, then the total (``le="+Inf"``)."""
        total = 0
        for count in self.counts:
            total += count
            yield total


@dataclass(slots=True)
class Tally:
    """Everything an engine counts since it was started."""

    prompt_tokens: int = 0
    """Prompt tokens of finished prefills, cached ones included."""
    prompt_cached: int = 0
    prefix_queries: int = 0
    """Prompt tokens looked up in the prefix cache, counted when a request is admitted."""
    prefix_hits: int = 0
    finished_tokens: int = 0
    """Output tokens of finished requests."""
    longest: int = 0
    """Most tokens (prompt and output) any request has had."""
    finished: dict[str, int] = field(default_factory=lambda: {"stop": 0, "length": 0, "abort": 0})
    ttft: Histogram = field(default_factory=lambda: Histogram(TTFT))
    itl: Histogram = field(default_factory=lambda: Histogram(ITL))
    per_token: Histogram = field(default_factory=lambda: Histogram(ITL))
    e2e: Histogram = field(default_factory=lambda: Histogram(LATENCY))
    queue: Histogram = field(default_factory=lambda: Histogram(LATENCY))
    inference: Histogram = field(default_factory=lambda: Histogram(LATENCY))
    prefill: Histogram = field(default_factory=lambda: Histogram(LATENCY))
    decode: Histogram = field(default_factory=lambda: Histogram(LATENCY))
    request_prompt: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_generation: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_limit: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    request_computed: Histogram = field(default_factory=lambda: Histogram(TOKENS))
    iteration: Histogram = field(default_factory=lambda: Histogram(ITERATION))
    """Tokens per step of the engine."""
    http_high: Histogram = field(default_factory=lambda: Histogram(HTTP_HIGH))
    http_low: Histogram = field(default_factory=lambda: Histogram(HTTP_LOW))

    @property
    def requests(self) -> int:
        """Finished requests, whatever ended them."""
        return sum(self.finished.values())
