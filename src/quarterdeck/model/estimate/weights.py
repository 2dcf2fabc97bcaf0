"""Bytes of a model's weights: its file's size, else parameters × bits per weight.

Sources: GGUF bits per weight as measured for Llama 3.1 8B (llama.cpp, tools/quantize/README.md) and ggml's block sizes;
a scale of 16 bits and a zero of its own width per group (AWQ, GPTQ); MXFP4 a scale byte per 32, NVFP4 per 16 (OCP MX;
NVIDIA).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.model.estimate.architecture import Architecture, Parameters, Unknown
from quarterdeck.model.estimate.figure import Figure, within


class Covers(StrEnum):
    """Which parameters a scheme quantises. The others keep their 16 bits."""

    ALL = "all"
    """GGUF: the bits are an average over the whole file."""
    LINEAR = "linear"
    """Attention, feed-forward and experts; not embeddings, output head, norms and routers."""
    EXPERTS = "experts"


@dataclass(frozen=True, slots=True)
class Scheme:
    """A quantisation: ``bits`` per weight, scales included, of the parameters that it covers."""

    bits: float
    covers: Covers = Covers.ALL


_GGUF_BITS = {
    "f32": 32.0, "f16": 16.0, "bf16": 16.0, "q8_0": 8.5, "q6_k": 6.56, "q5_k_m": 5.70, "q5_k_s": 5.57, "q5_k": 5.70,
    "q5_1": 6.0, "q5_0": 5.5, "q4_k_m": 4.89, "q4_k_s": 4.67, "q4_k": 4.89, "q4_1": 5.0, "q4_0": 4.5, "iq4_nl": 4.68,
    "iq4_xs": 4.46, "q3_k_l": 4.30, "q3_k_m": 4.00, "q3_k_s": 3.64, "q3_k": 4.00, "iq3_m": 3.76, "iq3_s": 3.66,
    "iq3_xs": 3.50, "iq3_xxs": 3.25, "q2_k": 3.16, "q2_k_s": 2.97, "iq2_m": 2.93, "iq2_s": 2.74, "iq2_xs": 2.59,
    "iq2_xxs": 2.38, "iq1_m": 2.15, "iq1_s": 2.00, "tq1_0": 1.69, "tq2_0": 2.06, "mxfp4_moe": 4.25,
}  # fmt: skip
_OTHERS = {
    "fp8": Scheme(8.0, Covers.LINEAR),
    "int8": Scheme(8.0, Covers.LINEAR),
    "mxfp8": Scheme(8.25, Covers.LINEAR),
    "mxfp4": Scheme(4.25, Covers.EXPERTS),
    "nvfp4": Scheme(4.5, Covers.LINEAR),
    "bitsandbytes": Scheme(4.5, Covers.LINEAR),
}
_SAME = {
    "float32": "f32", "fp32": "f32", "float16": "f16", "fp16": "f16", "half": "f16", "bfloat16": "bf16", "none": "bf16",
    "fbgemm_fp8": "fp8", "fp8_e4m3": "fp8", "ptpc_fp8": "fp8", "w8a8": "int8", "bnb": "bitsandbytes",
    "nf4": "bitsandbytes",
    "modelopt": "fp8", "modelopt_fp4": "nvfp4", "fp4": "nvfp4",
}  # fmt: skip
_GROUPED = re.compile(
    r"(?:awq|gptq|int|w|hqq|autoround|auto-round)[-_]?(?P<bits>[2-8])?(?:a16)?(?:-g(?P<group>\d{1,5}))?"
)
_COMPUTED = 0.05


def scheme(name: str) -> Scheme | None:
    """The quantisation of a name: GGUF's ("Q4_K_M"), vLLM's ("awq_marlin", "fp8"), with a group ("gptq-4-g64")."""
    plain = name.strip().lower().removesuffix("_marlin")
    plain = _SAME.get(plain, plain)
    if plain in _GGUF_BITS:
        return Scheme(_GGUF_BITS[plain])
    if plain in _OTHERS:
        return _OTHERS[plain]
    grouped = _GROUPED.fullmatch(plain)
    if grouped is None:
        return None
    bits, group = int(grouped["bits"] or 4), int(grouped["group"] or 128)
    return Scheme(bits + (16 + bits) / group if group else float(bits), Covers.LINEAR)


def weights_bytes(
    arch: Architecture | None, *, file_bytes: int | None = None, quantization: str | None = None
) -> Figure | Unknown:
    """What the weights take in memory, on all GPUs together; the names of what is missing where nobody can tell.

    The file's size is within a few per cent: token embeddings may stay in RAM (llama.cpp), padding and a part of the
    layers' norms are added or replicated. Without it, parameters × bits (± 5 %: mixes of types differ from model to
    model).
    """
    if file_bytes is not None and file_bytes > 0:
        return within(file_bytes, 0.95, 1.02, "file size")
    if arch is None or arch.parameters is None:
        return Unknown(("the size of the weights' files", "the number of parameters"))
    name = quantization or arch.quantization or arch.dtype
    if name is None:
        return Unknown(("the quantisation of the weights",))
    found = scheme(name)
    if found is None:
        return Unknown((f"the bits per weight of {name}",))
    count, shown = arch.parameters, f"{arch.parameters / 1e9:.2f}B parameters"
    if found.covers is Covers.ALL or arch.parts is None:
        return within(_bytes(count, found.bits), 1 - _COMPUTED, 1 + _COMPUTED, f"{shown} × {found.bits:.2f} bits")
    covered = min(count, _covered(arch.parts, found.covers))
    mixed = _bytes(covered, found.bits) + _bytes(count - covered, 16)
    method = f"{shown}: {covered / 1e9:.2f}B × {found.bits:.2f} bits, the rest × 16"
    return within(mixed, 1 - _COMPUTED, 1 + _COMPUTED, method)


def _covered(parts: Parameters, covers: Covers) -> int:
    return parts.experts if covers is Covers.EXPERTS else parts.attention + parts.feed_forward + parts.experts


def _bytes(count: int, bits: float) -> int:
    return round(count * bits / 8)
