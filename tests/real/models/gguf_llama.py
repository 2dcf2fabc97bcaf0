"""Makes a Llama with random weights as one GGUF file: python gguf_llama.py FILE HIDDEN LAYERS CONTEXT SEED.

Runs in the environment that llama-server is installed in. The vocabulary is printable ASCII and some English words.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gguf  # type: ignore[import-not-found]
import numpy as np  # type: ignore[import-not-found]

SPECIAL = ("<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
WORDS = "the of and to in is that for it as with on are this all will about server token model queue cache prompt stream fleet"
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
HEAD = 32
NORMAL, UNKNOWN, CONTROL, UNUSED = 1, 2, 3, 5
"""Token types of GGUF."""


def write_tokenizer(writer: Any) -> int:
    """Add a SentencePiece vocabulary; returns its size, a multiple of 32."""
    texts = ["\u2581", *map(chr, range(33, 127)), *(f"\u2581{word}" for word in WORDS.split())]
    tokens = ["<unk>", *SPECIAL, *texts]
    kinds = [UNKNOWN, *[CONTROL] * len(SPECIAL), *[NORMAL] * len(texts)]
    scores = [0.0] * (1 + len(SPECIAL)) + [len(text) - 1000.0 for text in texts]
    while len(tokens) % 32:
        tokens.append(f"<pad{len(tokens)}>")
        kinds.append(UNUSED)
        scores.append(-10000.0)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(CHAT)
    return len(tokens)


def write_shape(writer: Any, hidden: int, layers: int, context: int) -> None:
    """Add the architecture's numbers."""
    heads = max(2, hidden // HEAD)
    writer.add_file_type(0)
    writer.add_context_length(context)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden * 2)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HEAD)
    writer.add_rope_freq_base(10000.0)


def write_weights(writer: Any, hidden: int, layers: int, vocabulary: int, seed: int) -> None:
    """Add every tensor, float32."""
    random = np.random.default_rng(seed)
    shared, inner = max(2, hidden // HEAD) // 2 * HEAD, hidden * 2
    shapes = {"token_embd": (vocabulary, hidden), "output": (vocabulary, hidden)}
    for layer in range(layers):
        block = {"attn_q": (hidden, hidden), "attn_k": (shared, hidden), "attn_v": (shared, hidden)}
        block |= {"attn_output": (hidden, hidden), "ffn_gate": (inner, hidden), "ffn_up": (inner, hidden)}
        block |= {"ffn_down": (hidden, inner)}
        shapes |= {f"blk.{layer}.{name}": shape for name, shape in block.items()}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.standard_normal(shape, np.float32) * np.float32(0.05))
    norms = ["output_norm", *(f"blk.{layer}.{name}" for layer in range(layers) for name in ("attn_norm", "ffn_norm"))]
    for name in norms:
        writer.add_tensor(f"{name}.weight", np.ones(hidden, np.float32))


def main(path: str, hidden: int, layers: int, context: int, seed: int) -> None:
    """Write the file."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(Path(path).stem)
    writer.add_description("random weights, for tests")
    write_shape(writer, hidden, layers, context)
    vocabulary = write_tokenizer(writer)
    writer.add_vocab_size(vocabulary)
    write_weights(writer, hidden, layers, vocabulary, seed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]))
