"""A GGUF model's shape from its metadata: Ollama's ``/api/show`` ``model_info``, or the same keys read from a file.

Sources: gguf-py ``constants.py`` (keys), llama.cpp ``llama-hparams`` (defaults, ``set_swa_pattern``, ``n_embd_r`` and
``n_embd_s``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from quarterdeck.model.estimate.architecture import Architecture, Kind, Layer, Unknown
from quarterdeck.model.estimate.fields import MOST_LAYERS, NOTHING, Fields, array, mapping, whole

_SLIDING_PERIOD = {
    "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "gptoss": 2, "cohere2": 4, "exaone4": 4,
    "olmo2": 4, "plamo3": 8,
}  # fmt: skip
"""Every n-th layer attends to everything, the others to a window, where the file doesn't say so."""
_NOT_UNDERSTOOD = ("deepseek4", "plamo2", "rwkv6", "rwkv7", "rwkv6qwen2", "arwkv7")
"""Whose caches are not computed here (compressed ones, other recurrences)."""
_HYBRID_PERIOD = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
"""Every n-th layer is attention, the others recurrent."""
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}  # fmt: skip
"""``general.file_type`` (llama.cpp ``llama_ftype``)."""
_SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([KMBT])", re.IGNORECASE)
_SCALE = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_F32 = 4


def from_model_info(info: Mapping[str, object], details: Mapping[str, object] | None = None) -> Architecture | Unknown:
    """The shape in ``info``, with ``details`` for what it lacks; the names of what is missing where both lack it.

    Never raises. Ollama leaves out lists of more than five members unless it is asked with ``verbose``: a list that is
    needed is named.
    """
    info, details = mapping(info), mapping(details)
    name = Fields(info).text("general.architecture")
    if name is None:
        return Unknown(("general.architecture",))
    if name in _NOT_UNDERSTOOD:
        return Unknown((f"the caches of {name}",))
    fields = Fields(info, f"{name}.")
    count = fields.need("block_count")
    if count > MOST_LAYERS:
        return Unknown((f"{name}.block_count (a sensible one)",))
    layers, notes = _layers(fields, name, count)
    if fields.missing:
        return Unknown(tuple(fields.missing))
    tokens = info.get("tokenizer.ggml.tokens")
    rank = fields.whole("attention.kv_lora_rank")
    return Architecture(
        name,
        tuple(layers),
        heads=_heads(fields),
        hidden_size=fields.whole("embedding_length"),
        vocab_size=fields.whole("vocab_size") or (len(tokens) if isinstance(tokens, list | tuple) and tokens else None),
        max_context=fields.whole("context_length"),
        parameters=whole(info.get("general.parameter_count")) or _worded(details.get("parameter_size")),
        experts=fields.whole("expert_count"),
        experts_used=fields.whole("expert_used_count"),
        mla_rank=rank,
        mla_rope=fields.whole("rope.dimension_count") if rank else None,
        quantization=_quantization(info, details),
        notes=notes,
    )


def _layers(fields: Fields, name: str, count: int) -> tuple[list[Layer], tuple[str, ...]]:
    if fields.get("attention.causal") is False:
        return [Layer(Kind.NONE)] * count, ()
    heads = _heads(fields)
    kv_heads = fields.per_layer("attention.head_count_kv", count, heads)
    head_length = _head_length(fields, heads)
    if kv_heads is None or head_length is None:
        return [], ()
    key = fields.whole("attention.key_length") or head_length
    value = fields.whole("attention.value_length") or head_length
    rank = fields.whole("attention.kv_lora_rank")
    if rank and (fields.whole("attention.key_length_mla") or max(kv_heads) <= 1):
        full = [Layer(Kind.LATENT, 1, rank + fields.need("rope.dimension_count"), 0)] * count
        notes: tuple[str, ...] = ()
    else:
        full = [Layer(Kind.FULL, each, key, value) for each in kv_heads]
        notes = ("converted before llama.cpp knew MLA: keys and values of every head are cached",) if rank else ()
    window = fields.whole("attention.sliding_window")
    if window and not rank:
        full, notes = _with_windows(fields, name, full, window)
    return _without_caches(fields, name, full, kv_heads), notes


def _heads(fields: Fields) -> int | None:
    value = fields.get("attention.head_count")
    listed = [each for each in map(whole, array(value) or ()) if each]
    return whole(value) or max(listed, default=None)


def _head_length(fields: Fields, heads: int | None) -> int | None:
    """``attention.key_length``, else embedding_length / head_count."""
    told = fields.whole("attention.key_length")
    if told:
        return told
    if heads is None:
        fields.miss("attention.head_count")
        return None
    return max(1, fields.need("embedding_length") // heads)


def _with_windows(fields: Fields, name: str, full: list[Layer], window: int) -> tuple[list[Layer], tuple[str, ...]]:
    slides = _pattern(fields.get("attention.sliding_window_pattern"), len(full)) or _period(name, len(full))
    if slides is None:
        return full, ("which layers have a sliding window isn't told: counted as full attention, an upper bound",)
    key, value = fields.whole("attention.key_length_swa"), fields.whole("attention.value_length_swa")
    return [
        Layer(Kind.SLIDING, layer.kv_heads, key or layer.key_length, value or layer.value_length, window)
        if slid
        else layer
        for layer, slid in zip(full, slides, strict=True)
    ], ()


def _pattern(told: object, count: int) -> list[bool] | None:
    """A flag per layer (repeated as needed), or a period whose last layer is full; 0 = none is, 1 = all are."""
    period = whole(told, least=0)
    if period is not None:
        return [period == 0 or place % period < period - 1 for place in range(count)]
    flags: Sequence[object] = array(told) or ()
    if not flags or not all(isinstance(each, bool) or each in (0, 1) for each in flags):
        return None
    return [bool(flags[place % len(flags)]) for place in range(count)]


def _period(name: str, count: int) -> list[bool] | None:
    return _pattern(_SLIDING_PERIOD.get(name), count)


def _without_caches(fields: Fields, name: str, layers: list[Layer], kv_heads: list[int]) -> list[Layer]:
    """The layers as they are, but for recurrent ones, ones without attention, and the last ones where they share."""
    count = len(layers)
    period = fields.whole("full_attention_interval") or _HYBRID_PERIOD.get(name)
    states = [heads == 0 for heads in kv_heads]
    if period and not any(states):
        states = [(place + 1) % period != 0 for place in range(count)]
    if fields.whole("ssm.state_size") and not any(states):
        fields.miss("attention.head_count_kv", "which layers are recurrent isn't told")
    state = Layer(Kind.STATE, state_bytes=_state_bytes(fields)) if any(states) else None
    widths = [whole(each, least=0) for each in fields.array("feed_forward_length") or ()]
    shared = count - (fields.whole("attention.shared_kv_layers") or 0)
    out = []
    for place, layer in enumerate(layers):
        only_feeds = name.startswith("nemotron_h") and place < len(widths) and bool(widths[place])
        idle = place >= shared or (states[place] and only_feeds)
        out.append(Layer(Kind.NONE) if idle else state if states[place] and state else layer)
    return out


def _state_bytes(fields: Fields) -> int | None:
    """32-bit values: (conv − 1) × (inner + 2 × groups × state) + inner × state; or short convolutions; or Kimi's."""
    convolution, inner, state = (fields.whole(f"ssm.{key}") for key in ("conv_kernel", "inner_size", "state_size"))
    head, heads, hidden = fields.whole("kda.head_dim"), _heads(fields), fields.whole("embedding_length")
    short = fields.whole("shortconv.l_cache")
    if short and hidden:
        return (short - 1) * hidden * _F32
    if head and heads and convolution:
        return (3 * (convolution - 1) + head) * heads * head * _F32
    if convolution and inner and state:
        groups = fields.whole("ssm.group_count", least=0) or 0
        return ((convolution - 1) * (inner + 2 * groups * state) + inner * state) * _F32
    return None


def _worded(size: object) -> int | None:
    """ "8.0B" as a number."""
    match = _SIZE.fullmatch(size.strip()) if isinstance(size, str) else None
    return round(float(match[1]) * _SCALE[match[2].upper()]) if match else None


def _quantization(info: Mapping[str, object], details: Mapping[str, object]) -> str | None:
    told = Fields(details or NOTHING).text("quantization_level")
    if told and told.lower() != "unknown":
        return told
    file_type = whole(info.get("general.file_type"), least=0)
    return _FILE_TYPES.get(file_type) if file_type is not None else None
