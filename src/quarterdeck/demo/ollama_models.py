"""The models of a simulated Ollama: what is installed, what can be pulled, and how each is described."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

GB = 10**9


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """One model in the library. Sizes in bytes."""

    name: str
    family: str
    parameters: str
    parameter_count: int
    size: int
    resident: int
    """Memory it takes once loaded, weights and cache."""
    quantization: str = "Q4_K_M"
    context: int = 32_768
    embedding: int = 4096
    blocks: int = 32
    heads: int = 32
    kv_heads: int = 8
    capabilities: tuple[str, ...] = ("completion", "tools")
    modified: float = 0.0
    """Unix seconds when it was installed."""
    blob: str = ""
    """Name that its contents are made from; a copy keeps it."""

    @property
    def digest(self) -> str:
        """64 hex digits, the same for a copy."""
        return _digest(self.blob or self.name, 0)

    @property
    def layers(self) -> tuple[tuple[str, int], ...]:
        """(digest, bytes) of what a pull downloads, the weights first."""
        rest = (9_132, 1_482, 136, 487)
        sizes = (self.size - sum(rest), *rest)
        return tuple((_digest(self.blob or self.name, index), size) for index, size in enumerate(sizes, 1))

    def details(self) -> dict[str, Any]:
        """The ``details`` object of tags, ps and show."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameters,
            "quantization_level": self.quantization,
        }

    def renamed(self, name: str, modified: float) -> OllamaModel:
        """A copy under another name."""
        return replace(self, name=name, modified=modified, blob=self.blob or self.name)


def full_name(name: str) -> str:
    """The name with a tag: ``llama3`` is ``llama3:latest``."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def _digest(name: str, part: int) -> str:
    return hashlib.sha256(f"{name}/{part}".encode()).hexdigest()


LIBRARY = {
    model.name: model
    for model in (
        OllamaModel(
            name="gemma3:12b",
            family="gemma3",
            parameters="12.2B",
            parameter_count=12_187_325_040,
            size=8_149_190_253,
            resident=11_306_434_560,
            context=131_072,
            embedding=3840,
            blocks=48,
            heads=16,
            capabilities=("completion", "vision"),
        ),
        OllamaModel(
            name="qwen3:14b",
            family="qwen3",
            parameters="14.8B",
            parameter_count=14_768_307_200,
            size=9_276_198_565,
            resident=14_592_376_832,
            context=40_960,
            embedding=5120,
            blocks=40,
            heads=40,
            capabilities=("completion", "tools", "thinking"),
        ),
        OllamaModel(
            name="gpt-oss:20b",
            family="gptoss",
            parameters="20.9B",
            parameter_count=20_914_757_184,
            size=13_793_441_244,
            resident=15_118_393_344,
            quantization="MXFP4",
            context=131_072,
            embedding=2880,
            blocks=24,
            heads=64,
            capabilities=("completion", "tools", "thinking"),
        ),
        OllamaModel(
            name="llama3.2:3b",
            family="llama",
            parameters="3.2B",
            parameter_count=3_212_749_888,
            size=2_019_393_189,
            resident=6_431_703_040,
            context=131_072,
            embedding=3072,
            blocks=28,
            heads=24,
        ),
        OllamaModel(
            name="nomic-embed-text:latest",
            family="nomic-bert",
            parameters="137M",
            parameter_count=136_727_040,
            size=274_302_450,
            resident=589_823_488,
            quantization="F16",
            context=2048,
            embedding=768,
            blocks=12,
            heads=12,
            kv_heads=12,
            capabilities=("embedding",),
        ),
        OllamaModel(
            name="qwen3:0.6b",
            family="qwen3",
            parameters="751.63M",
            parameter_count=751_632_384,
            size=522_653_767,
            resident=4_294_967_296,
            context=40_960,
            embedding=1024,
            blocks=28,
            heads=16,
            capabilities=("completion", "tools", "thinking"),
        ),
        OllamaModel(
            name="smollm2:135m",
            family="llama",
            parameters="134.52M",
            parameter_count=134_515_008,
            size=270_898_672,
            resident=734_003_200,
            quantization="F16",
            context=8192,
            embedding=576,
            blocks=30,
            heads=9,
            kv_heads=3,
        ),
        OllamaModel(
            name="mistral-small3.2:24b",
            family="mistral3",
            parameters="24.0B",
            parameter_count=24_011_361_280,
            size=15_177_384_862,
            resident=21_474_836_480,
            context=131_072,
            embedding=5120,
            blocks=40,
            capabilities=("completion", "vision", "tools"),
        ),
    )
}
"""Everything a pull can find, by full name."""

INSTALLED = ("gemma3:12b", "qwen3:14b", "gpt-oss:20b", "llama3.2:3b", "nomic-embed-text:latest")

_TEMPLATE = "{{ if .System }}<|system|>{{ .System }}{{ end }}<|user|>{{ .Prompt }}<|assistant|>{{ .Response }}"


def describe(model: OllamaModel, modified: str) -> dict[str, Any]:
    """The answer of /api/show."""
    blob = model.layers[0][0]
    heading = f'# Modelfile generated by "ollama show"\n# To build a new Modelfile based on this, replace FROM with:\n# FROM {model.name}\n\n'
    return {
        "license": "Demo licence\n\nThis model is simulated; there are no weights.",
        "modelfile": f"{heading}FROM /usr/share/ollama/.ollama/models/blobs/sha256-{blob}\nTEMPLATE {_TEMPLATE}\n",
        "parameters": f"{'num_ctx':<30} {min(model.context, 32_768)}\n{'temperature':<30} 0.7",
        "template": _TEMPLATE,
        "details": model.details(),
        "model_info": _model_info(model),
        "tensors": [
            {"name": "token_embd.weight", "type": model.quantization, "shape": [model.embedding, 32_000]},
            {"name": "output_norm.weight", "type": "F32", "shape": [model.embedding]},
        ],
        "capabilities": list(model.capabilities),
        "modified_at": modified,
    }


def _model_info(model: OllamaModel) -> dict[str, Any]:
    family = model.family
    return {
        "general.architecture": family,
        "general.file_type": 15,
        "general.parameter_count": model.parameter_count,
        "general.quantization_version": 2,
        f"{family}.attention.head_count": model.heads,
        f"{family}.attention.head_count_kv": model.kv_heads,
        f"{family}.attention.key_length": 128,
        f"{family}.attention.value_length": 128,
        f"{family}.block_count": model.blocks,
        f"{family}.context_length": model.context,
        f"{family}.embedding_length": model.embedding,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": None,
    }
