"""How values read to a person: pure functions from a number (or a stranger's text) to a short string. Unknown is "–".

Every number format has a bounded width, so that a column never has to cut a number: `rate` and `count` at most 5
characters, `age` and `percent` at most 4, `size` at most 8, `duration` at most 6.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

DASH = "–"
"""What an unknown value looks like on a screen."""

_SPARKS = "▁▂▃▄▅▆▇"
"""Without the full block, so that sparks in lines one below the other stay apart."""
_TALLEST = len(_SPARKS) - 1
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_SCALES = ("", "k", "M", "G", "T", "P")
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS and their kin, with their text
    r"|\x1b[ -/]*[0-~]?"  # any other escape
)
_LONGEST = 4096
_MARKS_PER_CHARACTER = 2


def printable(text: str, limit: int = 200) -> str:
    """``text`` as one line that is safe on a terminal, of at most ``limit`` characters (the last one "…" if cut).

    Escape sequences vanish with their arguments; line breaks and tabs become a space; other control characters, bidi
    overrides, zero-width characters and piled-up accents are dropped; what has no glyph becomes "�". Idempotent.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    return _printable(text[:_LONGEST], limit)


@lru_cache(maxsize=2048)
def _printable(text: str, limit: int) -> str:
    import unicodedata  # most text never needs it

    out: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", _ESCAPES.sub("", text)):
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > _MARKS_PER_CHARACTER:
                continue
        else:
            marks = 0
        out.append(_shown(character, category))
    clean = " ".join("".join(out).split())
    if len(clean) > limit:
        clean = clean[: max(0, limit - 1)].rstrip() + "…" if limit > 0 else ""
    return clean


def _shown(character: str, category: str) -> str:
    """One character of foreign text as it may be shown."""
    if category in ("Cs", "Cn", "Co"):
        return "�"
    if category in ("Zs", "Zl", "Zp") or character in "\t\n\r\v\f\x85":
        return " "
    return "" if category in ("Cc", "Cf") else character


def _finite(value: float | None) -> float | None:
    """``value``, or ``None`` where it is no number to show."""
    return value if value is not None and math.isfinite(value) else None


def size(value: float | None) -> str:
    """Bytes in binary units: "0 B", "1.2 GiB", "640 MiB"."""
    number = _finite(value)
    if number is None or number < 0:
        return DASH
    unit = 0
    while number >= 1023.5 and unit < len(_SIZE_UNITS) - 1:
        number /= 1024
        unit += 1
    if number >= 1023.5:
        return "> 1 EiB"
    if unit == 0 or number >= 99.95:
        return f"{number:.0f} {_SIZE_UNITS[unit]}"
    return f"{number:.1f} {_SIZE_UNITS[unit]}"


def rate(value: float | None) -> str:
    """A number per second, without unit: "0", "4.1", "41", "1.2k", "12k", "3.4M"."""
    number = _finite(value)
    if number is None:
        return DASH
    if number < 0:
        return "-" + rate(-number) if number > -1000 else "< -1k"
    if number < 0.05:
        return "0"
    scale = 0
    while number >= 999.5 and scale < len(_SCALES) - 1:
        number /= 1000
        scale += 1
    if number >= 999.5:
        return "> 1E"
    digits = 1 if number < 9.95 and number != int(number) else 0
    return f"{number:.{digits}f}{_SCALES[scale]}"


def tokens_per_second(value: float | None) -> str:
    """A rate with its unit: "41 tok/s"."""
    return f"{rate(value)} tok/s" if _finite(value) is not None else DASH


def count(value: int | None) -> str:
    """A whole number: exact up to 99999, then as `rate` writes it."""
    if value is None:
        return DASH
    return str(value) if -1000 < value < 100_000 else rate(float(value))


def percent(fraction: float | None) -> str:
    """A fraction 0–1 as "87%"; what is more than nothing is at least "1%", and full only when it is."""
    number = _finite(fraction)
    if number is None or number < 0:
        return DASH
    if 0 < number < 0.01:
        return "1%"
    if 0.99 < number < 1:
        return "99%"
    return f"{min(999.0, number * 100):.0f}%"


def age(seconds: float | None) -> str:
    """How long ago, in one unit: "12s", "3m", "5h", "9d", "2y"."""
    number = _finite(seconds)
    if number is None:
        return DASH
    number = max(0.0, number)
    for limit, unit, letter in ((60, 1, "s"), (3600, 60, "m"), (172_800, 3600, "h"), (1000 * 86_400, 86_400, "d")):
        if number < limit:
            return f"{int(number / unit)}{letter}"
    years = int(number / (365.25 * 86_400))
    return f"{years}y" if years < 1000 else ">99y"


def duration(seconds: float | None) -> str:
    """How long something took: "0.4 ms", "42 ms", "1.2 s", "12 s", "3 min"."""
    number = _finite(seconds)
    if number is None or number < 0:
        return DASH
    milliseconds = number * 1000
    if milliseconds < 999.5:
        return f"{milliseconds:.1f} ms" if 0 < milliseconds < 9.95 else f"{milliseconds:.0f} ms"
    if number < 99.5:
        return f"{number:.1f} s" if number < 9.95 else f"{number:.0f} s"
    minutes = number / 60
    return f"{minutes:.0f} min" if minutes < 99.5 else f"{min(999.0, number / 3600):.0f} h"


def spark(values: Sequence[float | None], width: int, top: float | None = None) -> str:
    """The last ``width`` values as a line of blocks, the newest at the right, padded with spaces at the left.

    ``top`` is the value of a full block (default: the largest shown). A gap where a value is unknown.
    """
    if width <= 0:
        return ""
    shown = [value if value is not None and math.isfinite(value) else None for value in values[-width:]]
    highest = top if top is not None else max((value for value in shown if value is not None), default=0.0)
    blocks = [" " if value is None else _SPARKS[_level(value, highest)] for value in shown]
    return "".join(blocks).rjust(width)


def _level(value: float, top: float) -> int:
    return min(_TALLEST, int(min(value, top) / top * len(_SPARKS))) if value > 0 and top > 0 else 0
