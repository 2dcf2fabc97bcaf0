"""What the readers of exporters' pages share: samples by name, checked values, rows that say what they lack."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.prometheus import Page

LARGEST = 1e18
"""Larger values are DCGM's ways of saying "no value" (9223372036854775794 and its neighbours)."""
_MOST_MIB = 2**24
_VALUES = {
    "utilization": "utilization",
    "memory_used_bytes": "memory used",
    "memory_total_bytes": "memory total",
    "power_w": "power",
    "power_limit_w": "power limit",
    "temperature_c": "temperature",
    "processes": "processes",
}

Sample = tuple[Mapping[str, str], float | None]


class Samples:
    """A page's wanted samples by name."""

    def __init__(self, page: Page) -> None:
        """Values that are none (nan, inf, sentinels) become ``None``: their rows still say what exists."""
        self._by_name: dict[str, list[Sample]] = {}
        for series, value in zip(page.layout.series, page.values, strict=True):
            usable = math.isfinite(value) and abs(value) <= LARGEST
            self._by_name.setdefault(series.name, []).append((series.labels, value if usable else None))

    def has(self, *prefixes: str) -> bool:
        """Whether a wanted sample's name begins with one of ``prefixes``."""
        return any(name.startswith(prefixes) for name in self._by_name)

    def of(self, name: str) -> list[Sample]:
        """Labels and value of each sample called ``name``."""
        return self._by_name.get(name, [])

    def value(self, name: str) -> float | None:
        """The value of the first sample called ``name``."""
        found = self.of(name)
        return found[0][1] if found else None


@dataclass(slots=True)
class Card:
    """One GPU while its rows are gathered. ``values``: sample name → value."""

    index: str | None = None
    uuid: str | None = None
    name: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    instances: set[str] = field(default_factory=set)
    """Its MIG instances that have rows of their own."""

    def note(self, name: str, value: float | None) -> None:
        """The value of one of its rows; the first row of a name counts."""
        if value is not None:
            self.values.setdefault(name, value)

    def first(self, *names: str) -> float | None:
        """The value of the first of ``names`` that the page has."""
        return next((self.values[name] for name in names if name in self.values), None)


def index_of(label: str | None, position: int) -> int:
    """A GPU's index from its label, else its position on the page."""
    return int(label) if label is not None and label.isascii() and label.isdecimal() and len(label) <= 4 else position


def share(value: float | None) -> float | None:
    """A fraction 0–1."""
    return min(value, 1.0) if value is not None and 0 <= value <= 1.01 else None


def watts(value: float | None) -> float | None:
    """Watts of one GPU, sentinels of every kind left out."""
    return value if value is not None and 0 <= value < 1e5 else None


def celsius(value: float | None) -> float | None:
    """A temperature that a GPU can have."""
    return value if value is not None and -100 <= value <= 300 else None


def size(value: float | None) -> int | None:
    """Bytes."""
    return round(value) if value is not None and 0 <= value <= LARGEST else None


def mebibytes(value: float | None) -> int | None:
    """MiB as bytes, sentinels of every kind left out."""
    return round(value * 2**20) if value is not None and 0 <= value < _MOST_MIB else None


def missing(view: GpuView, why: str) -> tuple[str, ...]:
    """The problems of a row: each value that it lacks, and ``why``."""
    lacks = [_VALUES[f.name] for f in fields(view) if f.name in _VALUES and getattr(view, f.name) is None]
    return (f"{', '.join(lacks)}: {why}",) if lacks else ()
