"""What fits, what spills, what doesn't, and which context would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.model.estimate import (
    Architecture,
    Estimate,
    Figure,
    Kind,
    Layer,
    Unknown,
    Verdict,
    context_that_fits,
    estimate,
    fit,
    kv_pool,
    ollama_expects,
    pool_of,
    pull_needs,
)

GIB = 2**30
LLAMA_8B = Architecture(
    "llama",
    (Layer(Kind.FULL, 8, 128, 128),) * 32,
    heads=32,
    vocab_size=128_256,
    max_context=131_072,
    parameters=8_030_261_248,
    dtype="bf16",
)
GEMMA = replace(
    LLAMA_8B,
    name="gemma3",
    layers=(*(Layer(Kind.SLIDING, 8, 128, 128, 1024),) * 28, *(Layer(Kind.FULL, 8, 128, 128),) * 4),
)


def q4(context: int = 8192, sequences: int = 1, arch: Architecture | Unknown = LLAMA_8B) -> Estimate:
    """Llama 3.1 8B in Q4_K_M (4.9 GB) for Ollama."""
    return estimate(
        arch, weights_file=4_920_000_000, context=context, sequences=sequences, kv_dtype="f16", engine="ollama"
    )


def served(context: int = 131_072, tensor_parallel: int = 1) -> Estimate:
    """The same with 16 bits for vLLM."""
    return estimate(LLAMA_8B, context=context, tensor_parallel=tensor_parallel, engine="vllm")


def test_an_estimate_adds_up() -> None:
    need = q4(8192, 2)
    assert need.weights is not None
    assert need.kv is not None
    assert need.total is not None
    assert need.weights.method == "file size"
    assert need.kv.bytes == 2 * 8192 * 131_072
    # the logits of a micro-batch, and the CUDA context
    assert need.overhead.bytes == 512 * 128_256 * 4 + 460 * 2**20
    assert need.total.bytes == need.weights.bytes + need.kv.bytes + need.overhead.bytes
    assert need.total.low < need.total.bytes < need.total.high
    assert "2 × 8192 tokens" in need.total.method
    assert need.total.words.startswith("~7.3 GiB (")
    assert need.unknown == need.notes == ()


def test_tensor_parallel_shares_weights_and_cache() -> None:
    two = served(8192, 2)
    assert two.gpus == 2
    assert two.weights is not None
    assert two.kv is not None
    assert two.each.weights is not None
    assert two.each.kv is not None
    assert two.each.weights.bytes == two.weights.bytes // 2
    assert two.kv.bytes == 2 * two.each.kv.bytes == 8192 * 131_072
    assert two.overhead.bytes == 2 * two.each.overhead.bytes


def test_unknowns_are_named_and_not_guessed() -> None:
    need = estimate(Unknown(("llama.block_count",)), context=4096, engine="vllm")
    assert need.weights is need.kv is need.total is None
    assert need.unknown == ("the size of the weights' files", "the number of parameters", "llama.block_count")
    assert estimate(LLAMA_8B, context=1, kv_dtype="q9_9").unknown == ("the KV cache type 'q9_9'",)
    assert estimate(LLAMA_8B, context=1, quantization="Q99").unknown == ("the bits per weight of Q99",)


def test_ollama_fits_on_one_gpu() -> None:
    found = fit(q4(), [24 * GIB])
    assert (found.verdict, found.on_cpu, found.sure) == (Verdict.FITS, 0.0, True)
    assert "left" in found.words


def test_ollama_spreads_over_gpus_and_pays_on_each() -> None:
    assert fit(q4(), [4 * GIB, 4 * GIB]).verdict is Verdict.FITS
    assert fit(q4(), [6 * GIB]).verdict is Verdict.SPILLS
    one, two = fit(q4(65_536), [8 * GIB]), fit(q4(65_536), [4 * GIB, 4 * GIB])
    assert one.on_cpu is not None
    assert two.on_cpu is not None
    assert one.on_cpu < two.on_cpu


def test_ollama_spills_what_is_too_much() -> None:
    need = q4(65_536)
    found = fit(need, [8 * GIB])
    # 4.92 GB + 65,536 × 128 KiB, less 8 GiB without the overhead
    spilt = 4_920_000_000 + 65_536 * 131_072 - (8 * GIB - need.each.overhead.bytes)
    assert found.verdict is Verdict.SPILLS
    assert found.on_cpu == pytest.approx(spilt / (4_920_000_000 + 65_536 * 131_072))
    assert found.words == f"~{found.on_cpu:.0%} of it stays in RAM ({spilt / GIB:.1f} GiB)"
    assert fit(need, [8 * GIB], free_ram=GIB).verdict is Verdict.NO
    assert fit(need, [8 * GIB], free_ram=64 * GIB).verdict is Verdict.SPILLS


def test_without_gpus_all_of_it_is_in_ram() -> None:
    found = fit(q4(), [])
    assert (found.verdict, found.on_cpu) == (Verdict.SPILLS, 1.0)


def test_close_calls_are_not_sure() -> None:
    need = q4()
    assert need.total is not None
    assert not fit(need, [need.total.bytes]).sure
    assert fit(need, [need.total.bytes]).verdict is Verdict.FITS
    assert not fit(need, [need.total.bytes - 2]).sure
    assert fit(need, [need.total.high]).sure
    assert fit(need, [need.total.low - 2]).sure


def test_with_something_unknown_it_can_still_be_too_much() -> None:
    blind = q4(arch=Unknown(("llama.block_count",)))
    assert fit(blind, [4 * GIB]).verdict is Verdict.SPILLS
    unclear = fit(blind, [8 * GIB])
    assert (unclear.verdict, unclear.unknown) == (Verdict.UNKNOWN, ("llama.block_count",))
    assert "llama.block_count" in unclear.words
    assert context_that_fits(blind, [80 * GIB]) is None


def test_vllm_wants_its_share_to_be_free() -> None:
    found = fit(served(8192), [60 * GIB], [80 * GIB])
    assert found.verdict is Verdict.NO
    assert found.words == "GPU 0 of them has 60.0 GiB free, 0.92 × 80.0 GiB are asked for: a share of 0.75 is free"
    assert fit(served(8192), [60 * GIB], [80 * GIB], utilization=0.75).verdict is Verdict.FITS
    assert fit(served(8192, 2), [80 * GIB], [80 * GIB]).words == "it is to run on 2 GPUs, 1 are there"
    assert fit(served(8192), [80 * GIB]).verdict is Verdict.UNKNOWN


def test_vllm_needs_one_whole_sequence() -> None:
    found = fit(served(), [24 * GIB], [24 * GIB])
    assert found.verdict is Verdict.NO
    assert found.words.startswith("131072 tokens need 16.0 GiB of KV cache, ~5.1 GiB are left")
    assert fit(served(), [16 * GIB], [16 * GIB]).words.startswith("weights and overhead alone exceed 14.7 GiB")
    fitting = fit(served(), [80 * GIB], [80 * GIB])
    assert (fitting.verdict, fitting.sure) == (Verdict.FITS, True)


def test_the_pool_is_what_is_left() -> None:
    need = served(8192)
    pool = kv_pool(need, [80 * GIB, 79 * GIB], utilization=0.9)
    assert pool is not None
    assert need.weights is not None
    left = int(0.9 * 79 * GIB) - need.weights.bytes - need.overhead.bytes
    assert pool.bytes.bytes == left
    assert pool.tokens == left // 131_072
    assert pool.concurrency == pytest.approx(left / 131_072 / 8192)
    assert pool.tokens_low < pool.tokens < pool.tokens_high
    assert kv_pool(need, []) is None
    empty = kv_pool(need, [8 * GIB])
    assert empty is not None
    assert (empty.tokens, empty.concurrency) == (0, 0.0)


def test_a_recorded_pool() -> None:
    """vLLM 0.32 of a model with 2 layers, 1 KV head of 32, in 32 bits and max_model_len 1024: its ``cache_config_info``
    said kv_cache_memory_bytes 1073741824, kv_cache_size_tokens 2097152, kv_cache_max_concurrency 2048.
    """
    tiny = Architecture("llama", (Layer(Kind.FULL, 1, 32, 32),) * 2)
    pool = pool_of(estimate(tiny, context=1024, kv_dtype="float32", engine="vllm"), Figure(GIB, GIB, GIB, "told"))
    assert pool is not None
    assert (pool.tokens, pool.concurrency) == (2_097_152, 2048.0)


def test_other_engines_compare_each_gpu() -> None:
    need = estimate(LLAMA_8B, context=8192, tensor_parallel=2, engine="tgi")
    assert need.each.total is not None
    assert fit(need, [24 * GIB, 24 * GIB]).verdict is Verdict.FITS
    worse = fit(need, [24 * GIB, 8 * GIB])
    assert worse.verdict is Verdict.NO
    assert worse.available == 8 * GIB


def test_the_context_that_fits() -> None:
    # 8 GiB − 0.69 GiB − 4.58 GiB leave 2.72 GiB: 22,300 tokens of 128 KiB
    assert context_that_fits(q4(), [8 * GIB]) == 22_272
    assert context_that_fits(q4(), [80 * GIB]) == 131_072
    assert context_that_fits(q4(), [4 * GIB]) is None
    found = context_that_fits(served(), [24 * GIB], [24 * GIB])
    assert found is not None
    assert fit(served(found), [24 * GIB], [24 * GIB]).verdict is Verdict.FITS
    assert fit(served(found + 256), [24 * GIB], [24 * GIB]).verdict is Verdict.NO


def test_ollama_reckons_without_windows() -> None:
    need = q4(131_072, arch=GEMMA)
    assert fit(need, [12 * GIB]).verdict is Verdict.FITS
    # 4.92 GB + 16 GiB > 80 % of 12 GiB
    assert ollama_expects(need, [12 * GIB]) is False
    assert ollama_expects(need, [48 * GIB]) is True
    assert ollama_expects(q4(arch=Unknown(("x",))), [48 * GIB]) is None


@pytest.mark.parametrize(
    ("size", "free", "partial", "words"),
    [
        (10 * GIB, 20 * GIB, 0, ""),
        (10 * GIB, 10 * GIB, 0, ""),
        (10 * GIB, 4 * GIB, 6 * GIB, ""),
        (10 * GIB, 4 * GIB, 0, "10.0 GiB are needed, 4.0 GiB are free: 6.0 GiB too few"),
        (
            10 * GIB,
            4 * GIB,
            5 * GIB,
            "5.0 GiB are needed (5.0 GiB of 10.0 GiB are there), 4.0 GiB are free: 1.0 GiB too few",
        ),
        (10 * GIB, 0, 20 * GIB, ""),
        (None, 0, 0, ""),
        (10 * GIB, None, 0, ""),
    ],
)
def test_disk(size: int | None, free: int | None, partial: int, words: str) -> None:
    assert pull_needs(size, free, partial) == words


lengths = st.sampled_from([0, 32, 64, 128, 576])
layers = st.builds(
    Layer,
    st.sampled_from(Kind),
    kv_heads=st.integers(0, 64),
    key_length=lengths,
    value_length=lengths,
    window=st.none() | st.integers(1, 4096),
    state_bytes=st.integers(0, 10**6),
)
shapes = st.builds(
    Architecture,
    st.just("any"),
    st.lists(layers, min_size=1, max_size=20).map(tuple),
    vocab_size=st.none() | st.integers(1, 300_000),
    max_context=st.none() | st.integers(1, 10**6),
    parameters=st.integers(1, 10**12),
    dtype=st.sampled_from(["f16", "bf16"]),
)
engines = st.sampled_from(["ollama", "llamacpp", "vllm", "sglang", "tgi", ""])
contexts = st.integers(1, 200_000)
gpus = st.lists(st.integers(0, 192 * GIB), max_size=4)


@given(shapes, st.tuples(contexts, contexts), st.integers(1, 8), engines, st.integers(1, 8))
def test_more_context_or_sequences_never_need_less(
    arch: Architecture, both: tuple[int, int], sequences: int, engine: str, tensor_parallel: int
) -> None:
    short = estimate(arch, context=min(both), engine=engine, tensor_parallel=tensor_parallel)
    long = estimate(arch, context=max(both), sequences=sequences, engine=engine, tensor_parallel=tensor_parallel)
    assert short.total is not None
    assert long.total is not None
    assert short.total.bytes <= long.total.bytes
    assert short.total.low <= short.total.bytes <= short.total.high
    assert long.each.total is not None
    assert long.each.total.bytes * long.gpus >= long.total.bytes
    assert long.at_least <= long.total.bytes


@given(shapes, contexts, engines, gpus, st.integers(0, 64 * GIB))
def test_more_memory_never_fits_worse(
    arch: Architecture, context: int, engine: str, free: list[int], more: int
) -> None:
    need = estimate(arch, context=context, engine=engine)
    totals = [192 * GIB] * len(free)
    order = [Verdict.FITS, Verdict.SPILLS, Verdict.NO]
    before, after = fit(need, free, totals), fit(need, [each + more for each in free], totals)
    assert order.index(after.verdict) <= order.index(before.verdict)
    assert before.words


@given(shapes, engines, st.lists(st.integers(1, 192 * GIB), min_size=1, max_size=4))
def test_the_context_that_fits_is_the_longest(arch: Architecture, engine: str, free: list[int]) -> None:
    need = estimate(arch, context=4096, engine=engine)
    found = context_that_fits(need, free, free)
    most = arch.max_context or 2**20
    if found is not None:
        assert fit(need.at(context=found), free, free).verdict is Verdict.FITS
        assert found <= most
    longer = (found or 0) + 256
    if longer <= most:
        assert fit(need.at(context=longer), free, free).verdict is not Verdict.FITS
