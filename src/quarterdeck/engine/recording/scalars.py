"""Plain values of a recording, read as what they should be: whatever else stands there is an UnreadableError."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from quarterdeck.format import printable

_LONGEST_TEXT = 4000


class UnreadableError(ValueError):
    """A plain value that doesn't become what it should."""


def clean(text: str) -> str:
    """A stranger's text, safe to show, its lines kept."""
    if len(text) <= _LONGEST_TEXT and text.isprintable():
        return text
    lines = (
        line if line.isprintable() else printable(line, _LONGEST_TEXT) for line in text[:_LONGEST_TEXT].split("\n")
    )
    return "\n".join(lines)


def known(plain: Sequence[Any], read: Callable[[Any], Any]) -> list[Any]:
    """What can be read of ``plain``: of a newer version's kinds of things, those that this one knows."""
    found = []
    for each in plain:
        try:
            found.append(read(each))
        except ValueError:
            continue
    return found


def _text(plain: Any) -> str:
    if not isinstance(plain, str):
        raise UnreadableError("no text")
    return clean(plain)


def _integer(plain: Any) -> int:
    if isinstance(plain, bool) or not isinstance(plain, int):
        raise UnreadableError("no integer")
    return plain


def _number(plain: Any) -> float:
    return plain if isinstance(plain, float) else float(_integer(plain))


def _truth(plain: Any) -> bool:
    if not isinstance(plain, bool):
        raise UnreadableError("not true or false")
    return plain


def _nothing(plain: Any) -> None:
    if plain is not None:
        raise UnreadableError("something")


SCALAR_READERS: dict[Any, Callable[[Any], Any]] = {
    str: _text,
    int: _integer,
    float: _number,
    bool: _truth,
    type(None): _nothing,
}
