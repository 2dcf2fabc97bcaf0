"""What one metric is: its name, what it is of, the field of `status --json` it comes from, and how that becomes numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from quarterdeck.report.values import NEVER

PREFIX = "quarterdeck_"
Number = int | float
Labels = tuple[str, ...]
Sample = tuple[Labels, Number | None]
"""Values of a metric's own labels, and the number; ``None`` is unknown, and becomes no series."""
Get = Callable[[Any], Iterable[Sample]]
"""From the value of a metric's field, which is never ``None``."""


class Kind(StrEnum):
    """How a metric is read. A counter's name ends in ``_total``, an info's in ``_info`` and its value is 1."""

    GAUGE = "gauge"
    COUNTER = "counter"
    SUMMARY = "summary"
    INFO = "info"


class Scope(Enum):
    """What a metric is of: the labels that say which one, and where it is in the document of `status --json` (``None``: nowhere)."""

    FLEET = ((), "")
    ENDPOINT = (("endpoint",), "endpoints[]")
    REPLICA = (("endpoint", "engine"), "endpoints[].replicas[]")
    COUNTERS = (("endpoint", "engine"), None)
    MODEL = (("endpoint", "model"), "endpoints[].models[]")
    HOST = (("host",), "hosts[]")
    GPU = (("host", "gpu", "uuid"), "hosts[].gpus[]")
    MIG = (("host", "gpu", "uuid", "mig"), "hosts[].gpus[].mig[]")
    PROGRAM = ((), None)

    def __init__(self, labels: Labels, path: str | None) -> None:
        self.labels = labels
        self.path = path


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. ``field`` is a dotted path below the scope; "" is all of it."""

    name: str
    """Without `PREFIX`."""
    scope: Scope
    field: str
    help: str
    unit: str = ""
    kind: Kind = Kind.GAUGE
    labels: Labels = ()
    """Besides the scope's."""
    get: Get = lambda value: (((), value),)

    @property
    def all_labels(self) -> Labels:
        """The scope's, then its own."""
        return self.scope.labels + self.labels

    @property
    def full_name(self) -> str:
        """As its samples are named."""
        return PREFIX + self.name

    @property
    def family(self) -> str:
        """As OpenMetrics names it: without what the kind adds."""
        suffix = {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")
        return self.full_name.removesuffix(suffix)

    @property
    def json_path(self) -> str:
        """Where `status --json` has it; "" where it doesn't."""
        if self.scope.path is None:
            return ""
        return ".".join(part for part in (self.scope.path, self.field) if part)

    def samples(self, document: Mapping[str, Any]) -> Iterable[Sample]:
        """Its own labels and numbers in one document of its scope."""
        value = at(document, self.field)
        return () if value is None else self.get(value)


def at(document: Mapping[str, Any], field: str) -> Any:
    """What is at a dotted path; ``None`` where anything on the way is unknown."""
    value: Any = document
    for name in field.split(".") if field else ():
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


# ---- how a field becomes numbers


def scaled(factor: float) -> Get:
    """A number in another unit."""
    return lambda value: (((), value * factor),)


def moment(value: str) -> Iterable[Sample]:
    """A time, as Unix seconds; "never" is infinite."""
    yield (), unix(value)


def keyed(value: Mapping[str, Number | None]) -> Iterable[Sample]:
    """A number for each name."""
    return (((name,), number) for name, number in value.items())


def one_of(*choices: str) -> Get:
    """A word out of a few: 1 for it, 0 for the others. A word that isn't among them is shown all the same."""

    def get(value: str) -> Iterable[Sample]:
        known = choices if value in choices else (*choices, value)
        return (((choice,), int(choice == value)) for choice in known)

    return get


def words(*fields: str) -> Get:
    """Texts, as labels of an info."""

    def get(value: Mapping[str, Any]) -> Iterable[Sample]:
        yield tuple(str(value.get(field) or "") for field in fields), 1

    return get


def each(*labels: str, field: str) -> Get:
    """A number of each object of a list, by some of its fields."""

    def get(value: Iterable[Mapping[str, Any]]) -> Iterable[Sample]:
        return ((tuple(str(one[label]) for label in labels), one[field]) for one in value)

    return get


def present(value: Iterable[str]) -> Iterable[Sample]:
    """1 for each word of a list."""
    return (((word,), 1) for word in value)


def unix(text: str) -> float | None:
    """A time of `status --json` as Unix seconds."""
    if text == NEVER:
        return math.inf
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        return None
