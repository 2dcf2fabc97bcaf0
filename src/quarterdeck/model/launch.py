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
_LONGEST, _LONGEST_NAME = 2000, 60
_OURS = {
    "--port": "the port has a field of its own",
    "--host": "it listens on this machine only; write a [[deployment]] for another --host",
    "--uds": "it has to listen on a port to be watched",
}
"""Arguments that would lead it elsewhere than where it is watched, and why they can't be given."""


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
        return " ".join(self.shown_words)

    @property
    def shown_words(self) -> tuple[str, ...]:
        """Its words, quoted."""
        return (*(f"{name}={value}" for name, value in self.env.items()), *map(shlex.quote, self.command))


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
    wrong = {name: problem for name in FIELDS if (problem := _text_problem(name, answers.get(name, "").strip()))}
    if wrong:
        return None, wrong
    port = _number(answers, "port", DEFAULT_PORT, 65_535, wrong)
    parallel = _number(answers, "tensor_parallel", 1, 64, wrong)
    gpus = _gpus(answers.get("gpus", ""), parallel, wrong)
    length = answers.get("max_model_len", "").strip()
    if length and not _LENGTH.fullmatch(length):
        wrong["max_model_len"] = "expected tokens such as 32768 or 32k, or auto"
    share = _share(answers.get("gpu_memory_utilization", "").strip(), wrong)
    lora = _words(answers, "lora", wrong)
    if any("=" not in each or each.startswith(("=", "-")) or each.endswith("=") for each in lora):
        wrong["lora"] = "expected NAME=PATH, several with spaces between them"
    extra = _words(answers, "extra", wrong)
    taken = next((word for word in extra if word.partition("=")[0] in _OURS), None)
    if taken is not None:
        wrong["extra"] = _OURS[taken.partition("=")[0]]
    if wrong:
        return None, wrong
    quantization, name = answers.get("quantization", "").strip(), answers.get("name", "").strip()
    program = answers.get("program", "").strip() or "vllm"
    launch = Launch(
        answers["model"].strip(), name, port, tensor_parallel=parallel, max_model_len=length,
        gpu_memory_utilization=share, quantization=quantization, lora=lora, gpus=gpus, program=program, extra=extra,
    )  # fmt: skip
    return launch, {}


def _text_problem(name: str, text: str) -> str:
    """What no field may be, and what the fields of one word may not."""
    if not text:
        return "the model is missing, such as Qwen/Qwen3-8B, or a folder" if name == "model" else ""
    if not text.isprintable():
        return "expected printable text on one line"
    if len(text) > (_LONGEST_NAME if name == "name" else _LONGEST):
        return "that is too long"
    if text.startswith("-") and name in ("model", "name", "quantization", "program"):
        return "it can't begin with a dash"
    return ""


def _words(answers: Mapping[str, str], name: str, wrong: dict[str, str]) -> tuple[str, ...]:
    """As a shell would split them; nothing in them is carried out."""
    try:
        return tuple(shlex.split(answers.get(name, "")))
    except ValueError:
        wrong[name] = "a quote is not closed"
        return ()


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


def broken(words: Sequence[str], width: int) -> list[str]:
    """Words in lines of at most ``width`` characters, with nothing left out: one that is longer goes over several."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if len(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        pieces = [word[at : at + width] for at in range(0, len(word), width)] or [""]
        lines[-1:] = pieces
    return lines


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
