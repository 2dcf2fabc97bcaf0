"""The access log of an Ollama: lines such as

    [GIN] 2026/11/22 - 15:35:43 | 200 |  2.193048411s |       127.0.0.1 | POST     "/api/chat"

in the journal or in a file. Prompts are counted; what asks for lists and states, as we do, only shows that the log is the right one.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from quarterdeck.model.reading import AccessLog

WINDOW_S = 60.0
SHORTEST_S = 10.0
"""Less than this of a log tells nothing of a minute."""
AHEAD_S = 5.0
"""A line may be stamped so much later than now: clocks of two machines differ."""
LONGEST_LINE = 8192
PROMPTS = frozenset(
    {
        "/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/v1/chat/completions", "/v1/completions",
        "/v1/embeddings", "/v1/responses", "/v1/messages", "/v1/audio/transcriptions", "/v1/images/generations",
    }
)  # fmt: skip
_LINE = re.compile(
    rb"\[GIN\] (\d{4})/(\d\d)/(\d\d) - (\d\d):(\d\d):(\d\d) \|\s*(\d{3})\s*\|\s*([0-9.a-z\xc2\xb5\xce\xbc]{2,40})\s*\|"
    rb"[^|]{0,200}\|\s*([A-Z]{1,10})\s+\"([^\"?]{0,2000})"
)
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_AT = re.compile(rb"(\d{9,11}\.\d{1,6}) ")
_AMOUNT = re.compile(r"(\d{1,9}(?:\.\d{1,12})?)(h|ms|µs|μs|us|ns|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
SILENT = "no request was logged in the last minute, not even this console's own: it may be another server's log"


class Entry(NamedTuple):
    """One answered request. ``at``: Unix seconds."""

    at: float
    status: int
    latency_s: float | None
    prompt: bool


def parse(line: bytes, now: float) -> Entry | None:
    """An access line, behind whatever a log puts in front of it; ``None`` for any other.

    Its time is that in front of it where there is one (`journalctl -o short-unix`), else its own in this machine's time zone.
    """
    if b"[GIN]" not in line[:LONGEST_LINE]:
        return None
    found = _LINE.search(_COLOUR.sub(b"", line[:LONGEST_LINE]))
    if found is None:
        return None
    stamped = _AT.match(line)
    at = float(stamped[1]) if stamped else _local_time([int(part) for part in found.groups()[:6]], now)
    path = found[10].rstrip(b"/").decode("ascii", "replace")
    prompt = found[9] == b"POST" and path in PROMPTS
    return Entry(at, int(found[7]), seconds(found[8].decode("utf-8", "replace")), prompt)


def _local_time(parts: list[int], now: float) -> float:
    year, month, day, hour, minute, second = parts
    try:
        return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))
    except (OverflowError, ValueError):
        return now


def seconds(text: str) -> float | None:
    """A Go duration ("1m2.5s", "44.5µs") in seconds; ``None`` for anything else."""
    amounts = _AMOUNT.findall(text)
    if not amounts or "".join(amount + unit for amount, unit in amounts) != text:
        return None
    return sum(float(amount) * _UNITS[unit] for amount, unit in amounts)


def summary(entries: Iterable[Entry], since: float, now: float, origin: str) -> tuple[AccessLog | None, str]:
    """The last minute as numbers, or why there are none. ``since``: from when on every line is among ``entries``, Unix seconds."""
    start = max(since, now - WINDOW_S)
    seen = [entry for entry in entries if start < entry.at <= now + AHEAD_S]
    if now - start < SHORTEST_S:
        return None, "the log has been read for a few seconds only"
    if not seen:
        return None, SILENT
    prompts = [entry for entry in seen if entry.prompt]
    classes = Counter(f"{entry.status // 100}xx" for entry in prompts)
    took = sorted(entry.latency_s for entry in prompts if entry.latency_s is not None)
    return AccessLog(
        len(prompts) * 60.0 / (now - start),
        tuple(sorted(classes.items())),
        latency_p50_s=_ranked(took, 0.5),
        latency_p95_s=_ranked(took, 0.95),
        origin=origin,
    ), ""


def _ranked(values: list[float], q: float) -> float | None:
    """The q-quantile of sorted values, by the nearest rank."""
    return values[max(0, math.ceil(q * len(values)) - 1)] if values else None
