"""The usual answer to a poll (HTTP/1.1 200, a length, kept alive, not packed), known by its head. Pure.

Everything else is left to h11, which costs three times as much: what is taken here must mean to it just what it means to us.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_START = b"HTTP/1.1 200 "
_ODD = re.compile(rb"[^\r]\n|\r[^\n]|\n[ \t]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""A bare line break, a header that goes on in the next line, a control character."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r"[0-9]{1,12}")
LONGEST_HEAD = 8192
_MUST_BE = {"connection": "keep-alive", "content-encoding": "identity"}


class Usual(NamedTuple):
    """What the head of an answer says."""

    headers: dict[str, str]
    """By name in lower case."""
    start: int
    """Where the body begins."""
    end: int
    """… and where it ends."""


def usual(data: bytes) -> Usual | None:
    """The head that ``data`` begins with; ``None`` where it isn't complete, or anything about it is not usual."""
    end = data.find(b"\r\n\r\n", 0, LONGEST_HEAD)
    if end < 0 or not data.startswith(_START) or _ODD.search(data, 0, end):
        return None
    headers: dict[str, str] = {}
    for line in data[:end].decode("latin-1").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or name in headers or not _NAME.fullmatch(name):
            return None
        headers[name] = value.strip(" \t")
    length = headers.get("content-length", "")
    if not _LENGTH.fullmatch(length) or "transfer-encoding" in headers or "upgrade" in headers:
        return None
    for name, value in _MUST_BE.items():
        if headers.get(name, value).lower() != value:
            return None
    return Usual(headers, end + 4, end + 4 + int(length))
