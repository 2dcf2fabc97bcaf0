"""vLLM's log, as 0.6 to 0.33 write it (sources: its own modules, named at each entry)."""

from __future__ import annotations

import math
import re
from dataclasses import replace

from quarterdeck.model.startup.causes import NUMBER, cause
from quarterdeck.model.startup.lines import BarLine, gib, quoted, whole
from quarterdeck.model.startup.state import Cause, Place, Reader, Startup, StartupFacts

PHASES = (
    ("starting", 0.0),
    ("reading the configuration", 0.01),
    ("starting the engine", 0.05),
    ("loading weights", 0.10),
    ("compiling", 0.55),
    ("measuring memory", 0.75),
    ("capturing CUDA graphs", 0.80),
    ("starting the HTTP server", 0.95),
    ("serving", 1.0),
)
_CONFIG, _ENGINE, _WEIGHTS, _COMPILE, _MEMORY, _GRAPHS, _HTTP, _SERVES = range(1, 9)
_MARKS = (
    ("non-default args", _CONFIG, 0.2),
    ("vLLM API server version", _CONFIG, 0.0),
    ("Resolved architecture", _CONFIG, 0.6),
    ("Using max model len", _CONFIG, 0.8),
    ("Waiting for init message from front-end", _ENGINE, 0.0),
    ("Initializing a V1 LLM engine", _ENGINE, 0.2),
    (" in world size ", _ENGINE, 0.8),
    ("Starting to load model", _WEIGHTS, 0.0),
    ("Loading weights took", _WEIGHTS, 0.97),
    ("Model loading took", _WEIGHTS, 1.0),
    ("Dynamo bytecode transform time", _COMPILE, 0.3),
    ("Compiling a graph", _COMPILE, 0.6),
    ("Directly load the compiled graph", _COMPILE, 0.6),
    ("torch.compile took", _COMPILE, 1.0),
    ("Initial profiling/warmup run took", _MEMORY, 0.0),
    ("Profiling CUDA graph memory", _MEMORY, 0.3),
    ("Available KV cache memory", _MEMORY, 0.7),
    ("KV cache size:", _MEMORY, 1.0),
    ("Graph capturing finished", _GRAPHS, 1.0),
    ("init engine (profile", _HTTP, 0.0),
    ("Starting vLLM server on", _HTTP, 0.4),
    ("Starting vLLM API server", _HTTP, 0.4),
    ("Available routes are", _HTTP, 0.6),
    ("Waiting for application startup", _HTTP, 0.8),
    ("Application startup complete", _SERVES, 1.0),
)
_BARS = (("checkpoint shards", _WEIGHTS), ("CUDA graph", _GRAPHS), ("Fetching", _WEIGHTS))
"""What a bar's text tells that it is of. Several of a kind may follow one another; the fraction of the first one that is done holds."""


def _place(line: str, bar: BarLine | None) -> Place | None:
    if bar is not None:
        for text, phase in _BARS:
            if text in bar.what:
                return phase, bar.fraction * 0.97
        return None
    return next(((phase, progress) for text, phase, progress in _MARKS if text in line), None)


_VERSION = re.compile(r"V1 LLM engine \(v([\w.+-]{1,40})\)|API server version ([\w.+-]{1,40})")
_ARCHITECTURE = re.compile(r"Resolved architecture: (\w{1,80})")
_CHECKPOINT = re.compile(rf"Checkpoint size: {NUMBER} GiB")
_WEIGHTS_TOOK = re.compile(rf"Loading weights took {NUMBER} seconds")
_MODEL_TOOK = re.compile(rf"Model loading took {NUMBER} Gi?B")
_AVAILABLE = re.compile(rf"Available KV cache memory: {NUMBER} GiB")
_KV_TOKENS = re.compile(r"KV cache size: (\d[\d,]{0,19}) tokens")
_CONCURRENCY = re.compile(rf"Maximum concurrency for (\d[\d,]{{0,19}}) tokens per request: {NUMBER}x")
_GRAPHS_TOOK = re.compile(rf"Graph capturing finished in \d{{1,6}} secs, took {NUMBER} GiB")
_ENGINE_TOOK = re.compile(rf"init engine \(profile[^)]{{0,80}}\) took {NUMBER} s")
_PORT = re.compile(r"non-default args: .{0,1900}?'port': (\d{1,5})\b")
_LENGTH = re.compile(r"Using max model len (\d{1,12})")
_URL = re.compile(r"Starting vLLM (?:API )?server (?:\d{1,4} )?on (https?://[\w.:\[\]-]{1,200})")


def _facts(startup: Startup, line: str) -> Startup:
    facts = startup.facts
    for group in (_sizes, _identity):
        facts = group(facts, line)
    return startup if facts is startup.facts else replace(startup, facts=facts)


def _sizes(facts: StartupFacts, line: str) -> StartupFacts:
    if found := _MODEL_TOOK.search(line):
        return replace(facts, weights=max(facts.weights or 0, gib(found[1])))
    if found := _AVAILABLE.search(line):
        available = gib(found[1])
        return replace(
            facts, kv_available=available if facts.kv_available is None else min(available, facts.kv_available)
        )
    if found := _GRAPHS_TOOK.search(line):
        return replace(facts, cuda_graphs=gib(found[1]))
    if found := _CHECKPOINT.search(line):
        return replace(facts, checkpoint=gib(found[1]))
    if found := _KV_TOKENS.search(line):
        facts = replace(facts, kv_tokens=whole(found[1]))
    if found := _CONCURRENCY.search(line):
        facts = replace(facts, max_model_len=whole(found[1]), max_concurrency=float(found[2]))
    return facts


def _identity(facts: StartupFacts, line: str) -> StartupFacts:
    if found := _WEIGHTS_TOOK.search(line):
        return replace(facts, weights_s=max(facts.weights_s or 0.0, float(found[1])))
    if found := _ENGINE_TOOK.search(line):
        return replace(facts, engine_s=float(found[1]))
    if found := _LENGTH.search(line):
        return replace(facts, max_model_len=int(found[1]))
    return _names(facts, line)


def _names(facts: StartupFacts, line: str) -> StartupFacts:
    if found := _VERSION.search(line):
        return replace(facts, version=found[1] or found[2])
    if found := _ARCHITECTURE.search(line):
        return replace(facts, architecture=found[1])
    if found := _PORT.search(line):
        return replace(facts, port=int(found[1]))
    if found := _URL.search(line):
        return replace(facts, url=found[1])
    return facts


def _too_long(found: re.Match[str]) -> tuple[str, str]:
    """v1/core/kv_cache_utils.py: _check_enough_kv_cache_memory."""
    needs, has = f"{float(found[2]):.1f}", f"{float(found[3]):.1f}"
    what = f"max_model_len needs {needs} GiB of KV cache, {has} GiB are available"
    if needs == has:
        what = f"max_model_len {found[1]} needs more KV cache than is available ({has} GiB)"
    if found[4]:
        return what, f"try --max-model-len {found[4]}"
    return what, "try a smaller --max-model-len, a larger --gpu-memory-utilization, or more GPUs"


def _not_free(found: re.Match[str]) -> tuple[str, str]:
    """v1/worker/utils.py and cpu_worker.py: at start, free memory is less than the share that was asked for."""
    where, free, total, share, wants = (
        found[1] or "the GPU",
        float(found[2]),
        float(found[3]),
        found[4],
        float(found[5]),
    )
    digits = 1 if f"{free:.1f}" != f"{wants:.1f}" else 2
    what = f"{free:.{digits}f} of {total:.{digits}f} GiB are free on {where}, --gpu-memory-utilization {share} wants {wants:.{digits}f}"
    fits = math.floor((free / total - 0.005) * 100) / 100 if total > 0 else 0.0
    if fits < 0.1:
        return what, "stop what else holds that memory"
    return what, f"try --gpu-memory-utilization {min(fits, 0.99):.2f}, or stop what else holds that memory"


def _too_long_for_model(found: re.Match[str]) -> tuple[str, str]:
    """config/model.py."""
    most = f"{int(float(found[2]))}" if found[2] else ""
    return f"max_model_len {found[1]} is more than the model was made for" + (f" ({most})" if most else ""), (
        f"try --max-model-len {most}" if most else "leave --max-model-len out"
    )


def _heads(found: re.Match[str]) -> tuple[str, str]:
    """config/model.py: verify_with_parallel_config."""
    heads, parallel = int(found[1]), int(found[2])
    fits = [str(size) for size in range(1, min(heads, 64) + 1) if heads % size == 0]
    return (
        f"{heads} attention heads can't be split over {parallel} GPUs",
        f"try --tensor-parallel-size {' or '.join(fits[-4:])}",
    )


def _no_repository(found: re.Match[str]) -> tuple[str, str]:
    name = quoted(next((group for group in found.groups() if group), ""), 100)
    return (
        f"there is no model {name}, neither as a folder nor on Hugging Face"
        if name
        else "there is no such model, neither as a folder nor on Hugging Face",
        ("check its name; a private one needs HF_TOKEN"),
    )


_GATED = "its publisher lets only people in who asked for access"
_GATED_ADVICE = "accept its terms on Hugging Face, then set HF_TOKEN where the server starts"
_CAUSES: tuple[Cause, ...] = (
    Cause(re.compile(rf"max seq len \((\d{{1,12}})\),? \({NUMBER} GiB KV cache is needed, which is larger than the available KV cache memory \({NUMBER} GiB\)(?:.{{0,200}}?estimated maximum model length is (\d{{1,12}}))?"), _too_long),
    Cause(re.compile(rf"(?:Free|Available) memory on (?:device )?((?:cuda|hip|xpu|node)[ :]?\d{{0,3}})? ?\({NUMBER}/{NUMBER} GiB\) on startup is less than desired \wPU memory utilization \({NUMBER}, {NUMBER} GiB\)"), _not_free),
    cause(rf"Available memory on (node \d{{1,3}}) \({NUMBER}/{NUMBER} GiB\) on kv cache allocation is less than requested memory for kv \({NUMBER}", "{2} of {3} GiB are free on {1}, the KV cache wants {4}", "try a smaller --kv-cache-memory-bytes or --gpu-memory-utilization"),
    cause(rf"Externally held weights on device \S{{0,20}} ?\({NUMBER}/{NUMBER} GiB\) exceed", "weights that another process holds take {1} of {2} GiB, more than the share of this one", "try a larger --gpu-memory-utilization"),
    cause(r"No available memory for the cache blocks", "the weights leave no memory for the KV cache", "try a larger --gpu-memory-utilization, a quantized model, or more GPUs"),
    cause(r"Cannot auto-fit max_model_len", "the weights leave no memory for even one token of KV cache", "try a larger --gpu-memory-utilization, a quantized model, or more GPUs"),
    Cause(re.compile(r"max_model_len \((\d{1,12})\) is greater than the derived max_model_len(?: \(\w{1,60}=(\d{1,12})(?:\.\d{1,3})?)?"), _too_long_for_model),
    Cause(re.compile(r"attention heads \((\d{1,6})\) must be divisible by tensor parallel size \((\d{1,6})\)"), _heads),
    cause(r"World size \((\d{1,6})\) is larger than the number of available GPUs \((\d{1,4})\)", "{1} GPUs are asked for, it sees {2}", "try a smaller --tensor-parallel-size or --pipeline-parallel-size, or check CUDA_VISIBLE_DEVICES"),
    cause(r"Tensor parallel size \((\d{1,6})\) exceeds available GPUs \((\d{1,4})\)", "{1} GPUs are asked for, it sees {2}", "try a smaller --tensor-parallel-size, or check CUDA_VISIBLE_DEVICES"),
    cause(r"Quantization method specified in the model config \((\w{1,40})\) does not match .{0,80}?\((\w{1,40})\)", "the model is quantized as {1}, not as {2}", "leave --quantization out, or --quantization {1}"),
    cause(r"Unknown quantization method: (\w{1,40})", "this vLLM doesn't know the quantization {1}", "leave --quantization out: the model's configuration tells it"),
    cause(r"quantization method (\w{1,40}) is not supported for the current GPU\. Minimum capability: (\d{1,4})\. Current capability: (\d{1,4})", "the quantization {1} needs a GPU of capability {2}, this one has {3}", "try another quantization of the model"),
    cause(r"(\S{1,30}) is not supported for quantization method (\w{1,40})", "the quantization {2} doesn't work with {1}", "leave --dtype out"),
    cause(r"Model architectures \[?'?(\w{1,80})?.{0,200}? are not supported for now", "this vLLM doesn't know the architecture {1}", "try a newer vLLM, or --model-impl transformers"),
    cause(r"does not recognize this architecture|model type `(\w{1,60})` but Transformers does not recognize", "its transformers library doesn't know the model's architecture", "try a newer vLLM and transformers"),
    cause(r"contains custom code which must be executed|requires you to execute the configuration file|is a custom model not yet available in the HuggingFace", "the model brings code of its own, which may not run", "try --trust-remote-code, if you trust whoever made it"),
    cause(r"trying to access a gated repo|Cannot access gated repo|is a gated repository|GatedRepoError|Access to model \S{1,200} is restricted", _GATED, _GATED_ADVICE),
    Cause(re.compile(r"(?:OSError: |^)(\S{1,200}) is not a local folder|Repository Not Found for url: https?://[^/\s]{1,100}/(?:api/models/)?([\w.-]{1,100}/[\w.-]{1,100})|Invalid repository ID or local directory specified: '([^']{1,200})'"), _no_repository),
    cause(r"Repo id must be in the form .{0,60}?: '([^']{1,300})'", "there is no folder {1}", "check the path, as the server sees it"),
    cause(r"Cannot find an appropriate cached snapshot folder|couldn't connect to 'https://huggingface\.co'|outgoing traffic has been disabled", "the model isn't on this machine and Hugging Face can't be reached", "download it first, give its folder, or unset HF_HUB_OFFLINE"),
    cause(r"Cannot find any model weights with", "the model's folder holds no weights that it can load", "check that the download is complete, or --load-format"),
    cause(r"SafetensorError|Error while deserializing header|incomplete metadata, file not fully covered", "a file of weights is damaged or half downloaded", "download the model again"),
    cause(r"Failed to infer device type", "it sees no GPU or other device", "check nvidia-smi, CUDA_VISIBLE_DEVICES, and that a container was given the GPUs"),
    cause(r"CUDA out of memory occurred when warming up (?:sampler|pooler) with (\d{1,9})", "a GPU ran out of memory when warming up with {1} requests", "try a smaller --max-num-seqs or --gpu-memory-utilization"),
)  # fmt: skip

READER = Reader(
    PHASES,
    _place,
    _facts,
    _CAUSES,
    failures=(
        "EngineCore failed to start",
        "WorkerProc failed to start",
        "WorkerProc initialization failed",
        "Engine core initialization failed",
        "Engine process failed to start",
        "Frontend process failed during engine core initialization",
        "died unexpectedly",
    ),
    heads=("EngineCore failed to start", "WorkerProc failed to start"),
)
