"""The two clocks everything takes its time from, so that tests can hold them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple


class Clock(NamedTuple):
    """``monotonic`` orders and measures; ``wall`` (Unix seconds) is only shown."""

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()
