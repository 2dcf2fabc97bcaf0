"""Shapes from config.json: its many dialects, and hostile ones."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from quarterdeck.model.estimate import (
    Architecture,
    Kind,
    Unknown,
    estimate,
    from_hf_config,
    kv_bytes_per_token,
    scheme,
)


def config(**fields: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "model_type": "llama",
        "num_hidden_layers": 12,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "vocab_size": 32_000,
        "torch_dtype": "bfloat16",
    }
    plain.update(fields)
    return {key: value for key, value in plain.items() if value is not ...}


def read(**fields: object) -> Architecture:
    found = from_hf_config(config(**fields))
    assert isinstance(found, Architecture), found
    return found


@pytest.mark.parametrize(
    ("fields", "sliding"),
    [
        ({"sliding_window": 100}, 12),
        ({"sliding_window": 100, "use_sliding_window": False}, 0),
        ({"sliding_window": None}, 0),
        ({"sliding_window": 100, "max_window_layers": 8}, 4),
        ({"sliding_window": 100, "sliding_window_pattern": 6}, 10),
        ({"sliding_window": 100, "_sliding_window_pattern": 6}, 10),
        ({"sliding_window": 100, "sliding_window_pattern": "LLLG"}, 9),
        ({"sliding_window": 100, "layer_types": ["sliding_attention", "full_attention"] * 6}, 6),
        ({"sliding_window": 100, "layer_types": ["sliding_attention", "full_attention"] * 7}, 6),
        ({"sliding_window": 100, "use_sliding_window": False, "layer_types": ["sliding_attention"] * 12}, 0),
        ({"sliding_window": 100, "model_type": "gemma2"}, 6),
        ({"attention_chunk_size": 8192, "model_type": "llama4_text"}, 9),
        ({"sliding_window": 100, "hybrid_layer_pattern": [0, 1, 1] * 4, "swa_num_key_value_heads": 8}, 8),
    ],
)
def test_which_layers_have_a_window(fields: dict[str, object], sliding: int) -> None:
    assert read(**fields).of_kind(Kind.SLIDING) == sliding


@pytest.mark.parametrize(
    ("fields", "per_token"),
    [
        ({}, 12 * 4 * 128 * 2),
        ({"num_key_value_heads": ...}, 12 * 16 * 128 * 2),
        ({"head_dim": 128}, 12 * 4 * 256 * 2),
        ({"head_dim": 192, "v_head_dim": 128}, 12 * 4 * 320 * 2),
        ({"model_type": "falcon", "multi_query": True}, 12 * 1 * 128 * 2),
        ({"model_type": "falcon", "multi_query": True, "new_decoder_architecture": True}, 12 * 4 * 128 * 2),
        ({"model_type": "gpt_bigcode", "multi_query": True, "num_key_value_heads": ...}, 12 * 1 * 128 * 2),
        ({"num_key_value_heads": [4, 2] * 6}, 12 * 3 * 128 * 2),
        ({"num_kv_shared_layers": 4}, 8 * 4 * 128 * 2),
        ({"hybrid_override_pattern": "M-M*M-M*EEEE", "head_dim": 64}, 2 * 4 * 128 * 2),
        ({"linear_attn_config": {"kda_layers": [1, 2, 3, 5, 6, 7], "num_heads": 16, "head_dim": 128}}, 6 * 4 * 128 * 2),
        (
            {"block_configs": [{"attention": {"n_heads_in_group": 8}}, {"attention": {"no_op": True}}] * 6},
            6 * 2 * 128 * 2,
        ),
    ],
)
def test_what_a_token_takes(fields: dict[str, object], per_token: int) -> None:
    assert kv_bytes_per_token(read(**fields), "bf16") == per_token


def test_layers_by_name_or_letter_are_the_same() -> None:
    shape: dict[str, object] = {
        "model_type": "nemotron_h",
        "mamba_num_heads": 8,
        "mamba_head_dim": 64,
        "ssm_state_size": 128,
        "conv_kernel": 4,
    }
    named = read(
        **shape, num_hidden_layers=..., layers_block_type=["mamba", "moe", "attention", "mlp"] * 3, n_routed_experts=4
    )
    letters = read(**shape, hybrid_override_pattern="ME*-" * 3, n_routed_experts=4)
    assert named == letters
    assert (named.of_kind(Kind.STATE), named.of_kind(Kind.FULL), named.of_kind(Kind.NONE)) == (3, 3, 6)


def test_older_names_of_the_same_things() -> None:
    gpt2 = from_hf_config(
        {"model_type": "gpt2", "n_layer": 12, "n_head": 12, "n_embd": 768, "n_positions": 1024, "vocab_size": 50_257}
    )
    assert isinstance(gpt2, Architecture)
    assert kv_bytes_per_token(gpt2, "f16") == 2 * 12 * 768 * 2
    assert gpt2.max_context == 1024
    assert gpt2.parameters == pytest.approx(124_439_808, rel=0.001)


def test_the_language_part_of_several() -> None:
    nested = config(model_type="some_text", num_hidden_layers=6)
    outer = {
        "model_type": "some",
        "text_config": nested,
        "vision_config": {"num_hidden_layers": 99},
        "torch_dtype": "float16",
    }
    found = from_hf_config(outer)
    assert isinstance(found, Architecture)
    assert (found.name, len(found.layers), found.dtype) == ("some_text", 6, "bf16")
    assert found.uncounted == ("its vision part isn't among the counted parameters",)
    deep = from_hf_config({"thinker_config": {"text_config": nested}, "model_type": "omni"})
    assert isinstance(deep, Architecture)
    assert len(deep.layers) == 6


@pytest.mark.parametrize(
    ("quantization_config", "name", "bits"),
    [
        ({"quant_method": "fp8"}, "fp8", 8.0),
        ({"quant_method": "mxfp4"}, "mxfp4", 4.25),
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "awq-4-g128", 4 + 20 / 128),
        ({"quant_method": "gptq", "bits": 8, "group_size": 32}, "gptq-8-g32", 8 + 24 / 32),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, "gptq-4-g0", 4.0),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes", 4.5),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8", 8.0),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 4.5),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 4, "group_size": 128}}}}, "int-4-g128", 4 + 20 / 128),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}}}, "fp8", 8.0),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 4, "group_size": 32}}}}, "mxfp4", 4.25),
    ],
)  # fmt: skip
def test_quantisations(quantization_config: dict[str, object], name: str, bits: float) -> None:
    arch = read(quantization_config=quantization_config)
    assert arch.quantization == name
    found = scheme(name)
    assert found is not None
    assert found.bits == bits


def test_a_mixture_of_types_is_named_and_not_guessed() -> None:
    groups = {name: {"weights": {"type": "float", "num_bits": bits}} for name, bits in (("group_0", 8), ("group_1", 4))}
    arch = read(quantization_config={"quant_method": "modelopt", "config_groups": groups})
    assert estimate(arch, context=1000).unknown == ("the bits per weight of modelopt of several types",)


@pytest.mark.parametrize(
    ("fields", "missing"),
    [
        ({"model_type": ...}, "model_type"),
        ({"num_hidden_layers": ...}, "num_hidden_layers"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers (a sensible number)"),
        ({"num_attention_heads": "many"}, "num_attention_heads"),
        ({"hidden_size": None}, "hidden_size"),
        ({"kv_lora_rank": 512}, "qk_rope_head_dim"),
        ({"layer_types": ["full_attention"] * 11}, "layer_types (11 for 12 layers)"),
        ({"layer_types": ["quantum\x1b[31m_attention"] * 12}, "layer_types ('quantum\\x1b[31m_attention' isn't known)"),
        ({"layer_types": ["sliding_attention"] * 12}, "sliding_window"),
        ({"compress_ratios": [4, 128], "model_type": "deepseek_v4"}, "compress_ratios (the caches of deepseek_v4 aren't known here)"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(fields: dict[str, object], missing: str) -> None:
    found = from_hf_config(config(**fields))
    assert isinstance(found, Unknown)
    assert missing in found.what


def test_uncountable_parameters_leave_the_file_size() -> None:
    arch = read(layer_types=["mamba", "attention"] * 6)
    assert arch.parameters is None
    counted = estimate(arch, context=1000)
    assert counted.weights is None
    assert "the number of parameters" in counted.unknown
    sized = estimate(arch, weights_file=10**9, context=1000)
    assert sized.weights is not None
    assert sized.unknown == ("the recurrent state of 6 layers of llama",)


strange = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.integers(0, 64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=14,
)
words = st.sampled_from(["full_attention", "sliding_attention", "linear_attention", "moe", "LLLG", "M-*E"])
KEYS = (
    "num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "v_head_dim", "sliding_window",
    "sliding_window_pattern", "max_window_layers", "layer_types", "hybrid_override_pattern", "hybrid_layer_pattern", "block_configs",
    "linear_attn_config", "full_attention_interval", "num_kv_shared_layers", "kv_lora_rank", "qk_rope_head_dim", "index_head_dim",
    "num_experts", "moe_intermediate_size", "n_shared_experts", "mlp_only_layers", "moe_layer_freq", "first_k_dense_replace",
    "decoder_sparse_step", "intermediate_size", "vocab_size", "text_config", "vision_config", "quantization_config", "torch_dtype",
    "tie_word_embeddings", "linear_conv_kernel_dim", "mamba_num_heads", "conv_kernel", "ssm_state_size", "num_kv_heads", "global_head_dim",
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(KEYS), strange | words | st.lists(words, min_size=10, max_size=14)),
    st.sampled_from(
        ["llama", "gemma3_text", "qwen3_next", "gpt_oss", "opt", "falcon", "nemotron_h", "llama4_text", "\x1b[2J"]
    ),
)
@example({"layer_types": [None]}, "llama")
def test_hostile_configs_give_a_shape_or_names(fields: dict[str, object], name: str) -> None:
    found = from_hf_config(config(model_type=name, **fields))
    if isinstance(found, Unknown):
        assert found.what
        assert all(what.isprintable() for what in found.what)
    else:
        assert found.parameters is None or found.parameters > 0
        need = estimate(found, context=4096, sequences=2, tensor_parallel=3, pipeline_parallel=2, engine="vllm")
        assert (need.total is None) == bool(need.unknown)


@given(strange)
def test_anything_at_all_is_read(value: object) -> None:
    assert isinstance(from_hf_config(value), Architecture | Unknown)  # type: ignore[arg-type]
