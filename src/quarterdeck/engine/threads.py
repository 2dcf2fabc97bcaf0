"""Blocking calls that asyncio hands to threads (looking up host names, above all), each in a daemon thread that has nothing else to do.

The loop's usual pool has a handful of threads, which a few names that no server answers for would fill, so that every other
endpoint waited; and asyncio and the interpreter join them at the end, which kept `check` for as long as the resolver likes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any

MOST_IDLE = 3


class DaemonThreads(ThreadPoolExecutor):
    """A pool that never makes anybody wait: not for a free thread, and not at the end."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._idle: list[SimpleQueue[Callable[[], None]]] = []
        """Where the threads that wait look for work. (Appending and popping need no lock.)"""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` in a daemon thread that is idle, or in a new one: to start one each time costs more than what most do."""
        future: Future[Any] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001  (it belongs to whoever awaits the future)
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            self._idle.pop().put(work)
        except IndexError:
            threading.Thread(target=self._serve, args=(work,), name="quarterdeck", daemon=True).start()
        return future

    def _serve(self, work: Callable[[], None]) -> None:
        calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        while True:
            work()
            if len(self._idle) >= MOST_IDLE:
                return
            self._idle.append(calls)
            work = calls.get()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave them behind."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)


def use_daemon_threads() -> None:
    """Have the running loop use them."""
    asyncio.get_running_loop().set_default_executor(DaemonThreads())
