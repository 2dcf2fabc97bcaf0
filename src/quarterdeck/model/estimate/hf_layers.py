"""Which layer of a Hugging Face model remembers what, by its config.json.

Sources: transformers' configuration classes (``layer_types`` and the patterns before it), vLLM's cache specs (MLA,
mamba state shapes, DeepSeek-V3.2's indexer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from quarterdeck.format import printable
from quarterdeck.model.estimate.architecture import Kind, Layer
from quarterdeck.model.estimate.fields import Fields, array, mapping, whole

_WORDS = {
    "full_attention": Kind.FULL,
    "deepseek_sparse_attention": Kind.FULL, "attention": Kind.FULL, "global_attention": Kind.FULL, "global": Kind.FULL,
    "sliding_attention": Kind.SLIDING, "local_attention": Kind.SLIDING, "chunked_attention": Kind.SLIDING,
    "local": Kind.SLIDING, "linear_attention": Kind.STATE, "mamba": Kind.STATE, "mamba2": Kind.STATE,
    "conv": Kind.STATE, "recurrent": Kind.STATE, "moe": Kind.NONE, "mlp": Kind.NONE,
}  # fmt: skip
_LETTERS = {"M": Kind.STATE, "*": Kind.FULL, "-": Kind.NONE, "E": Kind.NONE, "L": Kind.SLIDING, "G": Kind.FULL}
_SLIDING_PERIOD = {"gemma2": 2, "gemma3": 6, "gemma3_text": 6, "cohere2": 4, "gpt_oss": 2, "llama4_text": 4}
_HYBRID_PERIOD = {"qwen3_next": 4, "qwen3_5_text": 4, "qwen3_5_moe_text": 4}
_NOT_UNDERSTOOD = ("compress_ratios", "attn_layer_period", "attn_layer_indices", "hybrid_layer_ids", "mamba_d_ssm")
"""Keys of caches that are not computed here: DeepSeek-V4's compressed ones, Jamba, Bamba, Zamba, Falcon-H1."""
_F32 = 4
_BF16 = 2


def layers(config: Fields, name: str, count: int) -> list[Layer]:
    """The caches of ``count`` layers. What is missing or not understood is noted in ``config.missing``."""
    for key in _NOT_UNDERSTOOD:
        if config.get(key) is not None:
            config.miss(key, f"the caches of {name} aren't known here")
    kinds = _kinds(config, name, count)
    if kinds is None or config.missing:
        return []
    sharing = min(count, config.whole("num_kv_shared_layers") or 0)
    kinds[count - sharing :] = [Kind.NONE] * sharing
    full = _latent(config) if config.whole("kv_lora_rank") else None
    attention = [full] * count if full else _attention(config, name, kinds)
    state = Layer(Kind.STATE, state_bytes=state_bytes(config)) if Kind.STATE in kinds else Layer(Kind.NONE)
    chosen = {Kind.STATE: state, Kind.NONE: Layer(Kind.NONE)}
    return [chosen.get(kind, layer) for kind, layer in zip(kinds, attention, strict=True)]


def heads(config: Fields) -> int | None:
    """Query heads."""
    return config.whole("num_attention_heads", "n_head", "n_heads", "num_heads")


def head_length(config: Fields) -> int:
    """``head_dim``, else hidden_size / heads; 1, and noted as missing, where neither is told."""
    told = config.whole("head_dim", "attention_head_dim", "kv_channels")
    if told:
        return told
    count = heads(config)
    if count is None:
        config.miss("num_attention_heads")
    return max(1, config.need("hidden_size", "n_embd", "d_model") // (count or 1))


def kv_heads(config: Fields, name: str) -> int:
    """Heads whose keys and values are cached: GQA's, one (multi-query), or all."""
    told = config.whole("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
    multi = config.get("multi_query") is True and config.get("new_decoder_architecture") is not True
    if multi and (name in ("falcon", "RefinedWebModel") or told is None):
        return 1
    return told or heads(config) or 1


def state_bytes(config: Fields) -> int | None:
    """A recurrent layer's state per sequence: a convolution's last inputs (16 bits) and a matrix per head (32 bits)."""
    kernel, keys, key, values, value = (
        config.whole(each)
        for each in (
            "linear_conv_kernel_dim",
            "linear_num_key_heads",
            "linear_key_head_dim",
            "linear_num_value_heads",
            "linear_value_head_dim",
        )
    )
    if kernel and keys and key and values and value:  # gated delta net
        return (kernel - 1) * (2 * keys * key + values * value) * _BF16 + values * key * value * _F32
    kernel, count, head, state = (
        config.whole(each) for each in ("conv_kernel", "mamba_num_heads", "mamba_head_dim", "ssm_state_size")
    )
    if kernel and count and head and state:  # Mamba 2
        inner, groups = count * head, config.whole("n_groups") or 1
        return (kernel - 1) * (inner + 2 * groups * state) * _BF16 + inner * state * _F32
    delta = Fields(mapping(config.get("linear_attn_config")))
    kernel, count, head = (delta.whole(each) for each in ("short_conv_kernel_size", "num_heads", "head_dim"))
    if kernel and count and head:  # Kimi's delta attention
        return 3 * (kernel - 1) * count * head * _BF16 + count * head * head * _F32
    short, hidden = config.whole("conv_L_cache"), config.whole("hidden_size")
    return (short - 1) * hidden * _BF16 if short and hidden else None


def _latent(config: Fields) -> Layer:
    index = config.whole("index_head_dim") or 0
    length = config.need("kv_lora_rank") + config.need("qk_rope_head_dim")
    return Layer(Kind.LATENT, 1, length, 0, index_bytes=index + 4 * (index // 128))


def _attention(config: Fields, name: str, kinds: Sequence[Kind]) -> list[Layer]:
    count = len(kinds)
    length, one = head_length(config), kv_heads(config, name)
    value = config.whole("v_head_dim") or length
    per_layer = _listed_heads(config, count) or [one] * count
    near, wide = config.whole("swa_num_key_value_heads"), config.whole("num_global_key_value_heads")
    wide_length = config.whole("global_head_dim")
    window = _window(config) if Kind.SLIDING in kinds else None
    out = []
    for kind, each in zip(kinds, per_layer, strict=True):
        if kind is Kind.SLIDING:
            swa = config.whole("swa_head_dim") or length, config.whole("swa_v_head_dim") or value
            out.append(Layer(kind, near or each, *swa, window))
        else:
            out.append(Layer(Kind.FULL, wide or each, wide_length or length, wide_length or value))
    return out


def _window(config: Fields) -> int:
    return config.need("sliding_window", "sliding_window_size", "attention_chunk_size")


def _listed_heads(config: Fields, count: int) -> list[int] | None:
    """KV heads per layer: a list (OpenELM), or a group size per block (DeciLM)."""
    listed = array(config.get("num_kv_heads")) or array(config.get("num_key_value_heads"))
    known = [each for each in map(whole, listed or ()) if each]
    if len(known) == count:
        return known
    groups = [whole(mapping(mapping(each).get("attention")).get("n_heads_in_group")) for each in _blocks(config)]
    query = heads(config)
    if len(groups) < count or query is None:
        return None
    return [max(1, query // group) if group else 1 for group in groups[:count]]


def _blocks(config: Fields) -> Sequence[object]:
    return config.array("block_configs") or ()


def _kinds(config: Fields, name: str, count: int) -> list[Kind] | None:
    for find in _FINDERS:
        found = find(config, name, count)
        if found is not None:
            if len(found) >= count:
                return found[:count]
            config.miss("layer_types", f"{len(found)} for {count} layers")
            return None
    return [Kind.FULL] * count


def _by_layer_types(config: Fields, _name: str, _count: int) -> list[Kind] | None:
    told = config.array("layer_types") or config.array("layers_block_type")
    if not told:
        return None
    strange = [each for each in told if not isinstance(each, str) or each not in _WORDS]
    if strange:
        config.miss("layer_types", f"{printable(repr(strange[0])[:80], 40)} isn't known")
        return None
    kinds = [_WORDS[str(each)] for each in told]
    slides = config.get("use_sliding_window") is not False
    return kinds if slides else [Kind.FULL if kind is Kind.SLIDING else kind for kind in kinds]


def _by_letters(config: Fields, _name: str, count: int) -> list[Kind] | None:
    """Nemotron-H's "M-M*E", EXAONE's "LLLG" (repeated)."""
    for key in ("hybrid_override_pattern", "sliding_window_pattern"):
        told = config.get(key)
        if isinstance(told, str) and told and all(each in _LETTERS for each in told[:count]):
            once = [_LETTERS[each] for each in told[:count]]
            return once if key == "hybrid_override_pattern" else (once * count)[:count]
    return None


def _by_flags(config: Fields, _name: str, _count: int) -> list[Kind] | None:
    """MiMo's ``hybrid_layer_pattern``: 1 = sliding."""
    told = config.array("hybrid_layer_pattern")
    return [Kind.SLIDING if each == 1 else Kind.FULL for each in told] if told else None


def _by_blocks(config: Fields, _name: str, _count: int) -> list[Kind] | None:
    """DeciLM's ``block_configs``: blocks whose attention was pruned away have no cache."""
    blocks = [mapping(mapping(each).get("attention")) for each in _blocks(config)]
    pruned = [block.get("no_op") is True or block.get("replace_with_linear") is True for block in blocks]
    return [Kind.NONE if each else Kind.FULL for each in pruned] or None


def _by_delta_layers(config: Fields, _name: str, count: int) -> list[Kind] | None:
    """Kimi Linear's ``kda_layers``, counted from 1."""
    told = array(mapping(config.get("linear_attn_config")).get("kda_layers"))
    places = {whole(each) for each in told or ()}
    return [Kind.STATE if place + 1 in places else Kind.FULL for place in range(count)] if told else None


def _by_hybrid_period(config: Fields, name: str, count: int) -> list[Kind] | None:
    period = config.whole("full_attention_interval") or _HYBRID_PERIOD.get(name)
    return [Kind.STATE if (place + 1) % period else Kind.FULL for place in range(count)] if period else None


def _by_windows(config: Fields, name: str, count: int) -> list[Kind] | None:
    """A window on every layer but each n-th, from ``max_window_layers`` on (Qwen 2), or on all (Mistral 0.1)."""
    period = config.whole("sliding_window_pattern", "_sliding_window_pattern") or _SLIDING_PERIOD.get(name)
    window = config.whole("sliding_window", "sliding_window_size", "attention_chunk_size")
    if window is None or config.get("use_sliding_window") is False:
        return None
    if period:
        return [Kind.SLIDING if (place + 1) % period else Kind.FULL for place in range(count)]
    first = config.whole("max_window_layers", least=0) or 0
    return [Kind.SLIDING if place >= first else Kind.FULL for place in range(count)]


_FINDERS: tuple[Callable[[Fields, str, int], list[Kind] | None], ...] = (
    _by_layer_types, _by_letters, _by_flags, _by_blocks, _by_delta_layers, _by_hybrid_period, _by_windows,
)  # fmt: skip
