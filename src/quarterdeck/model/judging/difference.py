"""What differs between two answers, word by word. Pure; bounded work for long ones."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from typing import NamedTuple

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_MOST_WORK = 250_000
"""Words of one side times words of the other that are still compared one with one; beyond, the part counts as changed whole."""
_MOST_LINES = 4_000
"""Of one side that are compared at once."""


class Change(StrEnum):
    """What became of a part."""

    SAME = "same"
    REMOVED = "removed"
    """Only in the first."""
    ADDED = "added"
    """Only in the second."""


class Span(NamedTuple):
    """A stretch of text. SAME and REMOVED together give the first text, SAME and ADDED the second."""

    change: Change
    text: str


def difference(first: str, second: str) -> list[Span]:
    """The spans in order, neighbours of one kind joined. Texts of 200 KB take a fraction of a second.

    Lines are compared first, then the words of those that differ.
    """
    joined: list[Span] = []
    for span in _by_lines(_LINE.findall(first), _LINE.findall(second)):
        if joined and joined[-1].change is span.change:
            joined[-1] = Span(span.change, joined[-1].text + span.text)
        elif span.text:
            joined.append(span)
    return joined


def _by_lines(first: Sequence[str], second: Sequence[str]) -> Iterator[Span]:
    if max(len(first), len(second)) > _MOST_LINES:
        yield from _whole(first, second)
        return
    for kind, a, b, c, d in SequenceMatcher(None, first, second, autojunk=True).get_opcodes():
        if kind == "equal":
            yield Span(Change.SAME, "".join(first[a:b]))
        else:
            yield from _by_words(_WORD.findall("".join(first[a:b])), _WORD.findall("".join(second[c:d])))


def _by_words(first: Sequence[str], second: Sequence[str]) -> Iterator[Span]:
    head = _shared(first, second)
    tail = _shared(first[head:][::-1], second[head:][::-1])
    yield Span(Change.SAME, "".join(first[:head]))
    one, other = first[head : len(first) - tail], second[head : len(second) - tail]
    if len(one) * len(other) > _MOST_WORK:
        yield from _whole(one, other)
    else:
        for kind, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
            if kind == "equal":
                yield Span(Change.SAME, "".join(one[a:b]))
            else:
                yield from _whole(one[a:b], other[c:d])
    yield Span(Change.SAME, "".join(first[len(first) - tail :]))


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """How many words both begin with."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _whole(first: Sequence[str], second: Sequence[str]) -> Iterator[Span]:
    yield Span(Change.REMOVED, "".join(first))
    yield Span(Change.ADDED, "".join(second))
