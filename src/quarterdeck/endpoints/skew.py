"""How far a server's clock is from ours: by the Date header of one harmless answer (RFC 9110; whole seconds)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.base import Tunnel
from quarterdeck.endpoints.endpoint import target_of
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch

_PATHS = {
    "ollama": "/api/version",
    "vllm": "/version",
    "llamacpp": "/health",
    "litellm": "/health/readiness",
    "sglang": "/model_info",
}
"""What is asked anyway when polling, and loads nothing."""


async def clock_skew(
    spec: EndpointSpec, engine: str | None, wall: Callable[[], float], tunnel: Tunnel | None = None
) -> float | None:
    """Its clock minus ours, in seconds; ``None`` where it doesn't tell, or doesn't answer. Never raises."""
    path = _PATHS.get(engine or "")
    if path is None:
        return None
    fetch = Fetch(target_of(spec))
    try:
        async with asyncio.timeout(spec.timeout):
            await fetch.ready()
            if tunnel is not None:
                await fetch.through(await tunnel.ready())
            asked = wall()
            answer = await fetch.get(path)
            told = answer.headers.get("date")
        return None if told is None else _unix(told) - (asked + wall()) / 2
    except (Failure, TimeoutError, ValueError, TypeError, OverflowError):
        return None
    finally:
        await fetch.close()
        if tunnel is not None:
            await tunnel.close()


def _unix(date: str) -> float:
    """Half a second is added: a date is cut to whole seconds."""
    moment = parsedate_to_datetime(date)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() + 0.5
