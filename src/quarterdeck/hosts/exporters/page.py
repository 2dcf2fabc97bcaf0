"""What the readers of exporters' pages share: samples by name, checked values, rows that say what they lack."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from quarterdeck.model.gpu import Ecc, GpuView, MigInstance, PcieLink
from quarterdeck.wire.prometheus import Page

MOST_GPUS = 256
"""Of one page. Those who read pages give one more, where there are more."""
LARGEST = 1e18
"""Larger values are DCGM's ways of saying "no value" (9223372036854775794 and its neighbours)."""
_MOST_MIB = 2**24
_COLDEST_RUNNING_C = 1.0
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


@dataclass(frozen=True, slots=True)
class Told:
    """What one kind of exporter tells of a machine; ``cpu`` is a fraction 0–1."""

    gpus: tuple[GpuView, ...] = ()
    reason: str = ""
    driver: str | None = None
    cuda: str | None = None
    cpu: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    disk_used_bytes: int | None = None
    disk_total_bytes: int | None = None


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

    def value(self, name: str, **labels: str) -> float | None:
        """The value of the first sample called ``name`` that has these labels."""
        return next((v for found, v in self.of(name) if all(found.get(k) == x for k, x in labels.items())), None)

    def label(self, name: str, *labels: str) -> str | None:
        """The first of ``labels`` that a sample called ``name`` carries, not empty."""
        return next((found[label] for found, _ in self.of(name) for label in labels if found.get(label)), None)


@dataclass(slots=True)
class Card:
    """One GPU, or one of its MIG instances, while its rows are gathered. ``values``: sample name → value."""

    index: str | None = None
    uuid: str | None = None
    name: str | None = None
    values: dict[str, float] = field(default_factory=dict)
    instances: dict[str, Card] = field(default_factory=dict)
    """Its MIG instances that have rows of their own."""

    def note(self, name: str, value: float | None) -> None:
        """The value of one of its rows; the first row of a name counts."""
        if value is not None:
            self.values.setdefault(name, value)

    def first(self, *names: str) -> float | None:
        """The value of the first of ``names`` that the page has."""
        return next((self.values[name] for name in names if name in self.values), None)


class Value(NamedTuple):
    """A field of GpuView ("ecc.corrected" for one of its Ecc) and the samples it is read from, the best first."""

    field: str
    names: tuple[str, ...]
    read: Callable[[float | None], Any]


def wanted(values: Sequence[Value]) -> tuple[str, ...]:
    """The names of the samples that ``values`` are read from."""
    return tuple(dict.fromkeys(name for value in values for name in value.names))


def gpu_of(card: Card, position: int, values: Sequence[Value], **more: Any) -> GpuView:
    """The GPU that a card's rows tell of. ``more`` are fields that the caller worked out."""
    flat: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {"ecc": {}, "pcie": {}}
    for value in values:
        found = value.read(card.first(*value.names))
        part, dot, name = value.field.partition(".")
        (parts[part] if dot else flat)[name or part] = found
    flat["ecc"] = Ecc(**parts["ecc"]) if _any(parts["ecc"]) else None
    flat["pcie"] = PcieLink(**parts["pcie"]) if _any(parts["pcie"]) else None
    return GpuView(index_of(card.index, position), card.uuid, card.name, **(flat | more))


def _any(values: Mapping[str, object]) -> bool:
    return any(value is not None for value in values.values())


def by_id(instances: tuple[MigInstance, ...]) -> tuple[MigInstance, ...]:
    """MIG instances in the order of their numbers."""
    return tuple(sorted(instances, key=lambda instance: instance.number))


def index_of(label: str | None, position: int) -> int:
    """A GPU's index from its label, else its position on the page."""
    return int(label) if label is not None and label.isascii() and label.isdecimal() and len(label) <= 4 else position


def pid_of(label: str | None) -> int | None:
    """A process's number from its label."""
    return int(label) if label and label.isascii() and label.isdecimal() and len(label) <= 10 else None


def share(value: float | None) -> float | None:
    """A fraction 0–1."""
    return min(value, 1.0) if value is not None and 0 <= value <= 1.01 else None


def percent(value: float | None) -> float | None:
    """A fraction 0–1 from percent."""
    return share(value / 100) if value is not None else None


def watts(value: float | None) -> float | None:
    """Watts of one GPU, sentinels of every kind left out."""
    return value if value is not None and 0 <= value < 1e5 else None


def celsius(value: float | None) -> float | None:
    """A temperature that a GPU can have."""
    return value if value is not None and -100 <= value <= 300 else None


def sensor(value: float | None) -> float | None:
    """A temperature of a part that may have no sensor, which then reads 0."""
    found = celsius(value)
    return found if found is not None and found >= _COLDEST_RUNNING_C else None


def size(value: float | None) -> int | None:
    """Bytes."""
    return round(value) if value is not None and 0 <= value <= LARGEST else None


def mebibytes(value: float | None) -> int | None:
    """MiB as bytes, sentinels of every kind left out."""
    return round(value * 2**20) if value is not None and 0 <= value < _MOST_MIB else None


def mebibytes_ps(value: float | None) -> float | None:
    """MiB a second as bytes a second."""
    return value * 2**20 if value is not None and 0 <= value < _MOST_MIB else None


def bytes_ps(value: float | None) -> float | None:
    """Bytes a second over a link that exists."""
    return value if value is not None and 0 <= value < 1e14 else None


def megahertz(value: float | None) -> float | None:
    """A clock that runs."""
    return value if value is not None and 0 < value < 1e5 else None


def hertz(value: float | None) -> float | None:
    """A clock that runs, in MHz."""
    return megahertz(value / 1e6) if value is not None else None


def tally(value: float | None) -> int | None:
    """A count of events."""
    return round(value) if value is not None and 0 <= value < 1e12 else None


def small(value: float | None) -> int | None:
    """A number such as a link's width."""
    return round(value) if value is not None and 0 < value < 1024 else None


def p_state(value: float | None) -> int | None:
    """0 … 15; 32 says that it is unknown."""
    return round(value) if value is not None and 0 <= value <= 15 else None


def flag(value: float | None) -> bool | None:
    """1 is yes, 0 is no."""
    return bool(value) if value in (0.0, 1.0) else None


def missing(view: GpuView, why: str) -> tuple[str, ...]:
    """The problems of a row: each value that it lacks, and ``why``."""
    lacks = [_VALUES[f.name] for f in fields(view) if f.name in _VALUES and getattr(view, f.name) is None]
    return (f"{', '.join(lacks)}: {why}",) if lacks else ()
