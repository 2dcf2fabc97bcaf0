"""The usual answer to a poll (HTTP/1.1 200, a length, kept alive, not packed), known by its head. Pure.

Everything else is left to h11, which costs three times as much: what is taken here must mean to it just what it means to us.
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST_HEAD = 8192
_HEAD = re.compile(
    rb"HTTP/1\.1 200 [^\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\r\n(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\r\n)*\r\n"
)
"""No bare line break, no header that goes on in the next line, no control character."""
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,12})[ \t]*\r\n")
_KEPT = re.compile(rb"\r\nconnection:[ \t]*keep-alive[ \t]*\r\n")
_PLAIN = re.compile(rb"\r\ncontent-encoding:[ \t]*identity[ \t]*\r\n")


class Usual(NamedTuple):
    """What the head of an answer says."""

    head: bytes
    start: int
    """Where the body begins."""
    end: int
    """… and where it ends."""


def usual(data: bytes) -> Usual | None:
    """The head that ``data`` begins with; ``None`` where it isn't complete, or anything about it is not usual."""
    found = _HEAD.match(data, 0, LONGEST_HEAD)
    if found is None:
        return None
    head = found.group().lower()
    length = _LENGTH.search(head)
    if length is None or head.count(b"\r\ncontent-length:") > 1:
        return None
    if b"\r\ntransfer-encoding:" in head or b"\r\nupgrade:" in head:
        return None
    if head.count(b"\r\nconnection:") != len(_KEPT.findall(head)):
        return None
    if b"\r\ncontent-encoding:" in head and head.count(b"\r\ncontent-encoding:") != len(_PLAIN.findall(head)):
        return None
    return Usual(found.group(), found.end(), found.end() + int(length.group(1)))


def headers_of(head: bytes) -> dict[str, str]:
    """The headers of a usual answer, by name in lower case."""
    found: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n")[1:-2]:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.strip(" \t")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
