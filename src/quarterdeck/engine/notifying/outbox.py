"""What waits to be told to one sink: in order, tried again with back-off, bounded, and nobody else's business."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.notifying.notice import Notice
from quarterdeck.format import duration

MOST_WAITING = 200
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


class NotDeliveredError(Exception):
    """Why a notice could not be delivered, in words. ``final``: it never can be."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


class Outcome(NamedTuple):
    """What became of a notice. ``lost``: why it was given up, in words; "" where it was delivered."""

    spec: SinkSpec
    notice: Notice
    lost: str


class Trouble(NamedTuple):
    """A sink begins to fail, or (``reason`` "") works again."""

    spec: SinkSpec
    reason: str


Send = Callable[[Notice], Awaitable[None]]
"""Delivers one notice within a deadline of its own. Raises NotDeliveredError."""
Pause = Callable[[float], Awaitable[None]]


class _Waiting(NamedTuple):
    notice: Notice
    since: float


class Outbox:
    """The queue of one sink. Used from the event loop only."""

    def __init__(
        self,
        spec: SinkSpec,
        send: Send,
        tell: Callable[[Outcome | Trouble], None],
        clock: Clock,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """``tell`` hears what becomes of each notice; ``pause`` waits between two tries."""
        self.spec = spec
        self._send, self._tell, self._clock, self._pause = send, tell, clock, pause
        self._queue: deque[_Waiting] = deque()
        self._some = asyncio.Event()
        self._failing = False
        self.idle = asyncio.Event()
        """Set while nothing is on its way."""
        self.idle.set()

    def __len__(self) -> int:
        """How many wait, the one that is being sent among them."""
        return len(self._queue)

    def put(self, notice: Notice) -> None:
        """Have it told. Where too many wait already, the oldest that isn't being sent is lost."""
        if len(self._queue) >= MOST_WAITING:
            oldest = self._queue[1]
            del self._queue[1]
            self._tell(Outcome(self.spec, oldest.notice, f"{MOST_WAITING} notices wait already"))
        self._queue.append(_Waiting(notice, self._clock.monotonic()))
        self._some.set()

    async def run(self) -> None:
        """Deliver what comes, until cancelled."""
        while True:
            while self._queue:
                first = self._queue[0]
                lost = await self._delivered(first)
                if lost is not None:
                    self._drop(first)
                    self._tell(Outcome(self.spec, first.notice, lost))
                self.idle.set()
            self._some.clear()
            await self._some.wait()

    async def _delivered(self, waiting: _Waiting) -> str | None:
        """Try until it is delivered (""), given up (why), or forgotten (``None``)."""
        wait, gives_up = FIRST_PAUSE_S, waiting.since + self.spec.retry_for
        while True:
            failure = await self._tried(waiting.notice)
            if failure is None:
                return ""
            if not self._is_first(waiting):
                return None
            left = gives_up - self._clock.monotonic()
            if failure.final or left <= 0:
                tried = "" if failure.final else f" (tried for {duration(self.spec.retry_for)})"
                return f"{failure.reason}{tried}"
            self.idle.set()
            await self._pause(min(wait, left))
            if not self._is_first(waiting):
                return None
            wait = min(2 * wait, LONGEST_PAUSE_S)

    def _is_first(self, waiting: _Waiting) -> bool:
        return bool(self._queue) and self._queue[0] is waiting

    def _drop(self, waiting: _Waiting) -> None:
        if self._is_first(waiting):
            self._queue.popleft()

    async def _tried(self, notice: Notice) -> NotDeliveredError | None:
        failure: NotDeliveredError | None = None
        self.idle.clear()
        try:
            await self._send(notice)
        except NotDeliveredError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  (a bug in one way to tell must not stop the others, or this one for ever)
            failure = NotDeliveredError(f"a bug in this program: {type(error).__name__}", final=True)
        if (failure is not None) is not self._failing:
            self._failing = failure is not None
            self._tell(Trouble(self.spec, failure.reason if failure else ""))
        return failure

    def forget(self) -> int:
        """Somebody else tells what still waits; how much that was. What is on its way may still arrive."""
        count = len(self._queue)
        self._queue.clear()
        return count
