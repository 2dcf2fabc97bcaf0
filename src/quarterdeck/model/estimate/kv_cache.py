"""Bytes of the KV cache, exactly.

Per token and layer: kv_heads × (key_length + value_length) × bytes per value (llama.cpp ``n_embd_k_gqa +
n_embd_v_gqa``; vLLM ``AttentionSpec.page_size_bytes`` / ``MLAAttentionSpec``). A latent layer stores rank + rope values
once; a sliding layer keeps at most its window; a recurrent layer has a constant state per sequence. With tensor
parallelism a GPU holds ⌈kv_heads / tp⌉ heads, at least one: heads are replicated where there are fewer than GPUs, and a
latent layer is never split.
"""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.model.estimate.architecture import Architecture, Kind, Layer

_BYTES_OF_32 = {
    "f32": 128,
    "f16": 64,
    "bf16": 64,
    "fp8": 32,
    "int8": 32,
    "q8_0": 34,
    "q5_1": 24,
    "q5_0": 22,
    "q4_1": 20,
    "q4_0": 18,
    "iq4_nl": 18,
    "nvfp4": 18,
}
"""Bytes of 32 cached values: ggml's blocks of 32 have a 2-byte scale (and offset), NVFP4's of 16 a 1-byte one."""
_ALIASES = {
    "float32": "f32",
    "fp32": "f32",
    "float": "f32",
    "float16": "f16",
    "fp16": "f16",
    "half": "f16",
    "bfloat16": "bf16",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "fp8_inc": "fp8",
    "int8_per_token_head": "int8",
}
DTYPES = tuple(_BYTES_OF_32)
"""The types of cached values that are known here; "auto" and "" are the model's own, else 16 bits."""


def cache_type(arch: Architecture, dtype: str) -> str | None:
    """The plain name of a cache type as any engine words it; ``None`` where it isn't known."""
    name = dtype.strip().lower().removeprefix("torch.")
    if name in ("", "auto"):
        name = arch.dtype or "f16"
    name = _ALIASES.get(name, name)
    return name if name in _BYTES_OF_32 else None


def kv_bytes_per_token(arch: Architecture, dtype: str = "f16", *, beyond_windows: bool = False) -> int | None:
    """What one more token of one sequence takes; ``beyond_windows``: when every sliding window is full already."""
    name = cache_type(arch, dtype)
    if name is None:
        return None
    growing = (layer for layer in arch.layers if not (beyond_windows and layer.kind is Kind.SLIDING))
    return sum(_tokens_bytes(layer, 1, name, 1) for layer in growing)


def state_bytes(arch: Architecture) -> int | None:
    """What a sequence takes whatever its length; ``None`` where a layer's state isn't known."""
    states = [layer.state_bytes for layer in arch.layers]
    known = [each for each in states if each is not None]
    return sum(known) if len(known) == len(states) else None


def kv_bytes(
    arch: Architecture,
    context: int,
    sequences: int = 1,
    dtype: str = "f16",
    *,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    window_slack: int = 0,
) -> int | None:
    """The cache of ``sequences`` sequences of ``context`` tokens on one GPU (of the fullest pipeline stage).

    ``window_slack``: tokens that the engine keeps beyond a sliding window (llama.cpp: a micro-batch). ``None`` where
    the type or a state isn't known.
    """
    name = cache_type(arch, dtype)
    if name is None or state_bytes(arch) is None:
        return None
    stage = -(-len(arch.layers) // max(1, pipeline_parallel)) or 1
    stages = (arch.layers[start : start + stage] for start in range(0, len(arch.layers), stage))
    ways = max(1, tensor_parallel)
    each = (sum(_layer_bytes(layer, context, name, ways, window_slack) for layer in layers) for layers in stages)
    return max(each, default=0) * max(0, sequences)


def missing_for_kv(arch: Architecture, dtype: str) -> tuple[str, ...]:
    """Why `kv_bytes` is ``None``, as names of inputs."""
    states = _count(layer for layer in arch.layers if layer.state_bytes is None)
    return (
        *([f"the KV cache type {dtype!r}"] if cache_type(arch, dtype) is None else []),
        *([f"the recurrent state of {states} layers of {arch.name}"] if states else []),
    )


def _layer_bytes(layer: Layer, context: int, dtype: str, ways: int, slack: int) -> int:
    held = context if layer.window is None else min(context, layer.window + slack)
    return _tokens_bytes(layer, max(0, held), dtype, ways) + -(-(layer.state_bytes or 0) // ways)


def _tokens_bytes(layer: Layer, tokens: int, dtype: str, ways: int) -> int:
    heads = -(-layer.kv_heads // ways)
    values = tokens * heads * (layer.key_length + layer.value_length)
    return -(-values * _BYTES_OF_32[dtype] // 32) + tokens * layer.index_bytes


def _count(layers: Iterable[Layer]) -> int:
    return sum(1 for _ in layers)
