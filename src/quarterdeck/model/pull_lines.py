"""What a server says in one line, or one answer, of a download: Ollama, LM Studio and the llama.cpp router. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from quarterdeck.format import printable

LARGEST = 2**60
"""More bytes than this are no size."""
PULLING = "pulling"
_NAME = 100
_MESSAGE = 2000


class Part(NamedTuple):
    """A layer or a file that a line speaks of; sizes in bytes, ``None`` where it doesn't tell."""

    name: str
    """Digest or URL; "" for all of it."""
    total: int | None
    completed: int | None
    kind: str = "layer"


def size_of(value: object) -> int | None:
    """A number of bytes, or ``None`` for what can be none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if 0 <= value <= LARGEST else None


def _state(line: Mapping[str, object]) -> Mapping[str, object]:
    """The llama.cpp router's status, an empty one for the others."""
    status = line.get("status")
    return status if isinstance(status, Mapping) else {}


def complaint(line: Mapping[str, object]) -> str | None:
    """The server's words where it says that it failed ("" where it says no more), else ``None``.

    Ollama says so in a line of an answer that began with 200.
    """
    error = line.get("error")
    if isinstance(error, Mapping):
        error = error.get("message", "")
    if error is not None and error is not False:
        return error[:_MESSAGE] if isinstance(error, str) else ""
    if _state(line).get("failed") is True or line.get("status") == "failed" or line.get("event") == "download_failed":
        message = line.get("message")
        return message[:_MESSAGE] if isinstance(message, str) else ""
    return None


def finished(line: Mapping[str, object]) -> bool:
    """Whether it says that all is there."""
    if line.get("status") in ("success", "completed", "already_downloaded") or line.get("event") == "download_finished":
        return True
    return line.get("in_cache") is True and _state(line).get("value") in ("unloaded", "loading", "loaded", "sleeping")


def parts(line: Mapping[str, object]) -> Iterator[Part]:
    """What it says of each layer or file."""
    files = _state(line).get("progress", line.get("progress"))
    if isinstance(files, Mapping):
        for name, file in files.items():
            if isinstance(file, Mapping):
                yield Part(str(name)[:_NAME], size_of(file.get("total")), size_of(file.get("done")), "file")
    elif "total_size_bytes" in line or "downloaded_bytes" in line:
        yield Part("", size_of(line.get("total_size_bytes")), size_of(line.get("downloaded_bytes")))
    elif isinstance(digest := line.get("digest"), str):
        total, completed = size_of(line.get("total")), size_of(line.get("completed", 0))
        if total is not None or completed:
            yield Part(digest[:_NAME], total, completed)


_WORDS = {
    "pulling manifest": "asking for the manifest",
    "verifying sha256 digest": "checking the digest",
    "writing manifest": "writing the manifest",
    "removing unused layers": "removing unused layers",
    "removing any unused layers": "removing unused layers",
    "downloading": PULLING,
}


def status_of(line: Mapping[str, object]) -> str:
    """What it is doing, in our words (`PULLING` for the download itself); "" where it doesn't say."""
    status = _state(line).get("value", line.get("status"))
    if not isinstance(status, str):
        return ""
    known = _WORDS.get(status)
    if known is not None:
        return known
    return PULLING if status.startswith("pulling ") else printable(status, 60)
