"""Numbers, units and signs as a voice reads them well. Pure.

"GiB" is spelled letter by letter, "–" is mostly not spoken at all, and "~", "→" and "…" depend on the voice: so units are words, and
what is not known is "unknown". Plain ASCII, because a dumb terminal often has nothing else; names keep what characters they have.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from quarterdeck import format as figures
from quarterdeck.format import printable

UNKNOWN = "unknown"
LONGEST = 2000
"""Characters of a line."""
_NAMES = 3
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_UNITS = {
    "B": "byte",
    "KiB": "kibibyte",
    "MiB": "mebibyte",
    "GiB": "gibibyte",
    "TiB": "tebibyte",
    "PiB": "pebibyte",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "W": "watt",
    "MHz": "megahertz",
    "°C": "degree",
    "tok/s": "token",
}
_THOUSANDS = {"": 1, "k": 1000, "M": 1_000_000, "G": 1_000_000_000}
_AMOUNT = re.compile(
    r"(?<![\w.:/@-])(\d+(?:\.\d+)?)(k|M|G)? ?(%|tok/s|KiB|MiB|GiB|TiB|PiB|MHz|°C|min|ms|B|W|s|m|h|d)(/s)?(?![\w/@:%-])"
)
_SIGNS = (
    (re.compile(r"\[\[(\w+)\]\]"), r"\1"),
    (re.compile(r"~ ?(?=\d)"), "about "),
    (re.compile(r"\bTTFT p95\b"), "95th percentile of the time to first token"),
    (re.compile(r"\bITL p95\b"), "95th percentile of the time between tokens"),
    (re.compile(r"\bTTFT\b"), "time to first token"),
    (re.compile(r"\bITL\b"), "time between tokens"),
    (re.compile(r"\bVRAM\b"), "GPU memory"),
    (re.compile(r"(?<=\s)[–—](?=\s)"), "-"),
    (re.compile(r"^[–—]$"), UNKNOWN),
    (re.compile(r"[–—]"), "-"),
    (re.compile(r"…"), "..."),
    (re.compile(r" ?≥ ?"), " at least "),
    (re.compile(r" ?≤ ?"), " at most "),
    (re.compile(r" ?→ ?"), " to "),
    (re.compile(r" · "), ", "),
    (re.compile(r" ?× ?"), " times "),
    (re.compile(r"[`’‘]"), "'"),
    (re.compile(r"[“”„]"), '"'),
)


def spoken(text: str, limit: int = LONGEST) -> str:
    """A sentence that was made for the screen, as one line to be read out: no control characters, units and signs as words."""
    clean = printable(text, limit)
    for sign, words in _SIGNS:
        clean = sign.sub(words, clean)
    return " ".join(_AMOUNT.sub(_amount, clean).split())


def _amount(found: re.Match[str]) -> str:
    number, scale, unit, per = found.group(1), found.group(2) or "", found.group(3), found.group(4)
    if unit == "B" and " " not in found.group(0):
        return found.group(0)  # "8.0B" are parameters of a model
    if scale:
        number = _plain(float(number) * _THOUSANDS[scale])
    if unit == "%":
        return f"{number} percent{' per second' if per else ''}"
    word = _UNITS[unit] if number == "1" else _UNITS[unit] + "s"
    word = "megahertz" if unit == "MHz" else word
    return f"{number} {word}{' per second' if per or unit == 'tok/s' else ''}"


def _plain(value: float) -> str:
    return f"{value:.0f}" if value == int(value) or value >= 10 else f"{value:.1f}"


def name(text: str, limit: int = 100) -> str:
    """A name of the fleet or a server: as it is, but for control characters."""
    return printable(text, limit)


def counted(number: int, one: str, many: str = "") -> str:
    """ "1 endpoint", "12 endpoints"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def size(value: float | None) -> str:
    """ "1.2 gibibytes"."""
    return UNKNOWN if value is None or not math.isfinite(value) or value < 0 else spoken(figures.size(value))


def percent(fraction: float | None) -> str:
    """ "87 percent"."""
    return (
        UNKNOWN
        if fraction is None or not math.isfinite(fraction) or fraction < 0
        else spoken(figures.percent(fraction))
    )


def seconds(value: float | None) -> str:
    """How long something took: "42 milliseconds", "1.2 seconds"."""
    return UNKNOWN if value is None or not math.isfinite(value) or value < 0 else spoken(figures.duration(value))


def number(value: float | None) -> str:
    """A number per second: "4.1", "41", "12000"."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:.1f}" if 0 < value < 9.95 and value != int(value) else f"{value:.0f}"


def lasting(value: float | None) -> str:
    """For how long something has been so: "3 seconds", "1 minute 5 seconds", "2 hours 10 minutes", "3 days 4 hours"."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    whole = int(max(0.0, value))
    for unit, larger, smaller, one in (
        (_DAY, "day", "hour", _HOUR),
        (_HOUR, "hour", "minute", _MINUTE),
        (_MINUTE, "minute", "second", 1),
    ):
        if whole >= unit:
            rest = whole % unit // one
            return counted(whole // unit, larger) + (f" {counted(rest, smaller)}" if rest else "")
    return counted(whole, "second")


def listed(names: Sequence[str], most: int = _NAMES) -> str:
    """ "a, b and c", "a, b, c and 9 more"."""
    shown = [name(each) for each in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part) if shown else "none"


def sentence(text: str) -> str:
    """With a full stop, at which a voice pauses."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", ":")) or not text else f"{text}."
