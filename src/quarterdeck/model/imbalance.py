"""Which of several replicas is not like the others: each against the median of all, held for a while before it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from quarterdeck.format import duration, percent

ENTER_S = 10.0
"""What is odd is told when it was so for this long …"""
LEAVE_S = 10.0
"""… and no longer told when it wasn't for this long."""

CHANCE = 3.0
"""Requests that come at random differ between equal replicas by the square root of their number; so many times that is no chance."""

_BEFORE = " (a moment ago)"
"""Behind numbers that are no longer those of now."""

Key = tuple[str, str]
"""Name of the replica, and in what it is odd."""


@dataclass(frozen=True, slots=True)
class Member:
    """One replica. Latencies are medians of the last minute, seconds."""

    name: str
    running: float | None = None
    kv_used: float | None = None
    ttft_s: float | None = None
    itl_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Measure:
    field: str
    label: str
    ratio: float
    """Odd from so many times the median on …"""
    least: float
    """… if the difference is at least this."""
    low_too: bool
    """Whether too little is odd as well (an engine that gets no work), or only too much (one that is slow)."""

    def text(self, value: float, usual: float) -> str:
        if self.field == "running":
            return f"{value:.0f} running, the others {usual:.0f}"
        shown = percent if self.field == "kv_used" else duration
        return f"{self.label} {shown(value)}, the others {shown(usual)}"


MEASURES = (
    _Measure("running", "running", 2.0, 4.0, low_too=True),
    _Measure("kv_used", "KV cache", 1.5, 0.25, low_too=True),
    _Measure("ttft_s", "TTFT", 2.0, 0.2, low_too=False),
    _Measure("itl_s", "ITL", 1.5, 0.010, low_too=False),
)


def odd_ones(members: Sequence[Member]) -> dict[Key, str]:
    """Who is odd in what, in words. Of two replicas only the one with more can be named: nobody knows which is usual."""
    found: dict[Key, str] = {}
    for measure in MEASURES:
        known = [(m.name, value) for m in members if (value := getattr(m, measure.field)) is not None]
        usual = _median([value for _, value in known]) if len(known) > 2 else None
        for place, (name, value) in enumerate(known):
            beside = usual if usual is not None else known[1 - place][1] if len(known) == 2 else value
            if _is_odd(value, beside, measure, low_too=usual is not None):
                found[name, measure.field] = measure.text(value, beside)
    return found


def _median(values: list[float]) -> float:
    from statistics import median  # few fleets have three replicas of a model; `check` comes without

    return median(values)


def _is_odd(value: float, usual: float, measure: _Measure, *, low_too: bool) -> bool:
    chance = CHANCE * math.sqrt(usual) if measure.field == "running" else 0.0
    if abs(value - usual) < max(measure.least, chance):
        return False
    return value > usual * measure.ratio or (measure.low_too and low_too and value * measure.ratio < usual)


@dataclass(frozen=True, slots=True)
class Held:
    """Something odd: since when, when it was last seen, and how it reads."""

    since: float
    seen: float
    text: str


def held(before: Mapping[Key, Held], found: Mapping[Key, str], now: float) -> dict[Key, Held]:
    """What is odd, remembered through short calm."""
    calm = {key: past for key, past in before.items() if key not in found and now - past.seen < LEAVE_S}
    kept = {key: replace(past, text=past.text.removesuffix(_BEFORE) + _BEFORE) for key, past in calm.items()}
    return kept | {key: Held(before[key].since if key in before else now, now, text) for key, text in found.items()}


def shown(odd: Mapping[Key, Held]) -> dict[Key, str]:
    """What has been odd for long enough."""
    return {key: one.text for key, one in odd.items() if one.seen - one.since >= ENTER_S}
