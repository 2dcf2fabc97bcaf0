"""A finding, and the order in which findings are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from quarterdeck.format import printable

OK, WARN, BAD, UNKNOWN = "ok", "warn", "bad", "unknown"
_GRAVEST_FIRST = (BAD, WARN, UNKNOWN, OK)
_LONGEST = 400


class Check(NamedTuple):
    """One finding."""

    level: str
    """ "ok", "warn" (it would disturb or spill), "bad" (it will not work) or "unknown" (and what is missing to know it)."""
    text: str


def told(found: Iterable[Check]) -> list[Check]:
    """The gravest first, each once, safe on a terminal."""
    clean = dict.fromkeys(Check(each.level, printable(each.text, _LONGEST)) for each in found)
    return sorted(clean, key=lambda each: _GRAVEST_FIRST.index(each.level))


def missing(what: str) -> Check:
    """Something that isn't known."""
    return Check(UNKNOWN, f"not known: {what}")
