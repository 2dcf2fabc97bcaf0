"""A log's line as it can be read: no control characters, bounded, progress bars told from text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from quarterdeck.format import printable

LONGEST = 2000
"""Characters of a line that are read; the servers' own fatal texts are shorter."""
_MOST_SEGMENTS = 4
_TAIL = 8192
_BAR = re.compile(
    r"(?P<what>\S[^|%]{0,100}?):? {1,4}(?P<percent>\d{1,3})%(?=\D)"
    r"(?:(?:\|[^|]{0,300}\||[^|\d]{0,20}\|) {0,2}(?P<done>\d{1,7})/(?P<total>\d{1,7}) ?\[)?"
)
EXCEPTION = re.compile(r"(?:^|\]\s|\)\s)((?:[\w.]{0,80}\.)?[A-Z]\w{0,60}(?:Error|Exception)(?:: .+)?)$")
"""The last line of a traceback, whatever prefix a logger gave it."""
_SECRET = re.compile(r"\b(?:sk-|hf_|ghp_|Bearer )[A-Za-z0-9_.~+/=-]{4,}|(?<=://)[^/\s@]{1,200}@")
_NAMED_SECRET = re.compile(r"(?i)((?:key|token|secret|password)[\"']?\s{0,3}[:=]\s{0,3}[\"']?)[^\s\"',}\[\]]{1,400}")
_QUOTED = 160


class BarLine(NamedTuple):
    """A progress bar, as tqdm draws it."""

    what: str
    fraction: float
    done: int
    total: int
    """0 where it isn't told."""


def segments(line: str) -> Iterator[str]:
    """The printable parts of ``line`` that a terminal would have shown one over the other, the oldest first, the last few only."""
    if len(line) <= LONGEST and "\r" not in line:
        parts = [line]
    else:
        head = line[:LONGEST]
        tail = line[-_TAIL:]
        parts = [part for part in re.split(r"[\r\n]+", tail if "\r" in tail.rstrip("\r\n") else head) if part][
            -_MOST_SEGMENTS:
        ]
    for part in parts:
        clean = printable(part, LONGEST)
        if clean:
            yield clean


def bar(line: str) -> BarLine | None:
    """The progress bar that ``line`` is, if it is one."""
    if "%" not in line:
        return None
    found = _BAR.search(line)
    if found is None or int(found["percent"]) > 100:
        return None
    done, total = int(found["done"] or 0), int(found["total"] or 0)
    exact = done / total if total > 0 and done <= total else None
    return BarLine(found["what"], int(found["percent"]) / 100 if exact is None else exact, done, total)


def quoted(text: str, limit: int = _QUOTED) -> str:
    """A stranger's words as they may be shown: on one line, cut, without secrets."""
    clean = printable(text, LONGEST)
    return printable(_NAMED_SECRET.sub(r"\1[key]", _SECRET.sub("[key]", clean)), limit)


def gib(text: str) -> int:
    """ "13.13" (GiB) as bytes."""
    return round(float(text) * 2**30)


def mib(text: str) -> int:
    """ "4155.99" (MiB) as bytes."""
    return round(float(text) * 2**20)


def whole(text: str) -> int:
    """ "131,072" as a number."""
    return int(text.replace(",", ""))
