"""What decides how much memory a model takes: its layers, heads and parameters. Read by `gguf` and `huggingface`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a layer remembers of the tokens it has seen."""

    FULL = "full attention"
    """A key and a value of every token, per KV head."""
    SLIDING = "sliding window"
    """The same, of the last ``window`` tokens."""
    LATENT = "latent attention (MLA)"
    """One compressed vector of every token, whatever the number of heads."""
    STATE = "recurrent state"
    """A state of constant size per sequence (Mamba, gated delta net, short convolution)."""
    NONE = "nothing"
    """A layer without a cache of its own: no attention, or the cache of an earlier layer."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's cache. Per token it holds ``elements`` values of the cache's type and ``index_bytes`` bytes."""

    kind: Kind
    kv_heads: int = 0
    key_length: int = 0
    value_length: int = 0
    """Values per KV head and token. A latent layer has one head, whose key is rank + rope long, and no value."""
    window: int | None = None
    """Tokens that a sliding layer keeps."""
    state_bytes: int | None = 0
    """Per sequence, of a recurrent layer; ``None`` = it has a state whose size isn't known."""
    index_bytes: int = 0
    """Per token, of the keys by which sparse attention chooses (DeepSeek-V3.2, GLM-5): FP8 with a scale per 128."""

    @property
    def elements(self) -> int:
        """Values per token: kv_heads × (key_length + value_length)."""
        return self.kv_heads * (self.key_length + self.value_length)


@dataclass(frozen=True, slots=True)
class Parameters:
    """How many parameters lie where: quantisation treats these parts differently."""

    embedding: int = 0
    """Token (and position) embeddings, and the output head where it isn't the same."""
    attention: int = 0
    feed_forward: int = 0
    """Of dense layers, and experts that every token passes."""
    experts: int = 0
    rest: int = 0
    """Norms, routers, biases."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.embedding + self.attention + self.feed_forward + self.experts + self.rest


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model as far as its memory goes. ``None`` = not told."""

    name: str
    """``general.architecture`` of a GGUF, ``model_type`` of a Hugging Face model."""
    layers: tuple[Layer, ...]
    heads: int | None = None
    """Query heads (the most that a layer has)."""
    hidden_size: int | None = None
    vocab_size: int | None = None
    max_context: int | None = None
    """Tokens that it was trained for."""
    parameters: int | None = None
    """As told, else counted from the shape."""
    parts: Parameters | None = None
    experts: int | None = None
    experts_used: int | None = None
    mla_rank: int | None = None
    mla_rope: int | None = None
    dtype: str | None = None
    """Of its unquantised weights: f32, f16 or bf16."""
    quantization: str | None = None
    """As its metadata says it: "Q4_K_M", "fp8", "awq-4-g128"."""
    notes: tuple[str, ...] = ()
    """What makes its cache a bound."""
    uncounted: tuple[str, ...] = ()
    """What ``parameters`` lacks, where they were counted."""

    def of_kind(self, kind: Kind) -> int:
        """How many of its layers are of ``kind``."""
        return sum(layer.kind is kind for layer in self.layers)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What can't be estimated, and which inputs are missing for it."""

    what: tuple[str, ...]
