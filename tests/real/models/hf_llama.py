"""Makes a Llama with random weights as Hugging Face lays it out: python hf_llama.py FOLDER HIDDEN LAYERS CONTEXT SEED.

Runs in the environment that vLLM is installed in. The vocabulary is printable ASCII and some English words, so that even
random tokens read as text and are never broken UTF-8.
"""

from __future__ import annotations

import sys

import torch  # type: ignore[import-not-found]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers  # type: ignore[import-not-found]
from transformers import (  # type: ignore[import-not-found]
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

SPECIAL = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>")
SPACE, NEWLINE = "\u0120", "\u010a"  # as byte-level BPE writes them
WORDS = "the of and to in is that for it as with on are this all will about server token model queue cache prompt stream fleet"
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
HEAD = 32


def make_tokenizer(context: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE that knows each of ``WORDS`` as one token."""
    vocabulary: dict[str, int] = {}
    merges: list[tuple[str, str]] = []
    for token in (*SPECIAL, SPACE, NEWLINE, *map(chr, range(33, 127))):
        vocabulary[token] = len(vocabulary)
    for word in WORDS.split():
        grown = SPACE
        for letter in word:
            if grown + letter not in vocabulary:
                vocabulary[grown + letter] = len(vocabulary)
                merges.append((grown, letter))
            grown += letter
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        model_max_length=context,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT,
    )


def main(folder: str, hidden: int, layers: int, context: int, seed: int) -> None:
    """Write the model and its tokenizer into ``folder``."""
    tokenizer = make_tokenizer(context)
    heads = max(2, hidden // HEAD)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 32) * 32,
        hidden_size=hidden,
        intermediate_size=hidden * 2,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        max_position_embeddings=context,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    model = LlamaForCausalLM(config).to(torch.float32)
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=2, pad_token_id=2, do_sample=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:6]))
