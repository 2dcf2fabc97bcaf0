"""Values out of JSON that may hold anything: each getter gives the wanted type or ``None``, and never raises."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime

from quarterdeck.format import printable

LONGEST_TEXT = 200
LARGEST_WHOLE = 2**63 - 1
_FOREVER_S = 100 * 365 * 86400.0
_NOTHING: Mapping[str, object] = {}


def parse(body: bytes) -> object:
    """The JSON value in ``body``; ``None`` where it is not JSON (half of it, HTML, too deep)."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value


def dumped(value: object) -> bytes:
    """``value`` as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def mapping(value: object) -> Mapping[str, object]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else _NOTHING


def items(value: object, most: int = 2000) -> list[object]:
    """A list's first ``most`` members, or none."""
    return value[:most] if isinstance(value, list) else []


def text(value: object) -> str | None:
    """Printable text of at most ``LONGEST_TEXT`` characters; ``None`` for anything else or an empty one."""
    if not isinstance(value, str):
        return None
    return printable(value, LONGEST_TEXT) or None


def number(value: object) -> float | None:
    """A finite number (a bool is none)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        return None
    return float(value) if math.isfinite(value) else None


def whole(value: object) -> int | None:
    """A whole number from 0 to 2^63-1."""
    found = number(value)
    if found is None or not 0 <= found <= LARGEST_WHOLE or not found.is_integer():
        return None
    return value if isinstance(value, int) else min(int(found), LARGEST_WHOLE)


def fraction(value: object) -> float | None:
    """A number from 0 to 1; a hair above 1 (rounding on the server) is 1."""
    found = number(value)
    if found is None or not -1e-6 <= found <= 1.01:
        return None
    return min(max(found, 0.0), 1.0)


def unix_time(value: object, now: float) -> float | None:
    """An RFC 3339 text as Unix seconds; ``inf`` when it lies over a century ahead (Ollama's "for ever")."""
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        moment = datetime.fromisoformat(value)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    if seconds <= 0:  # Go's zero time: not set
        return None
    return math.inf if seconds - now > _FOREVER_S else seconds
