"""Questions that must not take long: what has no answer in time is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from quarterdeck.errors import QuarterdeckError
from quarterdeck.wire.failure import Failure

_T = TypeVar("_T")
WITHIN_S = 3.0
"""All questions of a preflight together."""
EACH_S = 2.4
"""One of them, so that the findings of the others are told."""
_left_behind: set[asyncio.Task[Any]] = set()


async def bounded(question: Coroutine[Any, Any, _T], seconds: float | None = None) -> tuple[_T | None, str]:
    """The answer within ``seconds`` (``EACH_S``); or ``None`` and why there is none, in words. Never raises, cancellation excepted.

    It is not waited for its clean-up either: closing a connection to a machine that is gone can take long.
    """
    seconds = EACH_S if seconds is None else seconds
    task = asyncio.ensure_future(question)
    _left_behind.add(task)
    task.add_done_callback(_done)
    try:
        await asyncio.wait({task}, timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
    if not task.done() or task.cancelled():
        return None, f"no answer in {seconds:g} s"
    error = task.exception()
    return (task.result(), "") if error is None else (None, _words(error))


def _words(error: BaseException) -> str:
    if isinstance(error, Failure):
        return error.reason
    if isinstance(error, QuarterdeckError):
        return error.message
    return f"it can't be looked up ({type(error).__name__})"


def _done(task: asyncio.Task[Any]) -> None:
    _left_behind.discard(task)
    if not task.cancelled():
        task.exception()  # looked at, so that nobody complains of it
