"""What a command line asks of vLLM. Pure.

Source: the arguments of ``vllm serve``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quarterdeck.model.commandlines import DEFAULT_PORTS, read
from quarterdeck.model.estimate.fitting import UTILIZATION

_LENGTH = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)([kKmMgG]?)")
_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "K": 2**10, "M": 2**20, "G": 2**30}
_SHORT = {"-tp": "--tensor-parallel-size", "-pp": "--pipeline-parallel-size", "-dp": "--data-parallel-size"}


class Serve(NamedTuple):
    """``None`` = left to vLLM, or not understood."""

    model: str | None
    host: str = ""
    port: int = DEFAULT_PORTS["vllm"]
    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    max_model_len: int | None = None
    automatic: bool = False
    """It chooses the longest context that fits."""
    utilization: float = UTILIZATION
    quantization: str | None = None
    kv_dtype: str = "auto"
    download_dir: str | None = None
    own_pool: bool = False
    """The cache's size is given in bytes."""

    @property
    def gpus(self) -> int:
        """How many it runs on."""
        return self.tensor * self.pipeline * self.data


def serve_of(argv: Sequence[str]) -> Serve | None:
    """``None`` where it is no vLLM server; a program of another name that is told to serve a model is one."""
    engine = read(argv).engine
    if engine != "vllm" and (engine is not None or list(argv[1:2]) != ["serve"]):
        return None
    options, words = _options(argv)
    told = options.get("--max-model-len", "").strip()
    length = tokens(told)
    return Serve(
        options.get("--model") or (words[0] if words else None),
        options.get("--host", ""),
        _whole(options.get("--port"), DEFAULT_PORTS["vllm"], 65_535),
        _whole(options.get("--tensor-parallel-size"), 1, 4096),
        _whole(options.get("--pipeline-parallel-size"), 1, 4096),
        _whole(options.get("--data-parallel-size-local") or options.get("--data-parallel-size"), 1, 4096),
        length,
        told in ("auto", "-1"),
        _share(options.get("--gpu-memory-utilization")),
        options.get("--quantization") or options.get("-q"),
        options.get("--kv-cache-dtype", "auto"),
        options.get("--download-dir"),
        "--kv-cache-memory-bytes" in options or "--num-gpu-blocks-override" in options,
    )


def tokens(text: str) -> int | None:
    """Of --max-model-len: 32768, 32k (32,000) or 32K (32,768)."""
    match = _LENGTH.fullmatch(text.strip())
    return (round(float(match[1]) * _SCALES[match[2]]) or None) if match else None


def _options(argv: Sequence[str]) -> tuple[Mapping[str, str], list[str]]:
    """Each option with its first value, and the words after "serve" that belong to none."""
    options: dict[str, str] = {}
    words: list[str] = []
    name, serving = "", False
    for arg in argv[1:]:
        if arg.startswith("-") and not arg[1:2].isdigit():
            name, _, value = arg.partition("=")
            name = _SHORT.get(name, name.replace("_", "-"))
            options[name] = value
            name = "" if value else name
        elif name:
            options[name], name = options[name] or arg, ""
        elif serving:
            words.append(arg)
        else:
            serving = arg == "serve"
    return options, words


def _whole(text: str | None, default: int, most: int) -> int:
    plain = text or ""
    return int(plain) if plain.isascii() and plain.isdigit() and 0 < int(plain[:9]) <= most else default


def _share(text: str | None) -> float:
    try:
        share = float(text or UTILIZATION)
    except ValueError:
        return UTILIZATION
    return share if 0 < share <= 1 else UTILIZATION
