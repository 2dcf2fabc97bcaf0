"""An event loop whose time passes only while everybody waits: hours of polling in milliseconds, to the same end each time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from quarterdeck.engine.clock import Clock

T = TypeVar("T")
EPOCH = 1_795_370_400.0


class _Selector(selectors.DefaultSelector):
    """Instead of waiting, moves the loop's clock."""

    passed = 0.0
    in_threads = 0
    """Calls under way in threads, whose time is real: nobody's passes until they have ended."""

    def select(self, timeout: float | None = None) -> list[Any]:
        """What is ready; if nothing is, the time of the next timer has come."""
        if self.in_threads and timeout != 0:
            return super().select(0.01)
        ready = super().select(0)
        if not ready and timeout is not None and timeout > 0:
            self.passed += timeout
        if not ready and timeout is None:
            return super().select(0.01)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A selector loop on that clock."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Seconds, from 1000."""
        return 1000.0 + self._virtual.passed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        """As the loop's, counted."""
        self._virtual.in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._ended)
        return future

    def _ended(self, _: asyncio.Future[Any]) -> None:
        self._virtual.in_threads -= 1


def clock() -> Clock:
    """The running loop's time."""
    loop = asyncio.get_running_loop()
    return Clock(monotonic=loop.time, wall=lambda: EPOCH + loop.time())


def in_virtual_time(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs ``main`` to its end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
