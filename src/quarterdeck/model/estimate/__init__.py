"""How much memory and disk a model will take, before it takes it: pure formulas with their sources.

A model's shape comes from Ollama's ``model_info`` (`from_model_info`) or a config.json (`from_hf_config`); `estimate`
makes bytes of it, `fit` compares them with what is free, `context_that_fits` and `kv_pool` say what would fit. Every
figure has bounds and a method; what is missing is named, never guessed.
"""

from __future__ import annotations

from quarterdeck.model.estimate.architecture import Architecture, Kind, Layer, Parameters, Unknown
from quarterdeck.model.estimate.disk import pull_needs
from quarterdeck.model.estimate.figure import Figure
from quarterdeck.model.estimate.fitting import (
    Fit,
    Pool,
    Verdict,
    context_that_fits,
    fit,
    kv_pool,
    ollama_expects,
    pool_of,
)
from quarterdeck.model.estimate.gguf import from_model_info
from quarterdeck.model.estimate.huggingface import from_hf_config
from quarterdeck.model.estimate.kv_cache import kv_bytes, kv_bytes_per_token
from quarterdeck.model.estimate.needs import Estimate, Need, estimate
from quarterdeck.model.estimate.weights import scheme, weights_bytes

__all__ = [
    "Architecture",
    "Estimate",
    "Figure",
    "Fit",
    "Kind",
    "Layer",
    "Need",
    "Parameters",
    "Pool",
    "Unknown",
    "Verdict",
    "context_that_fits",
    "estimate",
    "fit",
    "from_hf_config",
    "from_model_info",
    "kv_bytes",
    "kv_bytes_per_token",
    "kv_pool",
    "ollama_expects",
    "pool_of",
    "pull_needs",
    "scheme",
    "weights_bytes",
]
