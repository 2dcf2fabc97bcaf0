"""The models of an endpoint: what they are, and whether they are in memory."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ModelState(StrEnum):
    """Where a model of an endpoint is in its life."""

    LOADED = "loaded"
    LOADING = "loading"
    SLEEPING = "sleeping"
    INSTALLED = "installed"
    """On the server's disk, not in memory."""
    SERVED = "served"
    """Listed by a server that doesn't tell whether it is in memory."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ModelReading:
    """One model of an endpoint."""

    id: str
    state: ModelState
    size_bytes: int | None = None
    """Memory taken when loaded (Ollama ``/api/ps`` size), else the size on disk."""
    vram_bytes: int | None = None
    """The part of ``size_bytes`` on GPUs (Ollama ``size_vram``)."""
    context_length: int | None = None
    """Tokens per sequence, as in force now."""
    expires_at: float | None = None
    """Unix seconds when the model is unloaded; ``inf`` = never."""
    quantization: str | None = None
    parameters: str | None = None
    """As the server words it, such as "8.0B"."""
    parent: str | None = None
    """The model that this LoRA adapter belongs to."""
    remote: str | None = None
    """Where it really runs, where the server only forwards to it (Ollama ``remote_host``)."""

    @property
    def label(self) -> str:
        """The id for people: the file's name where the server gives its path (llama-server without --alias)."""
        is_path = self.id.startswith(("/", "./", "~/")) or self.id.endswith(".gguf")
        return self.id.rstrip("/").rpartition("/")[2] or self.id if is_path else self.id
