"""What is wrong with a fleet file: one finished line per problem."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.format import printable

KeyPath = tuple[str | int, ...]
"""Where a value stands: ("endpoint", 0, "auth", "env"); the int counts tables of the same name from 0."""

LONGEST_ECHO = 48


class Finding(NamedTuple):
    """A problem before its line is known."""

    path: KeyPath
    message: str
    first: KeyPath | None = None
    """Where the thing stands that this one collides with; its line is added to the message."""


class Problem(NamedTuple):
    """A problem as it is shown: ``fleet.toml:12: endpoint "vllm-a": pol: unknown key; did you mean "poll"?``."""

    file: str
    message: str
    label: str = ""
    """Whose key it is: ``endpoint "vllm-a": pol``, ``console.poll``; "" for the file as a whole."""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """The finished line; printable, without secrets."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)
        return ": ".join(part for part in (place, self.label, self.message) if part)


class BadValueError(ValueError):
    """A value can't be used. ``parts``: (key path below the value, message), one per problem."""

    def __init__(self, message: str, *more: tuple[KeyPath, str]) -> None:
        """``message`` is about the value itself; "" when only ``more`` (inside the value) counts."""
        super().__init__(message)
        self.parts: tuple[tuple[KeyPath, str], ...] = (((), message), *more) if message else more


def shown(value: object) -> str:
    """A value for a message: clipped, printable; of tables, lists and dates only the sort."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{printable(value, LONGEST_ECHO)}"'
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a huge number"
    return sort_of(value)


def sort_of(value: object) -> str:
    """What sort of TOML value it is, without a trace of its content."""
    for types, words in (
        (bool, "true or false"),
        (str, "a string"),
        ((int, float), "a number"),
        (dict, "a table"),
        (list, "a list"),
    ):
        if isinstance(value, types):
            return words
    return "a date or time"
