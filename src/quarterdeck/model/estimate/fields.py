"""Metadata that may hold anything: getters give the wanted type or ``None``, and note what is missing. Never raise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.format import printable

MOST_LAYERS = 4096
_MOST = 2**40
NOTHING: Mapping[str, object] = {}


def whole(value: object, *, least: int = 1) -> int | None:
    """A whole number from ``least`` to 2^40, also where JSON has it as 32.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value <= _MOST else None


def array(value: object) -> Sequence[object] | None:
    """A list of at most ``MOST_LAYERS`` members."""
    return value if isinstance(value, list | tuple) and len(value) <= MOST_LAYERS else None


def mapping(value: object) -> Mapping[str, object]:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else NOTHING


@dataclass(slots=True)
class Fields:
    """A mapping whose keys begin with ``prefix``. ``missing`` collects what was needed and not there."""

    source: Mapping[str, object]
    prefix: str = ""
    missing: list[str] = field(default_factory=list)

    def get(self, name: str) -> object:
        """The value as it is."""
        return self.source.get(self.prefix + name)

    def has(self, name: str) -> bool:
        """Whether the key is there, even with null."""
        return self.prefix + name in self.source

    def whole(self, *names: str, least: int = 1) -> int | None:
        """The first of ``names`` that is a whole number."""
        return next((found for name in names if (found := whole(self.get(name), least=least)) is not None), None)

    def need(self, *names: str) -> int:
        """As `whole`; 1, and noted as missing, where none is."""
        found = self.whole(*names)
        if found is None:
            self.miss(names[0])
        return found or 1

    def miss(self, name: str, why: str = "") -> None:
        """Notes that ``name`` is missing."""
        self.missing.append(f"{self.prefix}{name}{f' ({why})' if why else ''}")

    def text(self, *names: str) -> str | None:
        """The first of ``names`` that is text, printable and short."""
        for name in names:
            value = self.get(name)
            if isinstance(value, str) and (shown := printable(value, 80)):
                return shown
        return None

    def array(self, name: str) -> Sequence[object] | None:
        """A list."""
        return array(self.get(name))

    def per_layer(self, name: str, count: int, default: int | None = None) -> list[int] | None:
        """A number for each of ``count`` layers, from a number or a list; 0 is one. ``None``, and noted, if bad."""
        value = self.get(name)
        if not self.has(name) and default is not None:
            return [default] * count
        alone = whole(value, least=0)
        if alone is not None:
            return [alone] * count
        numbers = [whole(each, least=0) for each in array(value) or ()]
        known = [each for each in numbers if each is not None]
        if len(known) == len(numbers) >= count:
            return known[:count]
        self.miss(name, "a list that was left out: ask with verbose" if value is None and self.has(name) else "")
        return None
