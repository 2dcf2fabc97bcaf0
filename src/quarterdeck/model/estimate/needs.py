"""What a model will need: weights + KV cache + overhead, of each GPU and of all together."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quarterdeck.model.estimate.architecture import Architecture, Unknown
from quarterdeck.model.estimate.figure import Figure, exact, total
from quarterdeck.model.estimate.kv_cache import cache_type, kv_bytes, missing_for_kv
from quarterdeck.model.estimate.overhead import LLAMA_ENGINES, MICRO_BATCH, POOL_ENGINES, overhead
from quarterdeck.model.estimate.weights import weights_bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, so that it can be asked again with another context."""

    arch: Architecture | Unknown
    weights_file: int | None
    quantization: str | None
    context: int
    sequences: int
    kv_dtype: str
    tensor_parallel: int
    pipeline_parallel: int
    engine: str


@dataclass(frozen=True, slots=True)
class Need:
    """Memory of one GPU. ``None`` = can't be told."""

    weights: Figure | None
    kv: Figure | None
    overhead: Figure

    @property
    def total(self) -> Figure | None:
        """All three; ``None`` where one is unknown."""
        return total((self.weights, self.kv, self.overhead))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that a model needs. ``weights``, ``kv``, ``overhead`` and ``total`` are those of all its GPUs together."""

    each: Need
    """Of one GPU: with pipeline parallelism the one with the fullest stage."""
    gpus: int
    """tensor_parallel × pipeline_parallel; 1 where the engine spreads layers as it likes."""
    weights: Figure | None
    kv: Figure | None
    unknown: tuple[str, ...]
    """The inputs that are missing for what is ``None``."""
    notes: tuple[str, ...]
    """What makes a number a bound, or leaves something out."""
    asked: Asked

    @property
    def overhead(self) -> Figure:
        """On all GPUs."""
        return self.each.overhead.times(self.gpus)

    @property
    def total(self) -> Figure | None:
        """Everything on all GPUs; ``None`` where a part is unknown."""
        return total((self.weights, self.kv, self.overhead))

    @property
    def at_least(self) -> int:
        """The lower bound of what is known."""
        return sum(part.low for part in (self.weights, self.kv, self.overhead) if part is not None)

    def at(self, *, context: int | None = None, sequences: int | None = None) -> Estimate:
        """The same with another context or number of sequences."""
        asked = self.asked
        return _estimate(replace(asked, context=context or asked.context, sequences=sequences or asked.sequences))


def estimate(
    arch: Architecture | Unknown,
    *,
    weights_file: int | None = None,
    quantization: str | None = None,
    context: int,
    sequences: int = 1,
    kv_dtype: str = "auto",
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
    engine: str = "",
) -> Estimate:
    """What ``engine`` needs for ``sequences`` sequences of ``context`` tokens.

    ``weights_file``: bytes of the model's files, the best source of its weights. ``quantization`` and ``kv_dtype``: as
    the engine words them. Ollama and llama.cpp reserve the cache of every sequence when they load; vLLM's is a pool
    (see `fitting.kv_pool`). Counts below 1 are 1. Never raises: what is missing is ``None`` and named in ``unknown``.
    """
    counts = (max(1, each) for each in (context, sequences, tensor_parallel, pipeline_parallel))
    context, sequences, tensor_parallel, pipeline_parallel = counts
    asked = Asked(
        arch,
        weights_file,
        quantization,
        context,
        sequences,
        kv_dtype,
        tensor_parallel,
        pipeline_parallel,
        engine.lower(),
    )
    return _estimate(asked)


def _estimate(asked: Asked) -> Estimate:
    arch = None if isinstance(asked.arch, Unknown) else asked.arch
    gpus = asked.tensor_parallel * asked.pipeline_parallel
    weights_file = asked.weights_file
    if arch is not None and arch.dtype == "f32" and asked.engine in POOL_ENGINES:
        arch, weights_file = replace(arch, dtype="bf16"), _halved(weights_file)
    weighed = weights_bytes(arch, file_bytes=weights_file, quantization=asked.quantization)
    weights = None if isinstance(weighed, Unknown) else weighed
    kv_all, kv_each = (_kv(asked, arch, 1, 1), _kv(asked, arch, asked.tensor_parallel, asked.pipeline_parallel))
    if kv_all is not None and kv_each is not None and gpus > 1:
        kv_all = _across(asked, arch, kv_all)
    each = Need(weights.shared(gpus) if weights else None, kv_each, overhead(asked.engine, arch))
    counted = weights is not None and weights.method != "file size"
    notes = (*arch.notes, *(arch.uncounted if counted else ())) if arch else ()
    return Estimate(
        each,
        gpus,
        weights,
        kv_all,
        _missing(asked, arch, weighed),
        notes,
        asked,
    )


def _halved(weights_file: int | None) -> int | None:
    """Of a 32-bit file: vLLM loads it with 16 bits (``--dtype auto``)."""
    return None if weights_file is None else weights_file // 2


def _kv(asked: Asked, arch: Architecture | None, tensor: int, pipeline: int) -> Figure | None:
    if arch is None:
        return None
    slack = MICRO_BATCH if asked.engine in LLAMA_ENGINES else 0
    count = kv_bytes(
        arch, asked.context, asked.sequences, asked.kv_dtype,
        tensor_parallel=tensor, pipeline_parallel=pipeline, window_slack=slack,
    )  # fmt: skip
    method = f"KV cache in {cache_type(arch, asked.kv_dtype)}, {asked.sequences} × {asked.context} tokens"
    return None if count is None else exact(count, method)


def _across(asked: Asked, arch: Architecture | None, whole: Figure) -> Figure:
    """The cache on all GPUs: heads that are replicated count as often as they are held."""
    stage = _kv(asked, arch, asked.tensor_parallel, 1)
    return whole if stage is None else stage.times(asked.tensor_parallel)


def _missing(asked: Asked, arch: Architecture | None, weighed: Figure | Unknown) -> tuple[str, ...]:
    names: list[str] = []
    if isinstance(weighed, Unknown):
        names += weighed.what
    if isinstance(asked.arch, Unknown):
        names += asked.arch.what
    elif arch is not None:
        names += missing_for_kv(arch, asked.kv_dtype)
    return tuple(dict.fromkeys(names))
