"""The two nouns of `quarterdeck.demo.load`: what an engine can do, and one request."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What an engine can do and what is asked of it. Seconds and tokens."""

    max_seqs: int = 32
    kv_tokens: int = 160_000
    step_s: float = 0.018
    """One decode step of a batch of one."""
    step_per_seq_s: float = 0.0002
    prefill_tps: float = 9000.0
    overhead_s: float = 0.02
    """From arrival to the start of the prefill when nothing is in the way."""
    arrivals: float = 1.0
    """Requests per second, on average; 0 for an engine that serves only real requests."""
    swing: float = 0.35
    """How much the arrivals go up and down, as a part of the average."""
    swing_s: float = 170.0
    prompt_median: float = 900.0
    output_median: float = 260.0
    cache_hits: float = 0.5
    """Part of the requests that find a prefix of their prompt in the cache."""


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through the engine. Times are ``None`` until they happen."""

    arrived: float
    prompt: int
    output: int
    """Tokens it will produce; a client's limit (``limit``) included."""
    limit: int
    cached: int = 0
    number: int = 0
    slot: int = -1
    admitted: float | None = None
    first_at: float | None = None
    """When its prefill ends; until ``first`` only a plan."""
    first: float | None = None
    """When the first token was there."""
    start: float = 0.0
    """Decode progress at its first token."""
    finished: float | None = None
    made: int = 0
    """Output tokens at the end."""
