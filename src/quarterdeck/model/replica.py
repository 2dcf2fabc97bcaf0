"""One of the engines that an endpoint runs, as the fleet sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """One engine of an endpoint: a data-parallel rank, or one model's."""

    engine: str
    running: int | None = None
    waiting: int | None = None
    generation_tps: float | None = None
    kv_used: float | None = None
    prompt_tps: float | None = None
    ttft_p95_s: float | None = None
    """Of the last minute, as the next."""
    itl_p95_s: float | None = None
    odd: tuple[str, ...] = ()
    """In what it differs from its siblings, in words ("ITL 48 ms, the others 21 ms")."""
    is_model: bool = False
    """Whether ``engine`` is a model's name: the endpoint runs one engine for each (Ollama, llama.cpp's router)."""
