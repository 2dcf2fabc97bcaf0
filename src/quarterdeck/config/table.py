"""How a table of fleet.toml is declared; ``keys.py`` declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from keyword import iskeyword
from typing import Any, NamedTuple

from quarterdeck.config.kinds import Kind

Check = Callable[[Mapping[str, object], Mapping[str, object]], Iterator[tuple[str, str]]]
"""(the table as written, its good values) -> (key or "" for the whole table, message) for what single keys can't tell."""


class Key(NamedTuple):
    """One key of a table."""

    name: str
    kind: Kind | Table
    doc: str
    """One sentence, for comments, the schema and the README."""
    example: str
    """A value as TOML."""
    also: tuple[str, ...] = ()
    """What people write instead."""


class Table(NamedTuple):
    """A table and the dataclass it becomes."""

    name: str
    make: type[Any]
    doc: str
    expected: str
    keys: tuple[Key, ...]
    check: Check | None = None
    repeated: bool = False
    """Written [[name]], any number of times."""

    def fields(self) -> Mapping[str, Field[Any]]:
        """The dataclass's field of each key."""
        return {field.name.rstrip("_"): field for field in fields(self.make)}

    def required(self) -> tuple[str, ...]:
        """Keys that must be there."""
        known = self.fields()
        return tuple(key.name for key in self.keys if not _has_default(known[key.name]))

    def defaults(self) -> dict[str, object]:
        """The default of each key that has one; ``None`` = unset."""
        found: dict[str, object] = {}
        known = self.fields()
        for key in self.keys:
            field = known[key.name]
            if field.default is not MISSING:
                found[key.name] = field.default
            elif field.default_factory is not MISSING:
                found[key.name] = field.default_factory()
        return found


def attribute(key: str) -> str:
    """The field that holds a key: a word of Python's own (``for``) has "_" behind it."""
    return f"{key}_" if iskeyword(key) else key


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING
