"""A vLLM server that is to be started: what was filled in, as the exact command. Pure.

Source: the arguments of ``vllm serve``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DEFAULT_PORT = 8000
QUANTIZATIONS = (
    "awq",
    "awq_marlin",
    "bitsandbytes",
    "compressed-tensors",
    "fp8",
    "gguf",
    "gptq",
    "gptq_marlin",
    "modelopt",
    "mxfp4",
)
"""Those that are asked for often; any word is passed on."""
_LENGTH = re.compile(r"\d+(?:\.\d+)?[kKmMgG]?|auto|-1")
_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Launch:
    """The fields of the form. What is empty is left to vLLM."""

    model: str
    name: str = ""
    """Of the deployment, and of the endpoint it becomes; empty = made from the model's."""
    port: int = DEFAULT_PORT
    host: str = "127.0.0.1"
    tensor_parallel: int = 1
    max_model_len: str = ""
    """Tokens, as vLLM takes them: 32768, 32k, auto."""
    gpu_memory_utilization: float | None = None
    quantization: str = ""
    lora: tuple[str, ...] = ()
    """Adapters as NAME=PATH."""
    gpus: tuple[int, ...] = ()
    """Indices of the GPUs it may use; () = all."""
    program: str = "vllm"
    extra: tuple[str, ...] = ()
    """Further arguments, as they are."""

    @property
    def called(self) -> str:
        """The name of its deployment."""
        return self.name or _NAME.sub("-", self.model.rstrip("/").rpartition("/")[2]).strip("-").lower()[:60] or "vllm"

    @property
    def url(self) -> str:
        """Where it will answer."""
        reached = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host  # noqa: S104  (recognised, not bound)
        return f"http://{f'[{reached}]' if ':' in reached else reached}:{self.port}"

    @property
    def command(self) -> tuple[str, ...]:
        """The argument list."""
        given = [self.program, "serve", self.model, "--host", self.host, "--port", str(self.port)]
        if self.tensor_parallel > 1:
            given += ["--tensor-parallel-size", str(self.tensor_parallel)]
        if self.max_model_len:
            given += ["--max-model-len", self.max_model_len]
        if self.gpu_memory_utilization is not None:
            given += ["--gpu-memory-utilization", f"{self.gpu_memory_utilization:g}"]
        if self.quantization:
            given += ["--quantization", self.quantization]
        if self.lora:
            given += ["--enable-lora", "--lora-modules", *self.lora]
        return (*given, *self.extra)

    @property
    def env(self) -> Mapping[str, str]:
        """The variables that choose its GPUs."""
        return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, self.gpus))} if self.gpus else {}

    @property
    def shown(self) -> str:
        """The exact command, as it could be typed in a shell."""
        return " ".join([*(f"{name}={value}" for name, value in self.env.items()), shlex.join(self.command)])


FIELDS = (
    "model",
    "name",
    "port",
    "gpus",
    "tensor_parallel",
    "max_model_len",
    "gpu_memory_utilization",
    "quantization",
    "lora",
    "extra",
    "program",
)
"""In the order that they are asked for."""


def read(answers: Mapping[str, str]) -> tuple[Launch | None, dict[str, str]]:
    """What was typed as a launch, and what is wrong by field; the launch is ``None`` where something is."""
    wrong: dict[str, str] = {}
    model = answers.get("model", "").strip()
    if not model:
        wrong["model"] = "the model is missing, such as Qwen/Qwen3-8B, or a folder"
    elif model.startswith("-"):
        wrong["model"] = "a model can't begin with a dash"
    port = _number(answers, "port", DEFAULT_PORT, 65_535, wrong)
    parallel = _number(answers, "tensor_parallel", 1, 64, wrong)
    gpus = _gpus(answers.get("gpus", ""), parallel, wrong)
    length = answers.get("max_model_len", "").strip()
    if length and not _LENGTH.fullmatch(length):
        wrong["max_model_len"] = "expected tokens such as 32768 or 32k, or auto"
    share = _share(answers.get("gpu_memory_utilization", "").strip(), wrong)
    lora = tuple(answers.get("lora", "").split())
    if any("=" not in each or each.startswith(("=", "-")) for each in lora):
        wrong["lora"] = "expected NAME=PATH, several with spaces between them"
    try:
        extra = tuple(shlex.split(answers.get("extra", "")))
    except ValueError:
        extra, wrong["extra"] = (), "a quote is not closed"
    if wrong:
        return None, wrong
    quantization, name = answers.get("quantization", "").strip(), answers.get("name", "").strip()
    program = answers.get("program", "").strip() or "vllm"
    launch = Launch(
        model, name, port, tensor_parallel=parallel, max_model_len=length, gpu_memory_utilization=share,
        quantization=quantization, lora=lora, gpus=gpus, program=program, extra=extra,
    )  # fmt: skip
    return launch, {}


def _number(answers: Mapping[str, str], name: str, default: int, most: int, wrong: dict[str, str]) -> int:
    text = answers.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        wrong[name] = f"expected a number from 1 to {most}"
        return default
    return int(text)


def _share(text: str, wrong: dict[str, str]) -> float | None:
    if not text:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        wrong["gpu_memory_utilization"] = "expected a share such as 0.9 or 90%"
        return None
    return share


def _gpus(text: str, parallel: int, wrong: dict[str, str]) -> tuple[int, ...]:
    parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
    if any(not part.isascii() or not part.isdigit() or len(part) > 3 for part in parts):
        wrong["gpus"] = "expected indices such as 0,1"
        return ()
    gpus = tuple(dict.fromkeys(int(part) for part in parts))
    if gpus and len(gpus) < parallel:
        wrong["gpus"] = f"tensor parallel size {parallel} needs {parallel} GPUs, {len(gpus)} are named"
    return gpus


def heads_problem(parallel: int, heads: int | None) -> str:
    """Why a model can't be split so; "" where it can, or nobody knows."""
    if heads and heads % parallel:
        return f"its {heads} attention heads can't be split over {parallel} GPUs"
    return ""


def missing_gpus(gpus: Sequence[int], present: Sequence[int]) -> str:
    """The GPUs that are not there, in words."""
    absent = [str(index) for index in gpus if index not in present]
    if not absent:
        return ""
    return f"there is no GPU {', '.join(absent)}; there are {', '.join(map(str, present)) or 'none'}"
