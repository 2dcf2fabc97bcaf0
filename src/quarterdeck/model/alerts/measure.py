"""What a measure is: one number of an endpoint, a GPU or a machine that a rule can look at."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple


class Of(StrEnum):
    """What a measure is read from."""

    ENDPOINT = "endpoint"
    GPU = "gpu"
    HOST = "host"


class Unit(StrEnum):
    """What a value is in, and so how a limit is written."""

    YES_NO = "yes or no"
    NUMBER = "number"
    SHARE = "share"
    SECONDS = "seconds"
    BYTES = "bytes"
    CELSIUS = "°C"


class Moment(NamedTuple):
    """When a snapshot was taken."""

    at: float
    """Monotonic seconds."""
    time: float
    """Unix seconds."""
    with_gpus: frozenset[str] = frozenset()
    """Names of the machines that have GPUs; "" where the one that we run on does."""


class Measure(NamedTuple):
    """One thing to look at. ``value`` and ``words`` get the row (EndpointView, GpuView or HostView) and when that was."""

    id: str
    of: Of
    unit: Unit
    doc: str
    value: Callable[[Any, Moment], float | None]
    words: Callable[[Any, Moment], str]
    """What an alert says is wrong, with the number as it is."""
    of_state: bool = False
    """Whether it is concluded anew each moment; other values hold for when they were measured."""
