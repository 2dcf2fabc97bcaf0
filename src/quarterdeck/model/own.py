"""Timings of our own requests to an endpoint: what can be known of servers that tell nothing themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

LATELY_S = 15 * 60.0
MOST_OWN = 200


@dataclass(frozen=True, slots=True)
class OwnRequests:
    """What our own requests to an endpoint took lately (chat, probes); the only timings some servers give."""

    count: int
    ttft_p50_s: float | None = None
    decode_tps_p50: float | None = None
    """Output tokens a second after the first one."""
    last_at: float | None = None


@dataclass(frozen=True, slots=True)
class OwnRequest:
    """One request that was answered. ``at``: monotonic seconds of its end; ``decode_s`` is the time from its first to its last token."""

    at: float
    ttft_s: float | None = None
    tokens: int | None = None
    decode_s: float | None = None

    @property
    def decode_tps(self) -> float | None:
        """Output tokens a second after the first one."""
        if self.tokens is None or self.tokens < 2 or not self.decode_s:
            return None
        return (self.tokens - 1) / self.decode_s


def lately(requests: Iterable[OwnRequest], now: float) -> OwnRequests | None:
    """Medians over the requests of the last 15 minutes; ``None`` where there were none."""
    recent = [request for request in requests if now - request.at <= LATELY_S]
    if not recent:
        return None
    from statistics import median  # `check` and the first readings come without

    ttfts = [r.ttft_s for r in recent if r.ttft_s is not None]
    rates = [rate for r in recent if (rate := r.decode_tps) is not None]
    return OwnRequests(
        len(recent),
        ttft_p50_s=median(ttfts) if ttfts else None,
        decode_tps_p50=median(rates) if rates else None,
        last_at=recent[-1].at,
    )
