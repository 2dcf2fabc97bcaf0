"""How a table of fleet.toml is declared; ``keys.py`` declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
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
    """A table and the dataclass or named tuple it becomes."""

    name: str
    make: type[Any]
    doc: str
    expected: str
    keys: tuple[Key, ...]
    check: Check | None = None
    repeated: bool = False
    """Written [[name]], any number of times."""

    def fields(self) -> Mapping[str, object]:
        """The default of each key; ``MISSING`` where it has none and must be there."""
        if is_dataclass(self.make):
            known = {field.name: _default(field) for field in fields(self.make)}
        else:
            known = dict.fromkeys(self.make._fields, MISSING) | self.make._field_defaults
        return {name.rstrip("_"): default for name, default in known.items()}

    def required(self) -> tuple[str, ...]:
        """Keys that must be there."""
        known = self.fields()
        return tuple(key.name for key in self.keys if known[key.name] is MISSING)

    def defaults(self) -> dict[str, object]:
        """The default of each key that has one; ``None`` = unset."""
        known = self.fields()
        return {key.name: known[key.name] for key in self.keys if known[key.name] is not MISSING}


def attribute(key: str) -> str:
    """The field that holds a key: a word of Python's own (``for``) has "_" behind it."""
    return f"{key}_" if iskeyword(key) else key


def _default(field: Field[Any]) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()
