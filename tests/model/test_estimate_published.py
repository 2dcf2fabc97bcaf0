"""Estimates against what is published of real models: parameters, checkpoint sizes, bytes of KV cache per token.

The configurations in data/model_configs have the values of the published config.json files (keys that play no part left
out).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from quarterdeck.model.estimate import (
    Architecture,
    Figure,
    Kind,
    estimate,
    from_hf_config,
    kv_bytes,
    kv_bytes_per_token,
    scheme,
    weights_bytes,
)

CONFIGS = Path(__file__).parents[1] / "data" / "model_configs"
GIB = 2**30


def architecture(name: str) -> Architecture:
    found = from_hf_config(json.loads((CONFIGS / f"{name}.json").read_text()))
    assert isinstance(found, Architecture), found
    return found


@dataclass(frozen=True)
class Published:
    """``parameters``: as Hugging Face counts its safetensors. ``checkpoint``: bytes, as its index has it (gpt-oss,
    DeepSeek-V3, Gemma 4; DeepSeek-V3.2 is about as large), else parameters × the bytes of their type. ``within``: how
    far the count from the shape may be off.
    """

    name: str
    parameters: int
    checkpoint: int
    kv: int
    """Bytes per token at 16 bits, of every layer with a cache."""
    kv_far: int
    """The same when every sliding window is full."""
    within: float = 0.0


FULL = [
    # 2 (k, v) × layers × kv_heads × head_dim × 2 bytes
    Published("llama-3.1-8b", 8_030_261_248, 16_060_522_496, 2 * 32 * 8 * 128 * 2, 2 * 32 * 8 * 128 * 2),
    Published("llama-3.1-70b", 70_553_706_496, 141_107_412_992, 2 * 80 * 8 * 128 * 2, 2 * 80 * 8 * 128 * 2),
    Published("qwen2.5-7b", 7_615_616_512, 15_231_233_024, 2 * 28 * 4 * 128 * 2, 2 * 28 * 4 * 128 * 2),
    Published("qwen3-8b", 8_190_735_360, 16_381_470_720, 2 * 36 * 8 * 128 * 2, 2 * 36 * 8 * 128 * 2),
    Published("qwen3-30b-a3b", 30_532_122_624, 61_064_245_248, 2 * 48 * 4 * 128 * 2, 2 * 48 * 4 * 128 * 2),
    Published("mistral-7b-v0.3", 7_248_023_552, 14_496_047_104, 2 * 32 * 8 * 128 * 2, 2 * 32 * 8 * 128 * 2),
    Published("mixtral-8x7b", 46_702_792_704, 93_405_585_408, 2 * 32 * 8 * 128 * 2, 2 * 32 * 8 * 128 * 2),
    Published("opt-125m", 125_239_296, 250_478_592, 2 * 12 * 12 * 64 * 2, 2 * 12 * 12 * 64 * 2),
    # multi-query: one KV head of 4544 / 71 = 64
    Published("falcon-7b", 6_921_720_704, 13_843_441_408, 2 * 32 * 1 * 64 * 2, 2 * 32 * 1 * 64 * 2),
]
WINDOWED = [
    # every second of 42 layers is full; published in 32 bits
    Published("gemma-2-9b", 9_241_705_984, 36_966_823_936, 2 * 42 * 8 * 256 * 2, 2 * 21 * 8 * 256 * 2),
    # every sixth of 62 layers is full: 10; 27.4B with its vision part
    Published("gemma-3-27b", 27_432_406_640, 54_864_813_280, 2 * 62 * 16 * 128 * 2, 2 * 10 * 16 * 128 * 2, 0.02),
    # 12 of 24 are full; experts in MXFP4 (safetensors total_size)
    Published("gpt-oss-20b", 20_914_757_184, 13_761_264_768, 2 * 24 * 8 * 64 * 2, 2 * 12 * 8 * 64 * 2),
    # all slide
    Published("phi-3-mini-4k", 3_821_079_552, 7_642_159_104, 2 * 32 * 32 * 96 * 2, 0),
    # 25 sliding layers of 8 × 256, 5 full ones of 2 × 512; 25.8B with its vision part
    Published(
        "gemma-4-26b-a4b",
        25_805_933_872,
        51_611_872_412,
        2 * (25 * 8 * 256 + 5 * 2 * 512) * 2,
        2 * 5 * 2 * 512 * 2,
        0.03,
    ),
]
SPECIAL = [
    # MLA: 61 layers × (rank 512 + rope 64), once; 684.5B with 13.5B of its layer for speculative tokens; weights in FP8
    Published("deepseek-v3", 684_531_386_000, 688_586_727_753, 61 * (512 + 64) * 2, 61 * (512 + 64) * 2, 0.03),
    # the same, and the indexer's key: 128 bytes in FP8 and a 4-byte scale
    Published("deepseek-v3.2", 685_396_921_376, 689_000_000_000, 61 * ((512 + 64) * 2 + 132), 61 * ((512 + 64) * 2 + 132), 0.03),
    # every fourth of 48 layers is attention; 81.3B with 1.65B of its layer for speculative tokens
    Published("qwen3-next-80b-a3b", 81_324_862_720, 162_649_725_440, 2 * 12 * 2 * 256 * 2, 2 * 12 * 2 * 256 * 2, 0.03),
    # six "*" of 52 layers
    Published("nemotron-3-nano-30b-a3b", 31_577_937_344, 63_155_874_688, 2 * 6 * 2 * 128 * 2, 2 * 6 * 2 * 128 * 2),
    # eight "*" of 88 layers; experts on 1,024 of 4,096 values
    Published("nemotron-3-super-120b-a12b", 120_668_687_360, 241_337_374_720, 2 * 8 * 2 * 128 * 2, 2 * 8 * 2 * 128 * 2),
]  # fmt: skip
ALL = [*FULL, *WINDOWED, *SPECIAL]
ids = [each.name for each in ALL]


@pytest.mark.parametrize("known", ALL, ids=ids)
def test_parameters(known: Published) -> None:
    counted = architecture(known.name).parameters
    assert counted is not None
    assert abs(counted - known.parameters) <= known.within * known.parameters


@pytest.mark.parametrize("known", ALL, ids=ids)
def test_weights_within_ten_percent(known: Published) -> None:
    weights = weights_bytes(architecture(known.name))
    assert isinstance(weights, Figure)
    assert abs(weights.bytes - known.checkpoint) < 0.03 * known.checkpoint
    assert weights.low <= known.checkpoint <= weights.high
    assert "parameters" in weights.method
    measured = weights_bytes(architecture(known.name), file_bytes=known.checkpoint)
    assert isinstance(measured, Figure)
    assert (measured.bytes, measured.method) == (known.checkpoint, "file size")


@pytest.mark.parametrize("known", ALL, ids=ids)
def test_kv_bytes_per_token_exactly(known: Published) -> None:
    arch = architecture(known.name)
    assert kv_bytes_per_token(arch, "bf16") == known.kv
    assert kv_bytes_per_token(arch, "bf16", beyond_windows=True) == known.kv_far


@pytest.mark.parametrize("known", FULL, ids=[each.name for each in FULL])
def test_plain_caches_grow_with_every_token_and_sequence(known: Published) -> None:
    arch = architecture(known.name)
    assert kv_bytes(arch, 4096, 3, "f16") == 3 * 4096 * known.kv
    assert kv_bytes(arch, 4096, 1, "fp8") == 4096 * known.kv // 2
    assert kv_bytes(arch, 4096, 1, "q8_0") == 4096 * known.kv * 34 // 64
    assert kv_bytes(arch, 4096, 1, "q4_0") == 4096 * known.kv * 18 // 64


def test_windows_stop_growing() -> None:
    gemma = architecture("gemma-3-27b")
    per_layer = 2 * 16 * 128 * 2
    assert gemma.of_kind(Kind.SLIDING) == 52
    assert kv_bytes(gemma, 512, 1, "f16") == 62 * 512 * per_layer
    assert kv_bytes(gemma, 131_072, 1, "f16") == (52 * 1024 + 10 * 131_072) * per_layer
    assert kv_bytes(gemma, 131_072, 2, "f16", window_slack=512) == 2 * (52 * 1536 + 10 * 131_072) * per_layer


def test_hybrids_have_a_constant_state_per_sequence() -> None:
    qwen = architecture("qwen3-next-80b-a3b")
    # convolution: 3 past inputs of 2 × 16 × 128 + 32 × 128 values, 16 bits; state: 32 heads × 128 × 128, 32 bits
    state = 36 * (3 * 8192 * 2 + 32 * 128 * 128 * 4)
    assert kv_bytes(qwen, 0, 1, "bf16") == state
    assert kv_bytes(qwen, 262_144, 2, "bf16") == 2 * (state + 262_144 * 24_576)
    nemotron = architecture("nemotron-3-nano-30b-a3b")
    # Mamba 2: inner 64 × 64, 8 groups × 128 of state
    assert nemotron.of_kind(Kind.STATE) == 23
    assert kv_bytes(nemotron, 0, 1, "bf16") == 23 * (3 * (4096 + 2 * 8 * 128) * 2 + 4096 * 128 * 4)


@pytest.mark.parametrize(("ways", "heads"), [(1, 8), (2, 4), (8, 1), (16, 1)])
def test_tensor_parallel_splits_heads_until_there_is_one(ways: int, heads: int) -> None:
    assert (
        kv_bytes(architecture("llama-3.1-70b"), 1000, 1, "f16", tensor_parallel=ways) == 1000 * 2 * 80 * heads * 128 * 2
    )


def test_a_latent_cache_is_on_every_gpu() -> None:
    deepseek = architecture("deepseek-v3")
    assert (
        kv_bytes(deepseek, 1000, 1, "bf16", tensor_parallel=8) == kv_bytes(deepseek, 1000, 1, "bf16") == 1000 * 70_272
    )
    whole = estimate(deepseek, context=1000, tensor_parallel=8, engine="vllm")
    assert whole.kv is not None
    assert whole.kv.bytes == 8 * 1000 * 70_272


def test_pipeline_stages_share_the_layers() -> None:
    llama = architecture("llama-3.1-70b")
    assert kv_bytes(llama, 1000, 1, "f16", pipeline_parallel=4) == 1000 * 2 * 20 * 8 * 128 * 2
    assert kv_bytes(llama, 1000, 1, "f16", pipeline_parallel=3) == 1000 * 2 * 27 * 8 * 128 * 2


def test_int8_weights_as_vllm_logged_them() -> None:
    """vLLM pull request 12569: Meta-Llama-3.1-70B-Instruct-quantized.w8a8, "Loading model weights took 67.7229 GB"
    (GiB).
    """
    weights = weights_bytes(architecture("llama-3.1-70b"), quantization="w8a8")
    assert isinstance(weights, Figure)
    assert weights.bytes / GIB == pytest.approx(67.7229, rel=0.002)


@pytest.mark.parametrize(
    ("name", "quantization", "size"),
    [
        # llama.cpp, tools/quantize/README.md: Llama 3.1 in GiB, and its 70B in GB
        ("llama-3.1-8b", "IQ1_S", 1.87 * GIB),
        ("llama-3.1-8b", "Q2_K", 2.95 * GIB),
        ("llama-3.1-8b", "IQ3_M", 3.52 * GIB),
        ("llama-3.1-8b", "IQ4_XS", 4.17 * GIB),
        ("llama-3.1-8b", "Q4_K_M", 4.58 * GIB),
        ("llama-3.1-8b", "Q5_K_M", 5.33 * GIB),
        ("llama-3.1-8b", "Q6_K", 6.14 * GIB),
        ("llama-3.1-8b", "Q8_0", 7.95 * GIB),
        ("llama-3.1-8b", "F16", 14.96 * GIB),
        ("llama-3.1-70b", "Q4_K_M", 43.1e9),
        # what Ollama's library lists for qwen3:30b, gpt-oss:20b (bytes of the tags)
        ("qwen3-30b-a3b", "Q4_K_M", 18_556_686_912),
        ("gpt-oss-20b", "mxfp4", 13_780_162_412),
    ],
)
def test_quantised_files(name: str, quantization: str, size: float) -> None:
    weights = weights_bytes(architecture(name), quantization=quantization)
    assert isinstance(weights, Figure)
    assert weights.bytes == pytest.approx(size, rel=0.03)


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("F16", 16),
        ("q8_0", 8.5),
        ("Q6_K", 6.56),
        ("Q5_K_M", 5.7),
        ("Q4_K_M", 4.85),
        ("Q4_0", 4.5),
        ("Q3_K_M", 3.9),
        ("mxfp4", 4.25),
    ],
)
def test_bits_per_weight(name: str, bits: float) -> None:
    found = scheme(name)
    assert found is not None
    assert found.bits == pytest.approx(bits, rel=0.03)


@pytest.mark.parametrize("name", ["", "q99", "awq-99", "fp8; rm", "compressed-tensors", "modelopt of several types"])
def test_schemes_that_are_not_known(name: str) -> None:
    assert scheme(name) is None


def test_32_bit_checkpoints_are_loaded_with_16_by_vllm() -> None:
    gemma = architecture("gemma-2-9b")
    loaded = estimate(gemma, weights_file=36_966_823_936, context=4096, engine="vllm")
    counted = estimate(gemma, context=4096, engine="vllm")
    assert loaded.weights is not None
    assert counted.weights is not None
    assert loaded.weights.bytes == counted.weights.bytes == 2 * 9_241_705_984
