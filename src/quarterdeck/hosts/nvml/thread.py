"""NVML in one daemon thread: a driver call that hangs for ever delays no other reading, and not the program's end.

An executor would be joined at exit; a daemon thread is left behind. One question is under way at any time. What is slow is
asked for in the first half of the time until the next question, in small steps that end when a question comes: a second
thread would only stand in line at the driver's lock, and would be one more to hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

from quarterdeck.hosts.nvml.session import GpuTable, NvmlSession


@dataclass(slots=True)
class _Request:
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[GpuTable]
    asked_at: float
    late: bool = False


class NvmlThread:
    """The GPUs of this machine, asked for from an event loop."""

    def __init__(self, monotonic: Callable[[], float], nvml: Any = None) -> None:
        """Starts nothing yet. ``nvml`` stands in for pynvml, which is imported in the thread at the first ``read``."""
        self._monotonic = monotonic
        self._session = NvmlSession(monotonic, nvml)
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._pending: _Request | None = None
        self._last = GpuTable()
        self._last_at: float | None = None
        self._closed = False

    async def read(self, timeout: float) -> GpuTable:  # noqa: ASYNC109  (bounds the wait, not the call)
        """The GPUs, within ``timeout`` seconds; after that the last ones known, and that the driver does not answer."""
        if self._closed:
            return GpuTable(self._last.gpus, "closed")
        try:
            pending = self._question()
        except RuntimeError:
            return GpuTable((), "no thread can be started to ask the NVIDIA driver")
        # A driver that hangs is not waited for at every reading: the machine's other numbers come at once.
        await asyncio.wait({pending.future}, timeout=0 if pending.late else timeout)
        if not pending.future.done():
            self._overdue(pending)
            return replace(self._last, reason=self._silence(pending))
        self._pending = None
        return self._answered(pending)

    def close(self) -> None:
        """Shut NVML down as soon as the driver lets go. Waits for nothing."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)

    def _question(self) -> _Request:
        """The question under way, or a new one. Raises RuntimeError where no thread can be started."""
        loop = asyncio.get_running_loop()
        pending = self._pending
        if pending is not None and pending.loop is loop:
            if not pending.future.done():
                return pending
            self._answered(pending)  # came after its deadline
        if self._thread is None:
            arguments = (self._queue, self._session, self._monotonic)
            thread = threading.Thread(target=_serve, args=arguments, name="nvml", daemon=True)
            thread.start()
            self._thread = thread
        self._pending = _Request(loop, loop.create_future(), self._monotonic())
        self._queue.put(self._pending)
        return self._pending

    def _answered(self, request: _Request) -> GpuTable:
        self._last, self._last_at = request.future.result(), request.asked_at
        return self._last

    def _overdue(self, pending: _Request) -> None:
        """From now on the last rows are old ones, and say so."""
        if not pending.late:
            pending.late = True
            rows = tuple(gpu if gpu.at is not None else replace(gpu, at=self._last_at) for gpu in self._last.gpus)
            self._last = replace(self._last, gpus=rows)

    def _silence(self, pending: _Request) -> str:
        return f"the NVIDIA driver does not answer ({self._monotonic() - pending.asked_at:.0f} s)"


def _serve(queue: SimpleQueue[_Request | None], session: NvmlSession, monotonic: Callable[[], float]) -> None:
    """The thread: answers until it is told to end, and tidies up in between."""
    asked_at = math.inf
    while (request := queue.get()) is not None:
        tidy_until = request.asked_at + (request.asked_at - asked_at) / 2
        asked_at = request.asked_at
        try:
            table = session.read()
        except Exception as error:  # noqa: BLE001  (the thread must outlive every surprise)
            table = GpuTable((), f"the NVIDIA driver can't be asked ({type(error).__name__})")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            request.loop.call_soon_threadsafe(_settle, request.future, table)
        session.tidy(_nobody_asks(queue, monotonic, tidy_until))
    session.end()


def _nobody_asks(
    queue: SimpleQueue[_Request | None], monotonic: Callable[[], float], until: float
) -> Callable[[], bool]:
    return lambda: queue.empty() and monotonic() < until


def _settle(future: asyncio.Future[GpuTable], table: GpuTable) -> None:
    if not future.done():
        future.set_result(table)
