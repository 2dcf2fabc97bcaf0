"""llama-server's log, with and without its new prefixes."""

from __future__ import annotations

import re
from dataclasses import replace

from quarterdeck.format import size
from quarterdeck.model.startup.causes import NUMBER, cause, in_use
from quarterdeck.model.startup.lines import BarLine, mib, quoted
from quarterdeck.model.startup.state import Cause, Place, Reader, Startup

PHASES = (
    ("starting", 0.0),
    ("loading weights", 0.02),
    ("preparing the context", 0.85),
    ("warming up", 0.92),
    ("starting the HTTP server", 0.98),
    ("serving", 1.0),
)
_WEIGHTS, _CONTEXT, _WARM, _HTTP, _SERVES = range(1, 6)
_MARKS = (
    ("listening on http", _SERVES, 1.0),
    ("all slots are idle", _SERVES, 1.0),
    ("load_model: loading model", _WEIGHTS, 0.0),
    ("main: loading model", _WEIGHTS, 0.0),
    ("llama_model_loader: loaded meta data", _WEIGHTS, 0.02),
    ("load_tensors: loading model tensors", _WEIGHTS, 0.05),
    ("constructing llama_context", _CONTEXT, 0.0),
    ("KV buffer size", _CONTEXT, 0.4),
    ("compute buffer size", _CONTEXT, 0.8),
    ("warming up the model", _WARM, 0.0),
    ("initializing, n_slots", _WARM, 0.8),
    ("initializing slots", _WARM, 0.8),
    ("model loaded", _HTTP, 0.5),
    ("starting server in router mode", _HTTP, 0.5),
)
_DOTS = re.compile(r"\.{1,100}")
"""Older builds draw one for every percent of the weights."""
_LISTENS = re.compile(r"listening on (https?://[\w.:\[\]-]{1,200})")
_BUFFER = re.compile(rf"load_tensors: +([\w-]{{1,30}}) model buffer size = +{NUMBER} MiB")
_KV = re.compile(rf"([\w-]{{1,30}}) KV buffer size = +{NUMBER} MiB")
_LAYERS = re.compile(r"offloaded (\d{1,5})/(\d{1,5}) layers to GPU")
_SLOTS = re.compile(r"n_slots = (\d{1,5}), n_ctx_slot = (\d{1,12})")
_BUILD = re.compile(r"build: (\d{1,7}) \(")


def _place(line: str, bar: BarLine | None) -> Place | None:
    if _DOTS.fullmatch(line):
        return _WEIGHTS, 0.05 + 0.95 * len(line) / 100
    return next(((phase, progress) for text, phase, progress in _MARKS if text in line), None)


def _facts(startup: Startup, line: str) -> Startup:
    facts = startup.facts
    if "loading model tensors" in line:
        facts = replace(facts, weights=None)
    elif "constructing llama_context" in line:
        facts = replace(facts, kv_available=None)
    elif found := _BUFFER.search(line):
        facts = replace(facts, weights=(facts.weights or 0) + mib(found[2]))
    elif found := _KV.search(line):
        facts = replace(facts, kv_available=(facts.kv_available or 0) + mib(found[2]))
    elif found := _LAYERS.search(line):
        facts = replace(facts, layers_on_gpu=f"{found[1]} of {found[2]}")
    elif found := _SLOTS.search(line):
        facts = replace(facts, max_concurrency=float(found[1]), max_model_len=int(found[2]))
    elif found := _LISTENS.search(line):
        facts = replace(facts, url=found[1])
    elif found := _BUILD.search(line):
        facts = replace(facts, version=f"b{found[1]}")
    return startup if facts is startup.facts else replace(startup, facts=facts)


_SMALLER = "try fewer --n-gpu-layers, a smaller --ctx-size or --parallel, or a smaller quantization"


def _no_memory(found: re.Match[str]) -> tuple[str, str]:
    return f"device {found[2]} has no room for {size(mib(found[1]))} more", _SMALLER


def _no_buffer(found: re.Match[str]) -> tuple[str, str]:
    return f"{found[1]} has no room for {size(int(found[2]))} more", _SMALLER


def _no_file(found: re.Match[str]) -> tuple[str, str]:
    what = "may not be read" if "ermission" in found[2] else "is not there"
    return f"the model file {quoted(found[1], 120)} {what}", "check -m, as the server sees it"


_CAUSES: tuple[Cause, ...] = (
    Cause(re.compile(r"couldn't bind HTTP server socket, hostname: \S{1,200}, port: (\d{1,5})"), lambda found: in_use(found[1])),
    cause(r"error: invalid argument: (-{1,2}[\w-]{1,60})", "it doesn't know {1}", "compare with its --help"),
    cause(r"error: invalid argument", "it was given an argument that it doesn't know", "compare with its --help"),
    cause(r"error while handling argument \"([-\w]{1,60})\"", "the value of {1} is none that it takes", "compare with its --help"),
    cause(r"error while handling environment variable \"(\w{1,60})\"", "the value of {1} is none that it takes", "compare with its --help"),
    Cause(re.compile(r"failed to open GGUF file '([^']{1,300})' \(([^)]{1,80})\)"), _no_file),
    Cause(re.compile(r"failed to open (/[^:]{1,300}?): (No such file or directory|Permission denied)"), _no_file),
    cause(r"invalid magic characters", "the model file is no GGUF file", "give it a model in GGUF format"),
    cause(r"failed to read key-value pairs|failed to read tensor info|not within the file bounds, model is corrupted|failed to read tensor data", "the model file is damaged or half downloaded", "download it again"),
    cause(r"unknown model architecture: '(\w{1,60})'", "this llama.cpp doesn't know the architecture {1}", "try a newer llama.cpp"),
    Cause(re.compile(rf"allocating {NUMBER} MiB on device (\d{{1,3}}): \w{{0,20}}Malloc\w{{0,10}} failed: out of memory"), _no_memory),
    Cause(re.compile(r"failed to allocate (\w{1,30}) buffer of size (\d{1,18})\b"), _no_buffer),
    cause(r"unable to allocate (\w{1,30}) buffer|failed to allocate buffer for kv cache|failed to allocate compute \w{1,10} ?buffers|failed to allocate buffer of size", "it has no room for the model and its context", _SMALLER),
    cause(r"failed to download model|get_repo_commit: error: HEAD failed|HF API: .{0,80}failed", "the model can't be downloaded", "check its name and the network, or give a file with -m"),
    cause(r"exactly one out metadata, path_model, and file must be defined", "it has no file of that model", "check -m or -hf; with --offline only what is already there can be used"),
)  # fmt: skip

READER = Reader(
    PHASES,
    _place,
    _facts,
    _CAUSES,
    failures=(
        "exiting due to model loading error",
        "exiting due to HTTP server error",
        "terminate called after throwing",
    ),
    error=re.compile(r"^[\d.]{5,20} E \S{1,12} {1,20}(.{1,400})$|(error loading model: .{1,400})$"),
)
