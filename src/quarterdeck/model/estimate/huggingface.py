"""A Hugging Face model's shape from its config.json."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.model.estimate.architecture import Architecture, Parameters, Unknown
from quarterdeck.model.estimate.fields import MOST_LAYERS, NOTHING, Fields, array, mapping
from quarterdeck.model.estimate.hf_layers import heads, layers
from quarterdeck.model.estimate.hf_parameters import parameters

_NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
_DEFAULTS: Mapping[str, Mapping[str, object]] = {
    "gemma3_text": {
        "vocab_size": 262_208, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
        "max_position_embeddings": 131_072,
    },
}  # fmt: skip
"""What published configs leave out because transformers' class has it."""
_BLOCKS = {"mamba": "M", "attention": "*", "moe": "E", "mlp": "-"}
_DTYPES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "float": "f32", "half": "f16"}


def from_hf_config(config: Mapping[str, object]) -> Architecture | Unknown:
    """The shape in ``config``, of its language part where it has several; the names of what is missing for it.

    Parameters are counted from the shape: an encoder for images or sound isn't among them. Never raises.
    """
    outer, text = mapping(config), _language(mapping(config))
    name = Fields(text).text("model_type") or Fields(outer).text("model_type")
    if name is None:
        return Unknown(("model_type",))
    fields = Fields({**_DEFAULTS.get(name, {}), **_inherited(outer), **text, **_letters(text)})
    count = fields.need("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    if count > MOST_LAYERS:
        return Unknown(("num_hidden_layers (a sensible number)",))
    found = layers(fields, name, count)
    if fields.missing:
        return Unknown(tuple(dict.fromkeys(fields.missing)))
    parts = parameters(fields, name, found)
    return Architecture(
        name,
        tuple(found),
        heads=heads(fields),
        hidden_size=fields.whole("hidden_size", "n_embd", "d_model"),
        vocab_size=fields.whole("vocab_size"),
        max_context=fields.whole(
            "max_position_embeddings", "n_positions", "seq_length", "max_seq_len", "model_max_length"
        ),
        parameters=parts.total if parts else None,
        parts=parts,
        experts=fields.whole("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
        experts_used=fields.whole("num_experts_per_tok", "experts_per_token", "top_k_experts"),
        mla_rank=fields.whole("kv_lora_rank"),
        mla_rope=fields.whole("qk_rope_head_dim") if fields.whole("kv_lora_rank") else None,
        dtype=_dtype(fields),
        quantization=_quantization(mapping(fields.get("quantization_config"))),
        uncounted=_uncounted(outer, fields, parts),
    )


def _language(config: Mapping[str, object]) -> Mapping[str, object]:
    """The innermost part that describes the language model."""
    for _ in range(3):
        inner = next((mapping(config.get(key)) for key in _NESTED if mapping(config.get(key))), None)
        if inner is None:
            break
        config = inner
    return config


def _inherited(outer: Mapping[str, object]) -> Mapping[str, object]:
    keys = ("quantization_config", "torch_dtype", "dtype", "tie_word_embeddings")
    return {key: outer[key] for key in keys if key in outer}


def _letters(text: Mapping[str, object]) -> Mapping[str, object]:
    """Later Nemotron-H configs name each layer; earlier ones have a letter for it."""
    named = array(text.get("layers_block_type"))
    letters = "".join(_BLOCKS.get(str(each), "?") for each in named or ())
    if not letters or "?" in letters or text.get("model_type") != "nemotron_h":
        return NOTHING
    return {"hybrid_override_pattern": letters, "num_hidden_layers": len(letters)}


def _dtype(fields: Fields) -> str | None:
    told = fields.text("torch_dtype", "dtype")
    return _DTYPES.get(told.lower().removeprefix("torch.")) if told else None


def _quantization(config: Mapping[str, object]) -> str | None:
    """``quantization_config`` as a name that `weights.scheme` knows, or doesn't ("… of several types")."""
    fields = Fields(config)
    method = (fields.text("quant_method") or "").lower()
    groups = [Fields(mapping(mapping(each).get("weights"))) for each in mapping(config.get("config_groups")).values()]
    if len(groups) > 1:
        return f"{method} of several types"
    if method == "compressed-tensors":
        return _compressed(groups[0]) if groups else method
    if method in ("awq", "gptq", "auto-round"):
        return _grouped(method, fields)
    if method == "bitsandbytes":
        return "int8" if config.get("load_in_8bit") is True else "bitsandbytes"
    if method == "modelopt":
        algorithm = (fields.text("quant_algo") or "").upper()
        return (
            "nvfp4" if "FP4" in algorithm else "fp8" if algorithm.startswith("FP8") else f"{method} {algorithm}".strip()
        )
    return method or None


def _compressed(weights: Fields) -> str:
    bits = weights.whole("num_bits") or 0
    if weights.text("type") == "int":
        return "int8" if bits == 8 else _grouped("int", weights)
    float4 = "mxfp4" if weights.whole("group_size") == 32 else "nvfp4"
    return {8: "fp8", 4: float4}.get(bits, f"compressed-tensors with {bits} bits")


def _grouped(method: str, fields: Fields) -> str:
    bits, group = fields.whole("bits", "w_bit", "num_bits"), fields.whole("group_size", "q_group_size")
    return f"{method}-{bits or 4}-g{group or 0}"


def _uncounted(outer: Mapping[str, object], fields: Fields, parts: Parameters | None) -> tuple[str, ...]:
    missing = [
        f"its {key.removesuffix('_config')} part"
        for key in ("vision_config", "audio_config")
        if mapping(outer.get(key))
    ]
    if fields.whole("num_nextn_predict_layers", "mtp_num_hidden_layers"):
        missing.append("its layer for speculative tokens")
    uncounted = [f"{each} isn't among the counted parameters" for each in missing]
    return (*uncounted, *([] if parts else ["its parameters can't be counted from its config"]))
