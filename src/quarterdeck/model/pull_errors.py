"""Why a download failed, in words, and whether doing it again makes sense. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from quarterdeck.format import printable


class PullError(StrEnum):
    """What kind of failure it is."""

    UNKNOWN_MODEL = "unknown model"
    INVALID_NAME = "invalid name"
    UNAUTHORISED = "unauthorised"
    DISK_FULL = "disk full"
    UNREACHABLE = "registry unreachable"
    INTERRUPTED = "interrupted"
    DAMAGED = "damaged"
    TOO_OLD = "server too old"
    OTHER = "other"


class PullFailure(NamedTuple):
    """How a download failed."""

    kind: PullError
    words: str
    """What happened; what to try comes after ": "."""
    retryable: bool
    """Doing the same again can help."""


_TEXTS = (
    (PullError.DISK_FULL, r"no space left on device|disk quota exceeded|not enough (?:disk )?space|insufficient (?:disk )?(?:space|storage)|disk (?:is )?full", "the disk is full: make room on the server, then resume", False),
    (PullError.DAMAGED, r"digest mismatch|file must be downloaded again|checksum", "what came doesn't match its digest: it has to be downloaded again", True),
    (PullError.TOO_OLD, r"requires a newer version|(?:^|: )412\b", "the model needs a newer version of the server", False),
    (PullError.INVALID_NAME, r"invalid model name|invalid (?:model )?(?:path|name|reference)|name is invalid|unqualified name", "that is no model name: as in qwen3:8b", False),
    (PullError.UNREACHABLE, r"server gave HTTP response to HTTPS client", "the registry speaks plain HTTP, not HTTPS", False),
    (PullError.UNREACHABLE, r"x509|certificate", "the registry's certificate isn't trusted", False),
    (PullError.UNAUTHORISED, r"unauthori[sz]ed|access denied|(?:^|: )40[13]\b|forbidden|authentication required|gated", "the registry refuses: the model is private or needs a login", False),
    (PullError.UNKNOWN_MODEL, r"file does not exist|manifest unknown|model .{0,200}not found|(?:^|: )404\b|no such model|repository not found", "the registry has no such model: check its name and tag", False),
    (PullError.UNREACHABLE, r"no such host|server misbehaving|temporary failure in name resolution|could not resolve", "the registry's name can't be resolved: is the server online?", True),
    (PullError.UNREACHABLE, r"connection refused|network is unreachable|no route to host|dial tcp|i/o timeout|deadline exceeded|timed? ?out|tls handshake", "the registry can't be reached", True),
    (PullError.UNREACHABLE, r"(?:^|: |status(?: code)?:? )(?:429|5\d\d)\b|too many requests|bad gateway|service unavailable", "the registry is overloaded or has a fault", True),
    (PullError.INTERRUPTED, r"max retries exceeded|\bEOF\b|connection reset|broken pipe|context canceled|download stalled|closed network connection", "the download was cut off", True),
    (PullError.OTHER, r"permission denied", "the server may not write to its models folder", False),
)  # fmt: skip
_KNOWN = tuple((kind, re.compile(pattern, re.IGNORECASE), words, again) for kind, pattern, words, again in _TEXTS)
_URL = re.compile(r"https?://[^\s\"']{1,2000}")
"""Where it came from is no reason; signed addresses carry secrets."""
_HEX = re.compile(r"\b[0-9a-f]{12,128}\b")


def failure(text: str) -> PullFailure:
    """What the server's own words ``text`` stand for. Words that are not known are quoted, cleaned, without addresses."""
    bare = _HEX.sub("", _URL.sub("", text[:2000]))
    for kind, pattern, words, again in _KNOWN:
        if pattern.search(bare):
            return PullFailure(kind, words, again)
    said = printable(bare, 160)
    return PullFailure(PullError.OTHER, said or "the server gave no reason", False)
