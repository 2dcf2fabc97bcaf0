"""Makes a LoRA adapter with random weights for a Llama: python lora_llama.py FOLDER MODEL_FOLDER RANK SEED. Runs beside vLLM."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch  # type: ignore[import-not-found]
from safetensors.torch import save_file  # type: ignore[import-not-found]


def main(folder: str, model: str, rank: int, seed: int) -> None:
    """Write it into ``folder``: two matrices for the query of every layer."""
    config = json.loads((Path(model) / "config.json").read_text())
    hidden, layers = config["hidden_size"], config["num_hidden_layers"]
    torch.manual_seed(seed)
    weights = {}
    for layer in range(layers):
        name = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        weights[f"{name}.lora_A.weight"] = torch.randn(rank, hidden) * 0.1
        weights[f"{name}.lora_B.weight"] = torch.randn(hidden, rank) * 0.1
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    save_file(weights, str(target / "adapter_model.safetensors"))
    told = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": ["q_proj"], "bias": "none"}
    (target / "adapter_config.json").write_text(json.dumps({**told, "base_model_name_or_path": model}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
