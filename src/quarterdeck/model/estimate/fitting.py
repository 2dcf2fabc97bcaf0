"""Whether an estimate fits the memory that is free, what doesn't, and which context would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from quarterdeck.format import size
from quarterdeck.model.estimate.architecture import Unknown
from quarterdeck.model.estimate.figure import Figure
from quarterdeck.model.estimate.needs import Estimate
from quarterdeck.model.estimate.overhead import LLAMA_ENGINES, POOL_ENGINES

UTILIZATION = 0.92
"""vLLM's ``--gpu-memory-utilization`` where it isn't given."""
_STEP = 256
"""Contexts are looked for in steps of so many tokens: llama.cpp rounds to them, vLLM's blocks divide them."""
_LONGEST = 2**20
_OLLAMA_SHARE = 0.8


class Verdict(StrEnum):
    """How an estimate and the free memory go together."""

    FITS = "fits"
    SPILLS = "spills to RAM"
    NO = "doesn't fit"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer, in words too. ``needed`` and ``available``: bytes of what was compared, of one GPU or of all."""

    verdict: Verdict
    words: str
    sure: bool = False
    """The verdict would be the same at both bounds of the estimate."""
    needed: int | None = None
    available: int | None = None
    on_cpu: float | None = None
    """The share of weights and cache that stays in RAM (``ollama ps`` shows the same share); 0 where all is on GPUs."""
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """What is left for vLLM's KV cache on a GPU, and what that holds."""

    bytes: Figure
    tokens: int
    """Over all sequences, as vLLM logs "GPU KV cache size"."""
    tokens_low: int
    tokens_high: int
    concurrency: float
    """How many sequences of the whole context it holds ("Maximum concurrency")."""


def fit(
    estimate: Estimate,
    free_per_gpu: Sequence[int],
    total_per_gpu: Sequence[int] = (),
    *,
    engine: str | None = None,
    utilization: float = UTILIZATION,
    free_ram: int | None = None,
) -> Fit:
    """Whether it fits these GPUs (those that it may use, in bytes).

    Ollama and llama.cpp: weights and cache over all GPUs, less an overhead on each; what is too much stays in RAM.
    vLLM: on every GPU ``utilization`` × total has to be free, and to hold weights, overhead and the cache of one whole
    sequence. Others: the need of each GPU against the least free one.
    """
    name = (engine or estimate.asked.engine).lower()
    if name in LLAMA_ENGINES:
        return _spilling(estimate, free_per_gpu, free_ram)
    if len(free_per_gpu) < estimate.gpus:
        return Fit(Verdict.NO, f"it is to run on {estimate.gpus} GPUs, {len(free_per_gpu)} are there", sure=True)
    if name in POOL_ENGINES:
        return _pooled(estimate, free_per_gpu[: estimate.gpus], total_per_gpu[: estimate.gpus], utilization)
    return _plain(estimate, min(free_per_gpu[: estimate.gpus]))


def context_that_fits(
    estimate: Estimate,
    free_per_gpu: Sequence[int],
    total_per_gpu: Sequence[int] = (),
    *,
    engine: str | None = None,
    utilization: float = UTILIZATION,
) -> int | None:
    """The longest context that fits, up to the model's own; a multiple of 256. ``None`` where none does, or unknown."""
    arch = estimate.asked.arch
    most = getattr(arch, "max_context", None) or max(_LONGEST, estimate.asked.context)

    def fits(context: int) -> bool:
        found = fit(estimate.at(context=context), free_per_gpu, total_per_gpu, engine=engine, utilization=utilization)
        return found.verdict is Verdict.FITS

    if fits(most):
        return int(most)
    low, high = 0, -(-int(most) // _STEP)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * _STEP) else (low, middle)
    return low * _STEP or None


def kv_pool(estimate: Estimate, total_per_gpu: Sequence[int], *, utilization: float = UTILIZATION) -> Pool | None:
    """vLLM's pool on the smallest GPU: utilization × total − weights − overhead, and what it holds.

    Tokens are concurrency × the asked context, as vLLM counts them: bytes / bytes per token for plain attention.
    ``None`` where an input is unknown; zero bytes where the weights alone are too much.
    """
    need, one = estimate.each, estimate.at(sequences=1).each.kv
    if need.weights is None or one is None or not total_per_gpu:
        return None
    budget = int(utilization * min(total_per_gpu))
    left = Figure(
        max(0, budget - need.weights.bytes - need.overhead.bytes),
        max(0, budget - need.weights.high - need.overhead.high),
        max(0, budget - need.weights.low - need.overhead.low),
        f"{utilization:g} × {size(min(total_per_gpu))} - weights - overhead",
    )
    return pool_of(estimate, left)


def pool_of(estimate: Estimate, left: Figure) -> Pool | None:
    """What a pool of ``left`` bytes (``--kv-cache-memory-bytes``) holds; ``None`` where the cache's size is unknown."""
    one = estimate.at(sequences=1).each.kv
    if one is None:
        return None
    context, per_sequence = estimate.asked.context, max(1, one.bytes)
    tokens, low, high = (count * context // per_sequence for count in (left.bytes, left.low, left.high))
    return Pool(left, tokens, low, high, left.bytes / per_sequence)


def ollama_expects(estimate: Estimate, free_per_gpu: Sequence[int]) -> bool | None:
    """Whether Ollama itself will think that it fits beside what is loaded; it evicts other models where not.

    Its rule: file size + 2 × layers × fewest KV heads × head length × context × sequences × 2 bytes, against 80 % of
    the free memory. ``None`` where an input is unknown.
    """
    asked = estimate.asked
    if estimate.weights is None or isinstance(asked.arch, Unknown):
        return None
    layers = asked.arch.layers
    values = len(layers) * min(layer.kv_heads for layer in layers) * max(layer.key_length for layer in layers)
    return estimate.weights.bytes + 4 * values * asked.context * asked.sequences <= _OLLAMA_SHARE * sum(free_per_gpu)


def _spilling(estimate: Estimate, free: Sequence[int], free_ram: int | None) -> Fit:
    weights, kv, each = estimate.weights, estimate.kv, estimate.each.overhead
    room = sum(max(0, each_free - each.bytes) for each_free in free)
    if weights is None or kv is None:
        return _untold(estimate, estimate.at_least - each.low, sum(free))
    needed = weights.bytes + kv.bytes
    sure_room = sum(max(0, each_free - each.high) for each_free in free)
    widest = sum(max(0, each_free - each.low) for each_free in free)
    if needed <= room:
        sure = weights.high + kv.high <= sure_room
        return Fit(Verdict.FITS, _left("all of it on GPUs", room - needed), sure, needed, room, 0.0)
    spilt = needed - room
    sure = weights.low + kv.low > widest
    if free_ram is not None and spilt > free_ram:
        words = f"{size(spilt)} would stay in RAM, {size(free_ram)} are free there"
        return Fit(Verdict.NO, words, sure, needed, room + free_ram, spilt / needed)
    share = min(1.0, spilt / needed)
    return Fit(Verdict.SPILLS, f"~{share:.0%} of it stays in RAM ({size(spilt)})", sure, needed, room, share)


def _pooled(estimate: Estimate, free: Sequence[int], totals: Sequence[int], utilization: float) -> Fit:
    if len(totals) < estimate.gpus:
        return Fit(Verdict.UNKNOWN, "the GPUs' memory isn't known", unknown=("the GPUs' total memory",))
    for place, (has, whole) in enumerate(zip(free, totals, strict=True)):
        if has < utilization * whole:
            words = f"GPU {place} of them has {size(has)} free, {utilization:g} × {size(whole)} are asked for"
            lower = int(100 * has / whole) / 100 if whole else 0.0
            return Fit(Verdict.NO, f"{words}: a share of {lower:g} is free", True, int(utilization * whole), has)
    pool, one = kv_pool(estimate, totals, utilization=utilization), estimate.at(sequences=1).each.kv
    budget = int(utilization * min(totals))
    if pool is None or one is None:
        return _untold(estimate, -(-estimate.at_least // estimate.gpus), budget)
    needed = budget - pool.bytes.bytes + one.bytes
    if one.bytes <= pool.bytes.bytes:
        words = f"KV cache for {pool.tokens} tokens, {pool.concurrency:.1f} × {estimate.asked.context}"
        return Fit(Verdict.FITS, words, one.bytes <= pool.bytes.low, needed, budget, 0.0)
    sure = one.bytes > pool.bytes.high
    if not pool.bytes.bytes:
        return Fit(Verdict.NO, f"weights and overhead alone exceed {size(budget)} a GPU", sure, needed, budget)
    words = (
        f"{estimate.asked.context} tokens need {size(one.bytes)} of KV cache, ~{size(pool.bytes.bytes)} are left for it"
    )
    return Fit(Verdict.NO, words, sure, needed, budget)


def _plain(estimate: Estimate, least_free: int) -> Fit:
    need = estimate.each.total
    if need is None:
        return _untold(estimate, -(-estimate.at_least // estimate.gpus), least_free)
    if need.bytes <= least_free:
        return Fit(
            Verdict.FITS,
            _left("it fits", least_free - need.bytes),
            need.high <= least_free,
            need.bytes,
            least_free,
            0.0,
        )
    words = f"{size(need.bytes - least_free)} more than is free"
    return Fit(Verdict.NO, words, need.low > least_free, need.bytes, least_free)


def _untold(estimate: Estimate, at_least: int, available: int) -> Fit:
    """With something unknown it can still be sure that it doesn't fit."""
    if at_least > available:
        spills = estimate.asked.engine in LLAMA_ENGINES
        words = f"it needs {size(at_least)} at least, {size(available)} are free"
        return Fit(Verdict.SPILLS if spills else Verdict.NO, words, True, at_least, available, unknown=estimate.unknown)
    return Fit(
        Verdict.UNKNOWN, f"not known: {', '.join(estimate.unknown)}", unknown=estimate.unknown, available=available
    )


def _left(what: str, left: int) -> str:
    return f"{what}, ~{size(left)} left"
