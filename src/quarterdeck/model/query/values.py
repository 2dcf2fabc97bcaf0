"""Numbers as people type them: "80", "80%", "20GiB", "500ms", "1m30s", "1.2k". Pure; ``None`` = not one of these."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What the numbers of a field are."""

    COUNT = "count"
    """Plain numbers; k, M, B (or G), T are thousands, millions …"""
    SHARE = "share"
    """Fractions 0–1. What is typed without a point, or above 1, is percent: 80 and 80% and 0.8 are the same."""
    SECONDS = "seconds"
    BYTES = "bytes"
    """K, M, G, T without "B" are KiB, MiB … as in the columns."""


class Amount(NamedTuple):
    """A number that was typed, and how exactly: ``step`` is one in its last digit."""

    value: float
    step: float
    share: bool = False
    """Whether it was typed in percent."""

    def equals(self, number: float) -> bool:
        """Whether ``number`` is it, to the digits that were typed."""
        return self.value - self.step / 2 <= number < self.value + self.step / 2


UNITS = {Kind.SECONDS: "a unit is missing, as in 500ms or 2m", Kind.BYTES: "a unit is missing, as in 20GiB"}
"""What is said of a bare number where that could mean anything."""
_NUMBER = r"(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})"
_AMOUNT = rf"([+-]?{_NUMBER}) ?([^0-9.\s+-][^0-9\s]*)?"
_SPAN = rf"({_NUMBER}) ?(ms|min|[smhdy])"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "y": 365.25 * 86400.0}
_THOUSANDS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "b": 1e9, "t": 1e12}
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def amount(text: str, kind: Kind, unit: str = "") -> Amount | None:
    """A number of ``kind``; ``unit`` may stand behind it ("300W"). A bare 0 needs none."""
    if kind is Kind.SECONDS:
        return _duration(text.strip().casefold())
    found = re.fullmatch(_AMOUNT, text.strip())
    if found is None:
        return None
    value, suffix = float(found[1]), (found[2] or "").casefold()
    step = _step(found[1])
    if suffix == "%":
        return Amount(value / 100, step / 100, share=True)
    if kind is Kind.SHARE:
        percent = "." not in found[1] or abs(value) > 1
        return None if suffix else Amount(value / 100, step / 100) if percent else Amount(value, step)
    times = _times(suffix.removesuffix(unit.casefold()) if suffix else "", value, kind)
    return None if times is None else Amount(value * times, step * times)


def _times(suffix: str, value: float, kind: Kind) -> float | None:
    """What a number is multiplied by."""
    if kind is Kind.COUNT:
        return _THOUSANDS.get(suffix)
    if not suffix:
        return 1.0 if value == 0 else None
    power = _POWERS.get(suffix[0], 0)
    if suffix[1 if power else 0 :] == "b" and power:
        return float(1000**power)
    return float(1024**power) if suffix[1 if power else 0 :] in (("", "i", "ib") if power else ("b",)) else None


def _duration(text: str) -> Amount | None:
    parts = re.findall(_SPAN, text)
    if not parts or re.fullmatch(rf"(?:{_SPAN} ?)+", text) is None:
        zero = re.fullmatch(_NUMBER, text) is not None and float(text) == 0
        return Amount(0.0, 1e-6) if zero else None
    value = math.fsum(_seconds(count, unit) for count, unit in parts)
    count, unit = parts[-1]
    return Amount(value, _step(count) * _SECONDS[unit])


def _seconds(count: str, unit: str) -> float:
    """Divided, not multiplied by 0.001: 9 ms is then the same float as 0.009."""
    return float(count) / 1000 if unit == "ms" else float(count) * _SECONDS[unit]


def _step(number: str) -> float:
    """One in the last digit of a number as it was typed."""
    return float(10.0 ** -len(number.rpartition(".")[2])) if "." in number else 1.0
