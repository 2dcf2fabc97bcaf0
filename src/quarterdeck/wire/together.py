"""Answers that come within a moment of each other are read together.

Polls begin together, and their answers come one by one, each of which wakes the process. To read one then costs several times what
the next costs right behind it: by the next millisecond the processor has forgotten the way. So an answer that came quickly waits for
the others, a moment at most. When it came is noted before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST_S = 0.05
"""So long the first one waits."""
AT_ONCE = 16
"""Behind so many a look is taken at what else came: keys, and answers whose time is to be noted."""
QUICK_S = 0.25
"""What took longer waits for nobody: its deadline may be near."""


class Together:
    """Those that poll at one time, in one event loop."""

    def __init__(self) -> None:
        self._polls = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Around a poll: what it waits for waits for the others' answers too."""
        token = _CURRENT.set(self)
        self._polls += 1
        try:
            yield
        finally:
            _CURRENT.reset(token)
            self._polls -= 1
            if self._waiting:
                self._look()

    def came(self, waits: asyncio.Future[None]) -> None:
        """An answer begins to come: ``waits`` is done when all that poll now have theirs, after ``LONGEST_S`` at most."""
        self._waiting.append(waits)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self._release)
        self._look()

    def _look(self) -> None:
        self._waiting = [one for one in self._waiting if not one.done()]  # a poll may be given up
        if len(self._waiting) >= self._polls:
            self._release()

    def _release(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        self._wake(waiting)

    def _wake(self, waiting: list[asyncio.Future[None]]) -> None:
        for one in waiting[:AT_ONCE]:
            if not one.done():
                one.set_result(None)
        if len(waiting) > AT_ONCE:
            asyncio.get_running_loop().call_soon(self._wake, waiting[AT_ONCE:])


_CURRENT: ContextVar[Together | None] = ContextVar("together", default=None)


def current() -> Together | None:
    """Whom the running poll waits for, if anybody."""
    return _CURRENT.get()
