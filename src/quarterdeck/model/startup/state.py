"""What is known of a start, and what an engine's reader is made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from quarterdeck.model.startup.lines import BarLine


@dataclass(frozen=True, slots=True)
class StartupFacts:
    """What the server found out about itself; ``None`` where the log didn't tell (yet). Sizes in bytes, times in seconds."""

    version: str | None = None
    architecture: str | None = None
    """vLLM: "Resolved architecture"."""
    checkpoint: int | None = None
    """Size of the weights' files (vLLM: "Checkpoint size")."""
    weights: int | None = None
    """What the weights take: of one GPU's process in vLLM, the largest ("Model loading took"); of all devices in llama.cpp."""
    kv_available: int | None = None
    """For the KV cache: of one GPU's process in vLLM, the smallest ("Available KV cache memory"); the cache itself in llama.cpp."""
    kv_tokens: int | None = None
    """Tokens that fit into the KV cache."""
    max_model_len: int | None = None
    """Tokens one request may have (llama.cpp: of a slot)."""
    max_concurrency: float | None = None
    """How many requests of that length fit at a time (llama.cpp: slots)."""
    cuda_graphs: int | None = None
    layers_on_gpu: str | None = None
    """llama.cpp: "62 of 62"."""
    weights_s: float | None = None
    engine_s: float | None = None
    port: int | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Startup:
    """How far a server's start is, by its log. Being ready is /health 200, never this."""

    engine: str
    phase: str = "starting"
    detail: str = ""
    """How far the phase is, in its own steps ("2 of 4")."""
    fraction: float = 0.0
    """0 to 1, an estimate by the order of the phases and the progress within; never smaller than it was. 1 = the log says it serves."""
    facts: StartupFacts = field(default_factory=StartupFacts)
    cause: str | None = None
    """Why it failed, in words."""
    advice: str = ""
    """What to try; "" where there is nothing to say."""
    ready_hint: bool = False
    """The log says that it serves."""
    sure: bool = False
    """``cause`` is a known one and stays, whatever follows but serving."""
    suspect: str = ""
    """The first error that is none of the known causes, cleaned."""
    failed: bool = False
    """The log says that the start failed."""
    step: int = 0
    """Place of ``phase`` in the engine's order."""

    @property
    def fatal(self) -> str | None:
        """Why it failed and what to try, on one line. A server may survive what looks fatal: it is final when the process has ended."""
        if self.cause is None:
            return None
        return f"{self.cause}: {self.advice}" if self.advice else self.cause


Place = tuple[int, float]
"""Which phase, and how far it is."""
Say = Callable[[re.Match[str]], tuple[str, str]]
"""The cause and the advice, in words."""


class Cause(NamedTuple):
    """A text that is fatal, and what it means."""

    pattern: re.Pattern[str]
    say: Say


class Reader(NamedTuple):
    """How an engine's log is read."""

    phases: tuple[tuple[str, float], ...]
    """Name and where its part of the bar begins, in order; the last one is serving."""
    place: Callable[[str, BarLine | None], Place | None]
    facts: Callable[[Startup, str], Startup]
    causes: tuple[Cause, ...]
    failures: tuple[str, ...] = ()
    """Texts that say that it failed, not why."""
    heads: tuple[str, ...] = ()
    """Those of ``failures`` that come before the why."""
    error: re.Pattern[str] | None = None
    """A line that is an error; the default is an exception's last line."""
