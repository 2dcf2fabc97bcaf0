"""When a server's certificate expires: looked at now and then on a connection of its own, beside the polls."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quarterdeck.wire.failure import Failure
from quarterdeck.wire.tls import certificate_of, context_for, seconds_of

if TYPE_CHECKING:
    from quarterdeck.wire.http import Target

READ_EVERY_S = 3600.0
"""A kept-alive connection goes on with the certificate of its beginning, so a new one is opened so often; no request is sent."""
AGAIN_AFTER_S = 300.0
"""Where that failed."""
FIRST_AT_POLL = 3
"""A command that asks once or twice doesn't wait for it, and sends nothing more."""


class Certificate:
    """The expiry of one server's certificate. Nothing waits for it."""

    def __init__(self, target: Target, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Opens nothing. By a proxy or a tunnel it is not looked at, and without TLS there is none."""
        self._target = target
        self._monotonic = monotonic
        self._looks = target.url.startswith("https:") and target.proxy is None and not target.tunnel
        self._polls = 0
        self._due = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._ends: float | None = None

    def ends(self) -> float | None:
        """Unix seconds, as far as is known; begins a look where one is due. Called after each poll that was answered."""
        if not self._looks:
            return None
        self._polls += 1
        if self._polls >= FIRST_AT_POLL and self._monotonic() >= self._due and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._look())
        return self._ends

    async def close(self) -> None:
        """Give up a look that goes on."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _look(self) -> None:
        self._due = self._monotonic() + AGAIN_AFTER_S
        try:
            parts = urlsplit(self._target.url)
            context = context_for(self._target.tls)
            found = await certificate_of(parts.hostname or "", parts.port or 443, context, self._target.timeout)
            ends = seconds_of(found.get("notAfter"))
            if ends is not None:
                self._ends = ends
                self._due = self._monotonic() + READ_EVERY_S
        except (Failure, OSError, ValueError):
            pass  # whether the server can be reached is the polls' to tell
        finally:
            self._task = None
