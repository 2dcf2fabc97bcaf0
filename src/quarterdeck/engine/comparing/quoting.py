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
    r"cancelled|no token for \d+ s|no answer in [\d.]+ s|connection (?:refused|lost|reset by the server|closed by the server"
    r"|closed before the answer was complete)|host (?:unreachable|name not found)|network unreachable"
    r"|the answer can't be read \(\w+\)|cold start(?:: loading took [\d.]+ s)?; not compared"
    r"|the answer was cut: max tokens or the context was reached|a part of the model lies in CPU memory: slower than it could be"
    r"|the server cut the prompt: it read \d+ tokens of at least \d+"
)
"""Words of our own: they may share letters with any prompt."""
