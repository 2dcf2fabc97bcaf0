"""The running engine: every endpoint and host polled on its interval, the newest snapshot always at hand.

CONTRACT (being written; the TUI and the CLI may rely on these names)
"""

from __future__ import annotations

from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.model.fleet import FleetSnapshot


class Engine:
    """Polls a fleet in the running event loop."""

    def __init__(self, fleet: FleetConfig, *, clock: Clock = SYSTEM_CLOCK) -> None:
        """Nothing is opened and no request is sent until ``start`` or ``once``. Importing this module imports no httpx."""
        raise NotImplementedError

    fleet: FleetConfig
    paused: bool
    interval: float
    """Seconds: the console's interval (``+``/``-`` change it); endpoints with their own interval keep it."""

    async def start(self) -> None:
        """Begin polling in the background; returns at once."""
        raise NotImplementedError

    async def stop(self) -> None:
        """End every task and close every connection. Never raises, never hangs."""
        raise NotImplementedError

    async def once(self) -> None:
        """Poll every endpoint and host once (used by status, check and tests); returns when all have ended."""
        raise NotImplementedError

    def snapshot(self) -> FleetSnapshot:
        """The newest snapshot. The same object as last time if nothing that is shown has changed (except ages)."""
        raise NotImplementedError

    def add(self, endpoints: tuple[EndpointSpec, ...]) -> None:
        """Watch more endpoints (discovery)."""
        raise NotImplementedError

    def refresh(self, name: str | None = None) -> None:
        """Poll that endpoint (or all) as soon as possible, back-off or pause notwithstanding."""
        raise NotImplementedError

    def pause(self, paused: bool) -> None:
        """Stop or resume polling; the last numbers stay and grow old."""
        raise NotImplementedError

    def set_interval(self, seconds: float) -> None:
        """Change the console's interval (kept within 0.5 … 60 s)."""
        raise NotImplementedError
