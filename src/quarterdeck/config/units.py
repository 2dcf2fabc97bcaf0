"""Durations, sizes and fractions as people write them. ``None`` = not one of these.

Patterns here and beside are compiled when first used (``re`` remembers them): `quarterdeck check` starts sooner.
"""

from __future__ import annotations

import math
import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_NUMBER = r"[0-9]{1,18}(?:\.[0-9]{1,18})?"
DURATION_PATTERN = rf"^(?:{_NUMBER} ?d ?)?(?:{_NUMBER} ?h ?)?(?:{_NUMBER} ?m ?)?(?:{_NUMBER} ?s ?)?(?:{_NUMBER} ?ms)?$"
"""Days, hours, minutes, seconds, milliseconds, in this order; JSON Schema knows this dialect too. Also matches ""."""
FRACTION_PATTERN = rf"^{_NUMBER} ?%$"
_DURATION_PART = rf"({_NUMBER}) ?(ms|[dhms])"
_SIZE = rf"({_NUMBER}) ?([KMGTkmgt]?i?[Bb])"


def number(value: object) -> float | None:
    """A finite int or float (not a bool) as float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def duration(value: object) -> float | None:
    """Seconds of "2s", "500ms", "1m30s", "1h 30m", or of a number of seconds; never negative."""
    if isinstance(value, str):
        if not value or value != value.strip() or not re.match(DURATION_PATTERN, value):
            return None
        return math.fsum(_part(float(count), unit) for count, unit in re.findall(_DURATION_PART, value))
    seconds = number(value)
    return seconds if seconds is not None and seconds >= 0 else None


def _part(count: float, unit: str) -> float:
    """Divided, not multiplied by 0.001: 9 ms is then the same float as 0.009."""
    return count / 1000 if unit == "ms" else count * _SECONDS[unit]


def size(value: object) -> int | None:
    """Bytes of "16 GiB", "80GB", or of a whole number of bytes; never negative. GB is 10⁹, GiB 2³⁰."""
    if isinstance(value, str):
        match = re.fullmatch(_SIZE, value)
        unit = _BYTES.get(match[2].lower()) if match else None
        return round(float(match[1]) * unit) if match and unit else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def fraction(value: object) -> float | None:
    """0–1 of 0.9 or "90%"."""
    if isinstance(value, str):
        match = re.fullmatch(FRACTION_PATTERN, value)
        share = float(value.rstrip("% ")) / 100 if match else None
    else:
        share = number(value)
    return share if share is not None and 0 <= share <= 1 else None


def duration_text(seconds: float) -> str | None:
    """ "1m30s" for 90, read back by ``duration`` as the very same number; ``None`` where there is no such text."""
    if not 0 <= seconds <= 1e9:
        return None
    thousandths = round(seconds * 1000)
    parts: list[str] = []
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, thousandths = divmod(thousandths, length)
        if count:
            parts.append(f"{count}{unit}")
    if thousandths >= 1000:
        parts.append(f"{thousandths / 1000:.10g}s")
    elif thousandths:
        parts.append(f"{thousandths}ms")
    text = "".join(parts) or "0s"
    return text if duration(text) == seconds else None
