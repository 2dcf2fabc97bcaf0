"""Does a server's message quote what was asked? Then it may not be kept where prompts may not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LEAST = 6
"""So many letters or digits in a row count as quoted."""
_DROPPED = re.compile(r"[\W_]+")
UNKEPT = "the server's words quote the prompt or the answer, and are not kept"


def _letters(text: str) -> str:
    return _DROPPED.sub("", text).casefold()


def quotes(message: str, texts: Iterable[str]) -> bool:
    """Whether a stretch of ``message`` is a stretch of one of the texts, marks and spaces aside."""
    told = _letters(message)
    for text in texts:
        known = _letters(text)
        if not known:
            continue
        length = min(_LEAST, len(known))
        if any(told[at : at + length] in known for at in range(len(told) - length + 1)):
            return True
    return False


def kept(message: str, texts: Iterable[str]) -> str:
    """``message``, or that it isn't kept; what a status or an error of the network says by itself stays."""
    if not message or _PLAIN.fullmatch(message) or not quotes(message, texts):
        return message
    status = re.match(r"\d{3}(?=:)", message)
    return f"{status[0]}: {UNKEPT}" if status is not None else UNKEPT


_PLAIN = re.compile(
    "|".join(
        (
            r"cancelled",
            r"no (?:token for \d+|answer in [\d.]+) s",
            r"connection (?:refused|lost|reset by the server|closed by the server|closed before the answer was complete)",
            r"host (?:unreachable|name not found)|network unreachable",
            r"the answer (?:ended half-way|can't be read \(\w+\)|is larger than \d+ MiB)",
            r"its answer is no stream(?: of events|, and too large)|it sends what is no JSON",
            r"\d{3}: (?:key missing or wrong|loading the model|not available|too many requests)",
            r"cold start(?:: loading took [\d.]+ s)?; not compared",
            r"the answer was cut: max tokens or the context was reached",
            r"a part of the model lies in CPU memory: slower than it could be",
            r"the server cut the prompt: it read \d+ tokens of at least \d+",
            r"context length can't be set through this interface: left as it is set there",
            r"the server doesn't stream: time to first token is that of the whole answer",
            r"the server refuses (?:(?:seed|reasoning effort|top-p|temperature|the JSON schema|stop words)(?:, | and )?)+: left out",
            r"this model (?:can't think: reasoning effort is left out"
            r"|knows no levels of thinking: it thinks as it does by itself)",
        )
    )
)
"""Words of our own: they may share letters with any prompt."""
