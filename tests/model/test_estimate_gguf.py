"""Shapes from GGUF metadata: recorded, built, and hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.estimate import (
    Architecture,
    Figure,
    Kind,
    Unknown,
    estimate,
    from_model_info,
    kv_bytes,
    kv_bytes_per_token,
    weights_bytes,
)

SHOW = json.loads((Path(__file__).parents[1] / "data" / "model_configs" / "ollama_show_tiny.json").read_text())


def info(name: str, **fields: object) -> dict[str, object]:
    """Metadata of a plain model, changed by ``fields`` (``__`` is a dot)."""
    plain: dict[str, object] = {
        "block_count": 32,
        "context_length": 131_072,
        "embedding_length": 4096,
        "vocab_size": 128_256,
        "attention.head_count": 32,
        "attention.head_count_kv": 8,
    }
    plain.update({key.replace("__", "."): value for key, value in fields.items()})
    metadata: dict[str, object] = {f"{name}.{key}": value for key, value in plain.items() if value is not ...}
    return {"general.architecture": name, "general.parameter_count": 8_030_261_248, **metadata}


def read(metadata: dict[str, object], details: dict[str, object] | None = None) -> Architecture:
    found = from_model_info(metadata, details)
    assert isinstance(found, Architecture), found
    return found


def test_a_recorded_answer_of_ollama() -> None:
    """2 layers, 1 KV head of 64 / 2 = 32; llama-server says of the same file: n_params 110912, size 443648."""
    arch = read(SHOW["model_info"], SHOW["details"])
    assert (arch.name, arch.parameters, arch.max_context, arch.quantization) == ("llama", 110_912, 2048, "F32")
    weights = weights_bytes(arch)
    assert isinstance(weights, Figure)
    assert weights.bytes == 443_648
    assert kv_bytes_per_token(arch, "f16") == 2 * 2 * 1 * 32 * 2


def test_ollamas_own_size_of_the_recorded_model() -> None:
    """``/api/ps`` of it at 1,024 tokens, on a CPU: 2,810,182 bytes, weights, cache and compute buffer together."""
    need = estimate(read(SHOW["model_info"]), weights_file=443_648, context=1024, engine="ollama")
    assert need.weights is not None
    assert need.kv is not None
    assert need.kv.bytes == 1024 * 256
    assert need.weights.bytes + need.kv.bytes < 2_810_182


def test_a_plain_model() -> None:
    arch = read(info("llama"), {"quantization_level": "Q4_K_M"})
    assert kv_bytes_per_token(arch) == 2 * 32 * 8 * 128 * 2
    assert (arch.quantization, arch.vocab_size, arch.heads) == ("Q4_K_M", 128_256, 32)


@pytest.mark.parametrize(
    ("changes", "per_token"),
    [
        ({"attention__key_length": 256, "attention__value_length": 128}, 32 * 8 * (256 + 128) * 2),
        ({"attention__head_count_kv": ...}, 32 * 32 * 256 * 2),
        ({"attention__head_count_kv": [8] * 16 + [4] * 16}, 16 * (8 + 4) * 256 * 2),
        ({"attention__head_count_kv": [8, 0, 0, 0] * 8, "shortconv__l_cache": 3}, 8 * 8 * 256 * 2),
        ({"block_count": 32.0}, 32 * 8 * 256 * 2),
        ({"attention__causal": False}, 0),
        ({"attention__shared_kv_layers": 12}, 20 * 8 * 256 * 2),
    ],
    ids=["lengths", "multi-head", "per layer", "hybrid", "float", "embedding model", "shared"],
)
def test_head_counts_and_lengths(changes: dict[str, object], per_token: int) -> None:
    assert kv_bytes_per_token(read(info("llama", **changes)), "f16") == per_token


@pytest.mark.parametrize(
    ("name", "pattern", "sliding"),
    [
        ("gemma2", ..., 16),
        ("gemma3", ..., 27),
        ("gpt-oss", ..., 16),
        ("gptoss", None, 16),
        ("cohere2", 4, 24),
        ("llama4", 4, 24),
        ("gemma4", [True, True, True, True, True, False], 27),
        ("x", 0, 32),
        ("x", 1, 0),
    ],
)
def test_sliding_windows(name: str, pattern: object, sliding: int) -> None:
    changes = {"attention__sliding_window": 512, "attention__sliding_window_pattern": pattern}
    arch = read(info(name, **changes))
    assert arch.of_kind(Kind.SLIDING) == sliding
    assert kv_bytes(arch, 8192, 1, "f16") == (sliding * 512 + (32 - sliding) * 8192) * 8 * 256 * 2
    assert arch.notes == ()


def test_an_untold_pattern_is_an_upper_bound() -> None:
    arch = read(info("newmodel", attention__sliding_window=512, attention__sliding_window_pattern=None))
    assert arch.of_kind(Kind.FULL) == 32
    assert "upper bound" in arch.notes[0]
    assert estimate(arch, context=1000, engine="ollama").notes == arch.notes


def test_sliding_layers_may_have_other_lengths() -> None:
    changes = {
        "attention__key_length": 512,
        "attention__value_length": 512,
        "attention__key_length_swa": 256,
        "attention__value_length_swa": 256,
    }
    arch = read(
        info("gemma4", attention__sliding_window=512, attention__sliding_window_pattern=[True, False], **changes)
    )
    assert kv_bytes(arch, 100, 1, "f16") == 100 * 16 * 8 * (512 + 1024) * 2


def test_latent_attention() -> None:
    lengths = {"attention__kv_lora_rank": 512, "rope__dimension_count": 64, "block_count": 61}
    now = read(
        info(
            "deepseek2",
            **lengths,
            attention__head_count_kv=1,
            attention__key_length=576,
            attention__value_length=512,
            attention__key_length_mla=192,
        )
    )
    assert kv_bytes_per_token(now, "f16") == 61 * 576 * 2
    assert (now.mla_rank, now.mla_rope) == (512, 64)
    before = read(
        info(
            "deepseek2",
            **lengths,
            attention__head_count=128,
            attention__head_count_kv=128,
            attention__key_length=192,
            attention__value_length=128,
        )
    )
    # llama.cpp before MLA logged n_embd_k_gqa = 24576, n_embd_v_gqa = 16384
    assert kv_bytes_per_token(before, "f16") == 61 * (24_576 + 16_384) * 2
    assert before.notes


def test_hybrids() -> None:
    ssm = {"ssm__conv_kernel": 4, "ssm__inner_size": 4096, "ssm__state_size": 128, "ssm__group_count": 16}
    state = (3 * (4096 + 2 * 16 * 128) + 4096 * 128) * 4
    qwen = read(info("qwen3next", **ssm))
    assert kv_bytes(qwen, 0, 1, "f16") == 24 * state
    assert kv_bytes_per_token(qwen, "f16") == 8 * 8 * 256 * 2
    heads = [0, 0, 8, 0] * 8
    nemotron = read(info("nemotron_h", **ssm, attention__head_count_kv=heads, feed_forward_length=[0, 9216, 0, 0] * 8))
    assert kv_bytes(nemotron, 0, 1, "f16") == 16 * state
    short = read(info("lfm2", attention__head_count_kv=heads, shortconv__l_cache=3))
    assert kv_bytes(short, 0, 1, "f16") == 24 * 2 * 4096 * 4
    kimi = read(info("kimi-linear", attention__head_count_kv=heads, ssm__conv_kernel=4, kda__head_dim=128))
    assert kv_bytes(kimi, 0, 1, "f16") == 24 * (3 * 3 + 128) * 32 * 128 * 4


def test_a_state_of_unknown_size_is_named() -> None:
    arch = read(info("mystery", attention__head_count_kv=[0, 8] * 16))
    assert kv_bytes(arch, 1000, 1, "f16") is None
    assert estimate(arch, context=1000, quantization="Q4_0").unknown == ("the recurrent state of 16 layers of mystery",)


@pytest.mark.parametrize(
    ("metadata", "missing"),
    [
        ({}, "general.architecture"),
        ({"general.architecture": 7}, "general.architecture"),
        ({"general.architecture": "llama"}, "llama.block_count"),
        (info("llama", block_count=10**9), "llama.block_count (a sensible one)"),
        (info("llama", embedding_length=...), "llama.embedding_length"),
        (info("llama", attention__head_count=...), "llama.attention.head_count"),
        (info("llama", attention__head_count_kv=None), "llama.attention.head_count_kv (a list that was left out: ask with verbose)"),
        (info("llama", attention__head_count_kv=[8] * 31), "llama.attention.head_count_kv"),
        (info("llama", attention__head_count_kv="8"), "llama.attention.head_count_kv"),
        (info("falcon-h1", ssm__state_size=128), "falcon-h1.attention.head_count_kv (which layers are recurrent isn't told)"),
        (info("deepseek4"), "the caches of deepseek4"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(metadata: dict[str, object], missing: str) -> None:
    found = from_model_info(metadata)
    assert isinstance(found, Unknown)
    assert missing in found.what


@pytest.mark.parametrize(
    ("worded", "number"),
    [
        ("8.0B", 8_000_000_000),
        ("111K", 111_000),
        ("1.5 T", 1_500_000_000_000),
        ("many", None),
        (8, None),
        ("9" * 400 + "B", None),
    ],
)
def test_parameters_in_words(worded: object, number: int | None) -> None:
    metadata = info("llama")
    del metadata["general.parameter_count"]
    assert read(metadata, {"parameter_size": worded}).parameters == number


strange = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.integers(0, 64) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
KEYS = (
    "block_count", "context_length", "embedding_length", "vocab_size", "attention.head_count", "attention.head_count_kv", "attention.causal",
    "attention.key_length", "attention.value_length", "attention.kv_lora_rank", "attention.key_length_mla", "attention.sliding_window",
    "attention.sliding_window_pattern", "attention.shared_kv_layers", "full_attention_interval", "ssm.conv_kernel", "ssm.inner_size",
    "ssm.state_size", "ssm.group_count", "kda.head_dim", "shortconv.l_cache", "rope.dimension_count", "feed_forward_length",
)  # fmt: skip


@given(
    st.dictionaries(st.sampled_from(KEYS), strange),
    st.sampled_from(["llama", "gemma3", "qwen3next", "nemotron_h", "\x1b[31m", ""]),
    st.dictionaries(st.sampled_from(["parameter_size", "quantization_level"]), strange),
)
def test_hostile_metadata_gives_a_shape_or_names(
    fields: dict[str, object], name: str, details: dict[str, object]
) -> None:
    metadata = {**info(name), **{f"{name}.{key}": value for key, value in fields.items()}}
    found = from_model_info(metadata, details)
    if isinstance(found, Unknown):
        assert found.what
        assert all(what.isprintable() for what in found.what)
    else:
        assert (kv_bytes_per_token(found, "f16") or 0) >= 0
        need = estimate(found, context=4096, sequences=2, tensor_parallel=3, pipeline_parallel=2, engine="ollama")
        assert (need.total is None) == bool(need.unknown)


@given(strange, strange)
def test_anything_at_all_is_read(metadata: object, details: object) -> None:
    assert isinstance(from_model_info(metadata, details), Architecture | Unknown)  # type: ignore[arg-type]
