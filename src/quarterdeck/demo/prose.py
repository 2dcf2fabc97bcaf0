"""What the simulated models say: a few honest sentences, cut into pieces the size of tokens."""

from __future__ import annotations

import random
import re
from itertools import chain, cycle, islice

_OPENING = "This is a simulated answer from {model}; no model has read your question."
_SENTENCES = (
    "A queue that grows while the batch stays full means that requests arrive faster than they are finished.",
    "Look at the time to first token first: it shows waiting long before the throughput does.",
    "When the counters stand still and requests are running, the engine hangs even if its health check is content.",
    "Memory of a vLLM is taken at the start, so a full GPU says nothing about its load.",
    "The cache of keys and values fills with every token that is kept in context.",
    "A model that is not in memory has to be loaded first, and that takes as long as reading its weights.",
    "Two replicas behind one address should carry about the same number of requests.",
    "If the key is refused everywhere at once, it was probably rotated.",
    "A restart shows in the counters: they begin again at zero, and their start time jumps.",
    "Compare answers on the same prompt, with the same limits, or compare nothing.",
    "Tokens per second of one stream and of the whole server are two different numbers.",
    "The tide comes in twice a day; load tends to come once.",
)
THOUGHT = ("The", " question", " is", " simulated", ",", " so", " is", " this", " thought", ".")
_TIMES = {"low": 1, "medium": 3, "high": 8}
"""Reasoning effort → how often the thought comes."""
_PIECE = re.compile(r"\s?\w{1,6}|\s?[^\w\s]|\s")


def pieces(model: str, prompt: str) -> list[str]:
    """The whole answer to ``prompt``, always the same one, as pieces the size of tokens."""
    draw = random.Random(f"{model}\0{prompt}")
    said = [_OPENING.format(model=model), *draw.sample(_SENTENCES, draw.randint(3, 7))]
    return _PIECE.findall(" ".join(said))


def thought(effort: str) -> list[str]:
    """What a model thinks before it answers, as pieces; nothing for "none" and what is no effort."""
    times = _TIMES.get(effort, 0)
    return [*THOUGHT, *[piece for _ in range(times - 1) for piece in ("\n", *THOUGHT)]] if times else []


def spoken(answer: list[str], count: int) -> list[str]:
    """``count`` pieces, begun again where the answer is shorter."""
    return list(islice(chain(answer, cycle(["\n\n", *answer])), count))


def token_count(text: str) -> int:
    """About what a tokenizer would say."""
    return len(_PIECE.findall(text))
