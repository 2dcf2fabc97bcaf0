"""Keeps alarms going beside the polls: a look each second, what others wrote a moment later."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.alerting.alarms import LOOK_EVERY_S, Alarms
from quarterdeck.engine.clock import Clock

SAVE_WITHIN_S = 0.3
SYNC_EVERY_S = 1.9
"""What others say of an alert is read so often."""
OTHERS_S = 0.6
"""For so long others who look may be waited for."""


def alarms_for(fleet: FleetConfig, clock: Clock) -> Alarms | None:
    """The alarms of a fleet; ``None`` where the fleet file has switched them off."""
    return Alarms(fleet, wall=clock.wall) if fleet.alerts.enabled else None


async def keep_looking(alarms: Alarms, look: Callable[[], object], clock: Clock) -> None:
    """Have the rules looked at each second until cancelled. The file is read and written aside.

    ``look`` takes a snapshot. Where frames take some too, that is left to them unless none comes in time.
    """
    seen = 0
    syncing: asyncio.Future[None] | None = None
    synced_at = -math.inf
    try:
        while True:
            if alarms.is_due(clock.monotonic(), OTHERS_S if alarms.looks > seen else 0.0):
                look()
            seen = alarms.looks
            now = clock.monotonic()
            if (syncing is None or syncing.done()) and (alarms.unsaved or now - synced_at >= SYNC_EVERY_S):
                syncing, synced_at = asyncio.ensure_future(asyncio.to_thread(alarms.sync)), now
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        if syncing is not None:
            syncing.cancel()


async def save(alarms: Alarms) -> None:
    """Write what is not written yet, as far as that goes quickly. Never raises."""
    if not alarms.unsaved:
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SAVE_WITHIN_S):
            await asyncio.to_thread(alarms.sync)
