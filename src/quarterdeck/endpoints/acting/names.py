"""Names of Ollama's models, and how long they are kept. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from quarterdeck.model.job import Option

REGISTRY = "registry.ollama.ai"
_GO_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+")
_PART = re.compile(r"[A-Za-z0-9][\w.\-]{0,79}")
FOREVER = -1


class Name(NamedTuple):
    """A model's name in full."""

    host: str
    namespace: str
    model: str
    tag: str


def name_of(text: str) -> Name | None:
    """``text`` in full ("qwen3" is registry.ollama.ai/library/qwen3:latest); ``None`` where it can't be a name."""
    rest, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:
        rest, tag = text, "latest"
    parts = rest.split("/")
    if len(parts) > 3:
        return None
    host, namespace, model = (*(REGISTRY, "library")[: 3 - len(parts)], *parts)
    bare = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if not all(_PART.fullmatch(part) for part in (bare, namespace, model, tag)):
        return None
    return Name(host, namespace, model, tag)


def same(one: str, other: str) -> bool:
    """Whether both name the same model; file systems there are which don't tell upper from lower case."""
    first, second = name_of(one), name_of(other)
    if first is None or second is None:
        return one == other
    return [part.lower() for part in first] == [part.lower() for part in second]


def keep_alive(value: Option | None) -> float | str | None:
    """``keep_alive`` as Ollama takes it: seconds, a Go duration, `FOREVER`; ``None`` for its own default.

    Raises ValueError, in words, for what it would not take, or would take as "unload it".
    """
    if value is None or value == "":
        return None
    text = str(value).strip().lower()
    if text in ("forever", "always", "for ever") or re.fullmatch(r"-[1-9][\w.]*", text):
        return FOREVER
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", text):
        seconds = float(text)
    elif _GO_DURATION.fullmatch(text):
        seconds = 0.0 if re.fullmatch(r"[0.\D]+", text) else 1.0
    else:
        raise ValueError("keep_alive is a time like 30m or 24h, or forever")
    if not seconds:
        raise ValueError("keep_alive 0 would unload it at once")
    return text if text[-1].isalpha() else seconds
