"""Waiting for something to become true, with a deadline and no guessing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

STEP_S = 0.05


async def wait_until(what: str, condition: Callable[[], bool], *, within: float) -> None:
    """Return as soon as ``condition`` holds; fail, naming ``what``, when it doesn't inside ``within`` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {what}")
        await asyncio.sleep(STEP_S)
