"""Values as JSON has them: times as RFC 3339 in UTC, numbers rounded, what is no number null."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from quarterdeck.model.fleet import FleetSnapshot

NEVER = "never"


def timestamp(unix: float | None) -> str | None:
    """Unix seconds as "2026-11-22T17:05:03.120Z"; ``inf`` as "never"."""
    if unix is None:
        return None
    if unix == math.inf:
        return NEVER
    try:
        moment = datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(snapshot: FleetSnapshot, at: float | None) -> str | None:
    """Monotonic seconds of a snapshot's clock as `timestamp` writes them."""
    return None if at is None else timestamp(snapshot.unix(at))


def age(snapshot: FleetSnapshot, at: float | None) -> float | None:
    """Seconds since ``at`` (monotonic); never negative."""
    return None if at is None else rounded(max(0.0, snapshot.at - at), 3)


def rounded(value: float | None, digits: int) -> float | None:
    """``value`` with so many digits behind the point; ``None`` for what JSON has no number for."""
    return None if value is None or not math.isfinite(value) else round(value, digits)
