"""When each poll is due. Pure of I/O: it is told the time.

Polls of one interval start together, on a grid, so that the process wakes seldom; many endpoints are spread over the interval
only as far as needed. What fails is asked less and less often, with jitter, so that a rack coming back is not stampeded.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

TOGETHER = 64
"""So many polls start in one wake-up before they are spread: one more costs half of what it would cost by itself."""
SHORTEST_STEP_S = 0.1
LONGEST_BACK_OFF_S = 10.0
AGAIN_AFTER = 0.25
"""The shortest time between two polls that somebody asks for, as a share of the interval."""


@dataclass(slots=True)
class Entry:
    """One thing that is polled."""

    name: str
    interval: float
    next_at: float
    place: float = 0.0
    """Its place inside the interval."""
    asked_at: float = -math.inf
    failures: int = 0
    in_flight: bool = False
    missed: int = 0
    """Polls that were due while the one before still ran."""


class Schedule:
    """Which polls are due at a moment."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        """``jitter``: a number from 0 to 1."""
        self._jitter = jitter
        self._entries: dict[str, Entry] = {}
        self._origin: float | None = None
        """Where the grid begins."""

    def set(self, intervals: dict[str, float], now: float) -> None:
        """Make exactly these names polled at these intervals (seconds); new ones begin now or a moment later."""
        places = _places(intervals)
        self._origin = now if self._origin is None else self._origin
        for name in [name for name in self._entries if name not in intervals]:
            del self._entries[name]
        for name, interval in intervals.items():
            entry = self._entries.get(name)
            if entry is None:
                self._entries[name] = Entry(name, interval, now + places[name], places[name])
                continue
            if entry.interval != interval and entry.failures <= 1:  # what is asked seldom stays so
                entry.next_at = min(entry.next_at, max(now + places[name], entry.asked_at + AGAIN_AFTER * interval))
            entry.interval, entry.place = interval, places[name]

    def due(self, now: float) -> list[str]:
        """The names to poll now. Each is then in flight until ``ended``; one that still is, is passed over and counted."""
        names = []
        for entry in self._entries.values():
            if entry.next_at > now:
                continue
            entry.next_at = self._after(entry, now)
            if entry.in_flight:
                entry.missed += 1
                continue
            entry.in_flight = True
            entry.asked_at = now
            names.append(entry.name)
        return names

    def ended(self, name: str, now: float, *, ok: bool) -> None:
        """A poll ended; ``ok`` = something was answered."""
        entry = self._entries.get(name)
        if entry is None:
            return
        entry.in_flight = False
        if ok:
            entry.failures = 0
            return
        entry.failures += 1
        if entry.failures > 1:
            wait = min(entry.interval * 2 ** min(entry.failures - 1, 10), max(LONGEST_BACK_OFF_S, entry.interval))
            entry.next_at = max(entry.next_at, now + wait * (0.8 + 0.4 * self._jitter()))

    def skip(self, now: float) -> None:
        """Let everything that is due pass (paused)."""
        for entry in self._entries.values():
            if entry.next_at <= now:
                entry.next_at = self._after(entry, now)

    def _after(self, entry: Entry, now: float) -> float:
        """The entry's next point of the grid, at least half an interval away."""
        start = (self._origin or 0.0) + entry.place
        passed = math.floor((now - start) / entry.interval + 0.5)
        return start + (passed + 1) * entry.interval

    def hurry(self, names: list[str], now: float) -> None:
        """Poll these at the next chance, whatever their back-off; but not without end (a key held down)."""
        for name in names:
            entry = self._entries.get(name)
            if entry is not None and not entry.in_flight:
                entry.next_at = min(entry.next_at, max(now, entry.asked_at + AGAIN_AFTER * entry.interval))

    def next_at(self) -> float | None:
        """When the next poll is due; ``None`` if there is none."""
        return min((entry.next_at for entry in self._entries.values()), default=None)

    @property
    def missed(self) -> int:
        """Polls skipped because the one before had not ended, over everything."""
        return sum(entry.missed for entry in self._entries.values())


def _places(intervals: dict[str, float]) -> dict[str, float]:
    """Each name's place inside its interval: 0 for a few, in steps for many."""
    groups: dict[float, list[str]] = {}
    for name, interval in intervals.items():
        groups.setdefault(interval, []).append(name)
    places: dict[str, float] = {}
    for interval, names in groups.items():
        steps = max(1, min(math.ceil(len(names) / TOGETHER), int(interval / SHORTEST_STEP_S)))
        for index, name in enumerate(names):
            places[name] = (index % steps) * interval / steps
    return places
