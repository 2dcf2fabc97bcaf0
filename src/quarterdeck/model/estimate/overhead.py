"""What a GPU holds beside weights and cache: CUDA context, compute buffers, CUDA graphs. Rough, hence wide bounds."""

from __future__ import annotations

from quarterdeck.model.estimate.architecture import Architecture
from quarterdeck.model.estimate.figure import Figure

MIB = 2**20
LLAMA_ENGINES = ("ollama", "llamacpp", "llama-server", "llama-swap", "lmstudio")
"""llama.cpp inside: layers that don't fit on GPUs stay in RAM."""
POOL_ENGINES = ("vllm", "sglang")
"""They take a share of the GPU's memory at start, and all of it that is left becomes KV cache."""
MICRO_BATCH = 512
"""Tokens that llama.cpp computes at once (``--ubatch-size``)."""

_CONTEXT = Figure(460 * MIB, 300 * MIB, 614 * MIB, "CUDA context")
"""0.3–0.6 GiB per process and GPU."""
_LEAST_BUFFER = 200 * MIB


def overhead(engine: str, arch: Architecture | None = None) -> Figure:
    """Of one GPU.

    llama.cpp's compute buffer is the logits of a micro-batch (512 × vocabulary × 4 bytes: 250 MiB for Llama 3.1 8B, its
    log says 258), twice that at most. vLLM profiles with a batch of thousands of tokens (0.2–2 GiB) and captures CUDA
    graphs (0.5–3 GiB).
    """
    if engine in LLAMA_ENGINES:
        logits = max(_LEAST_BUFFER, MICRO_BATCH * (arch.vocab_size or 0) * 4) if arch else _LEAST_BUFFER
        most = 2 * logits if arch and arch.vocab_size else 2048 * MIB
        return _beside(Figure(logits, _LEAST_BUFFER, most, "compute buffer"))
    if engine in POOL_ENGINES:
        return _beside(Figure(1588 * MIB, 724 * MIB, 5120 * MIB, "activations and CUDA graphs"))
    return _beside(Figure(564 * MIB, _LEAST_BUFFER, 2048 * MIB, "compute buffers"))


def _beside(buffers: Figure) -> Figure:
    low, high = _CONTEXT.low + buffers.low, _CONTEXT.high + buffers.high
    return Figure(_CONTEXT.bytes + buffers.bytes, low, high, f"{_CONTEXT.method}, {buffers.method}")
