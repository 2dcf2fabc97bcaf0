"""The busy share of processors, from counters that only grow."""

from __future__ import annotations

from collections.abc import Mapping

_SHORTEST = 0.05
_DRIFT = 1.0


class BusyShare:
    """Turns counters of busy and idle seconds, per processor, into the fraction busy between two readings."""

    def __init__(self) -> None:
        """Knows nothing yet: the first reading has no share."""
        self._before: Mapping[str, tuple[float, float]] = {}
        self._share: float | None = None

    def update(self, counters: Mapping[str, tuple[float, float]]) -> float | None:
        """The fraction 0–1 since the last reading; ``None`` for the first one and after a restart.

        ``counters``: processor → (busy, idle) seconds since it started. Less than 50 ms of processor time is too little to
        tell (the kernel counts in steps of 10 ms): the share stays as it was until there is more.
        """
        busy = idle = 0.0
        compared = False
        for name, (busy_now, idle_now) in counters.items():
            if name not in self._before:
                continue
            more_busy = busy_now - self._before[name][0]
            more_idle = idle_now - self._before[name][1]
            if min(more_busy, more_idle) < -_DRIFT:
                continue  # began anew; a step back of less is the kernel's iowait, which isn't quite monotonic
            compared = True
            busy += max(more_busy, 0.0)
            idle += max(more_idle, 0.0)
        if compared and busy + idle < _SHORTEST:
            return self._share
        self._before = dict(counters)
        self._share = busy / (busy + idle) if compared else None
        return self._share
