"""Round values for the axes of charts: of numbers in their units, and of the time. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from quarterdeck.format import duration, percent, rate, size

_DIGITS = (1, 2, 3, 4, 5, 6, 8)
_DECIMAL = tuple(digit * 10.0**power for power in range(-1, 10) for digit in _DIGITS)
_WHOLE = tuple(step for step in _DECIMAL if step >= 1)
_SECONDS = (
    *(digit * 10.0**power for power in range(-4, 1) for digit in _DIGITS),
    *(10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 36_000.0),
)
_BYTES = tuple(
    step * 2.0**power
    for power, steps in (
        (20, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)),
        (30, (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 512)),
        (40, (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 256, 512)),
    )
    for step in steps
)
_FRACTION = (0.1, 0.2, 0.25, 0.5, 1.0)
_MOST_TICKS = 4
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


class Unit(NamedTuple):
    """What a value is counted in."""

    text: Callable[[float], str]
    """A value as it is written on an axis: at most 8 characters."""
    steps: Sequence[float]
    """Distances between two ticks that read well, rising."""
    top: float | None = None
    """Where the axis always ends."""


def _short(text: str) -> str:
    return text.replace(".0 ", " ")


PER_SECOND = Unit(rate, _DECIMAL)
COUNT = Unit(rate, _WHOLE)
SECONDS = Unit(lambda value: _short(duration(value)), _SECONDS)
BYTES = Unit(lambda value: _short(size(value)), _BYTES)
FRACTION = Unit(percent, _FRACTION, 1.0)


class Scale(NamedTuple):
    """A value axis: from 0 at the lower edge of a plot to ``top`` at its upper edge."""

    top: float
    labels: tuple[str, ...]
    """What stands beside each line, the top line first: the value at its upper edge, or ""."""


def scale(highest: float, height: int, unit: Unit) -> Scale:
    """The lowest axis that holds ``highest``, with round values at edges of the ``height`` lines of the plot."""
    lines = max(1, height)
    wanted = unit.top or (highest if math.isfinite(highest) and highest > 0 else 1.0)
    best: tuple[float, int] | None = None
    for ticks in range(1, min(_MOST_TICKS, lines) + 1):
        if lines % ticks or (lines // ticks < 2 <= ticks):
            continue
        top = _step(wanted / ticks, unit) * ticks
        fits = unit.top is None or math.isclose(top, unit.top)
        if fits and (best is None or top <= best[0] * (1 + 1e-9)):
            best = (top, ticks)
    top, ticks = best or (unit.top or 1.0, 1)
    every = lines // ticks
    labels = [unit.text(top * (ticks - line // every) / ticks) if line % every == 0 else "" for line in range(lines)]
    return Scale(top, tuple(labels))


def _step(wanted: float, unit: Unit) -> float:
    """The shortest step of a unit that is no shorter than ``wanted``; beyond the last one, the next power of ten."""
    place = bisect_left(unit.steps, wanted * (1 - 1e-9))
    if place < len(unit.steps):
        return unit.steps[place]
    return 10.0 ** math.ceil(math.log10(wanted))


def clock(unix: float, *, seconds: bool = True) -> str:
    """Local time of day: "14:03:20", or "14:03"; "–" outside the calendar."""
    try:
        return datetime.fromtimestamp(unix).strftime("%H:%M:%S" if seconds else "%H:%M")
    except (ValueError, OverflowError, OSError):
        return "–"


def time_ticks(first: float, last: float, columns: int) -> list[tuple[float, str]]:
    """Round local times from ``first`` to ``last`` (Unix seconds) and how they read, so many as fit ``columns`` cells."""
    if columns <= 0 or not last > first:
        return []
    try:
        zone = datetime.fromtimestamp(first).astimezone().utcoffset()
    except (ValueError, OverflowError, OSError):
        return []
    shift = zone.total_seconds() if zone is not None else 0.0
    for step in _TIME_STEPS:
        room = (13 if step % 60 else 10) * (last - first) / columns
        if step >= room:
            start = math.ceil((first + shift) / step) * step - shift
            count = int((last - start) // step) + 1 if start <= last else 0
            return [(at, clock(at, seconds=bool(step % 60))) for at in (start + i * step for i in range(count))]
    return []
