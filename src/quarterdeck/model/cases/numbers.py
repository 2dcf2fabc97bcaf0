"""Numbers in answers. Pure."""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?![\w])|(?<![\w.])[-+−]?\.\d+"
)
_MOST_DIGITS = 400


def last_number(text: str) -> float | None:
    """The last number in a text ("the sum is 1,234.5." → 1234.5); ``None`` where there is none."""
    found = None
    for match in _NUMBER.finditer(text):
        if len(match[0]) <= _MOST_DIGITS:
            found = match[0]
    if found is None:
        return None
    value = float(found.replace(",", "").replace("−", "-"))
    return value if math.isfinite(value) else None


def within(found: float, wanted: float, tolerance: float, *, relative: bool) -> bool:
    """Whether ``found`` is no further from ``wanted`` than the tolerance, or that share of ``wanted``."""
    room = tolerance * abs(wanted) if relative else tolerance
    return abs(found - wanted) <= room + 1e-12 * max(1.0, abs(wanted))
