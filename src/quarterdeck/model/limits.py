"""From which numbers on an endpoint is not OK."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """``[limits]``: from which numbers on an endpoint is not OK."""

    busy_waiting: int = 1
    """BUSY from this many waiting requests on."""
    busy_kv: float = 0.90
    """BUSY from this fraction of the KV cache on (left 0.05 below it)."""
    stalled_after: float = 8.0
    """STALLED when requests wait or run and no token counter moved for so long."""
    stale_after: float = 3.0
    """STALE when the last good sample is older than this many intervals."""
    down_after: float = 60.0
    """A STALE endpoint is DOWN when it has been silent for so long."""
    restarted_for: float = 60.0
    """How long RESTARTED is shown."""
    warn_waiting: int = 20
    """`quarterdeck check` warns from this many waiting requests on one endpoint."""
    warn_kv: float = 0.95
    """`quarterdeck check` warns from this fraction of the KV cache on."""
