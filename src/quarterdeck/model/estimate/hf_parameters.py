"""How many parameters a Hugging Face model has, counted from its config.json.

Per layer: attention q + k + v + o (MLA: its low-rank pairs), a feed-forward of two or three matrices (or experts, a
router and shared experts), norms. Source: transformers' modelling classes; the counts agree with the published ones to
the parameter for plain models.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.estimate.architecture import Kind, Layer, Parameters
from quarterdeck.model.estimate.fields import Fields
from quarterdeck.model.estimate.hf_layers import head_length, heads, kv_heads

_TWO_MATRICES = {
    "opt", "falcon", "gpt2", "gptj", "gpt_neox", "gpt_bigcode", "starcoder2", "phi", "bloom", "mpt", "nemotron",
    "nemotron_h", "RefinedWebModel", "RefinedWeb",
}  # fmt: skip
"""Feed-forwards without a gate."""
_TIED = {
    "opt",
    "falcon",
    "gpt2",
    "gpt_bigcode",
    "bloom",
    "mpt",
    "cohere",
    "cohere2",
    "lfm2",
    "RefinedWebModel",
    "RefinedWeb",
}
"""Whose output head is the embedding where the config doesn't say; so is every Gemma's."""
_BIASED_QKV = {"qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl_text"}
_NORMED_QK = {"qwen3", "qwen3_moe", "qwen3_next", "gemma3_text", "gemma3", "qwen3_vl_text"}


def parameters(config: Fields, name: str, layers: Sequence[Layer]) -> Parameters | None:
    """Where its parameters lie; ``None`` where the config lacks a number, or has a layer that can't be counted here."""
    hidden = config.whole("hidden_size", "n_embd", "d_model")
    vocab = config.whole("vocab_size")
    if hidden is None or vocab is None or heads(config) is None or config.get("block_configs") is not None:
        return None
    attention = feed_forward = experts = routers = 0
    for place, layer in enumerate(layers):
        mixed = _mixer(config, name, hidden, layer)
        fed = _feed(config, name, hidden, place)
        if mixed is None or fed is None:
            return None
        attention += mixed
        feed_forward, experts, routers = feed_forward + fed[0], experts + fed[1], routers + fed[2]
    norms = len(layers) * _norms(config, name, hidden)
    rest = routers + norms + (2 if name in ("opt", "falcon") else 1) * hidden
    return Parameters(_embedding(config, name, hidden, vocab), attention, feed_forward, experts, rest)


def _embedding(config: Fields, name: str, hidden: int, vocab: int) -> int:
    told = config.get("tie_word_embeddings")
    tied = told if isinstance(told, bool) else name in _TIED or name.startswith("gemma")
    learned = config.whole("max_position_embeddings", "n_positions") if name in ("opt", "gpt2") else None
    positions = (learned or 0) + (2 if name == "opt" else 0)
    return hidden * (vocab * (1 if tied else 2) + positions)


def _norms(config: Fields, name: str, hidden: int) -> int:
    """Of a layer: two, with biases in OPT; Gemma 2 and later have four; Falcon (with a bias) and Nemotron-H one."""
    if config.get("hybrid_override_pattern") is not None:
        return hidden
    if name == "opt" or (name.startswith("gemma") and name != "gemma"):
        return 4 * hidden
    return 2 * hidden


def _mixer(config: Fields, name: str, hidden: int, layer: Layer) -> int | None:
    """The layer's attention, or what it has instead."""
    if config.get("hybrid_override_pattern") is not None and layer.kind is Kind.NONE:
        return 0
    if layer.kind is Kind.STATE:
        return _delta_net(config, hidden) or _mamba(config, hidden)
    if config.whole("kv_lora_rank"):
        return _latent(config, hidden)
    query, key = heads(config) or 1, layer.key_length or head_length(config)
    cached, value = layer.kv_heads or kv_heads(config, name), layer.value_length or key
    gated = 2 if config.get("attn_output_gate") is True or name == "qwen3_next" else 1
    matrices = hidden * (gated * query * key + cached * (key + value) + query * value)
    biased = name in _BIASED_QKV or config.get("attention_bias") is True or name == "opt"
    biases = query * key + cached * (key + value) if biased else 0
    biases += hidden if biased and name not in _BIASED_QKV else 0
    norms_or_sinks = 2 * key if name in _NORMED_QK else query if name == "gpt_oss" else 0
    return matrices + biases + norms_or_sinks


def _latent(config: Fields, hidden: int) -> int:
    query, rank, rope = heads(config) or 1, config.whole("kv_lora_rank") or 0, config.whole("qk_rope_head_dim") or 0
    plain, value = config.whole("qk_nope_head_dim") or 0, config.whole("v_head_dim") or 0
    low = config.whole("q_lora_rank")
    queries = hidden * low + low + low * query * (plain + rope) if low else hidden * query * (plain + rope)
    keys = hidden * (rank + rope) + rank + rank * query * (plain + value)
    return queries + keys + query * value * hidden


def _delta_net(config: Fields, hidden: int) -> int | None:
    names = ("linear_conv_kernel_dim", "linear_num_key_heads", "linear_key_head_dim", "linear_num_value_heads")
    kernel, keys, key, values = (config.whole(each) for each in names)
    value = config.whole("linear_value_head_dim")
    if not (kernel and keys and key and values and value):
        return None
    key_size, value_size = keys * key, values * value
    inputs = hidden * (2 * key_size + 2 * value_size + 2 * values) + kernel * (2 * key_size + value_size)
    return inputs + value_size * hidden + 2 * values + value


def _mamba(config: Fields, hidden: int) -> int | None:
    names = ("conv_kernel", "mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    kernel, count, head, state = (config.whole(each) for each in names)
    if not (kernel and count and head and state):
        return None
    inner, mixed = count * head, 2 * (config.whole("n_groups") or 1) * state
    return hidden * (2 * inner + mixed + count) + (kernel + 1) * (inner + mixed) + inner * hidden + 3 * count + inner


def _feed(config: Fields, name: str, hidden: int, place: int) -> tuple[int, int, int] | None:
    """Layer ``place``: parameters every token passes, experts', the router's."""
    letters = config.get("hybrid_override_pattern")
    letter = letters[place : place + 1] if isinstance(letters, str) else ""
    if letter in ("M", "*"):
        return 0, 0, 0
    matrices = 2 if name in _TWO_MATRICES else 3
    count = config.whole("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
    if count and (letter == "E" or (not letter and _has_experts(config, place))):
        return _experts(config, name, hidden, count, matrices)
    told = config.whole("intermediate_size_mlp", "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size")
    width = told or (4 * hidden if name in _TWO_MATRICES else None)
    if width is None:
        return None
    return matrices * hidden * width + (width + hidden if name == "opt" else 0), 0, 0


def _experts(config: Fields, name: str, hidden: int, count: int, matrices: int) -> tuple[int, int, int] | None:
    width = config.whole("moe_intermediate_size", "intermediate_size")
    if width is None:
        return None
    told = config.whole("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size")
    shared = told or width * (config.whole("n_shared_experts") or (1 if name == "llama4_text" else 0))
    gate = hidden if config.whole("shared_expert_intermediate_size") else 0
    biases, router = (2 * width + hidden, hidden + 1) if name == "gpt_oss" else (0, hidden)
    dense = 0
    if config.get("enable_moe_block") is True:  # Gemma 4 has both
        dense = matrices * hidden * (config.whole("intermediate_size") or 0)
    latent = config.whole("moe_latent_size") or hidden  # Nemotron 3: experts work on a narrower copy
    around = 2 * hidden * latent if latent != hidden else 0
    every_token = matrices * hidden * shared + gate + dense + around
    return every_token, count * (matrices * latent * width + biases), count * router


def _has_experts(config: Fields, place: int) -> bool:
    """Which layers are mixtures: not the first ones (DeepSeek), not listed ones, or each n-th (Qwen, Llama 4)."""
    dense = config.array("mlp_only_layers") or ()
    frequency = config.array("moe_layer_freq")
    if frequency is not None and place < len(frequency):
        return bool(frequency[place])
    step = config.whole("decoder_sparse_step", "moe_layer_freq", "interleave_moe_layer_step") or 1
    first = config.whole("first_k_dense_replace", least=0) or 0
    offset = 0 if config.whole("first_k_dense_replace", least=0) is not None else 1
    return place >= first and place not in dense and (place + offset) % step == 0
