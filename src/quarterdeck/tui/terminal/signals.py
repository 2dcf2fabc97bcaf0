"""How the console ends when it is told to from outside, or when its terminal is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)


@contextlib.contextmanager
def ending_signals(end: Callable[[int], None]) -> Iterator[None]:
    """SIGTERM, SIGHUP, SIGINT and SIGQUIT call ``end`` with the exit status of a program ended by that signal."""
    loop = asyncio.get_running_loop()
    installed: list[signal.Signals] = []
    for number in _ENDING:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, end, 128 + number)
            installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)


def terminal_is_gone() -> bool:
    """Whether the terminal we began on was hung up (no signal comes where a parent ignores SIGHUP)."""
    if sys.__stdin__ is None or not _WAS_TERMINAL:
        return False
    try:
        os.tcgetpgrp(sys.__stdin__.fileno())
    except (OSError, ValueError):
        return True
    return False


def _is_terminal() -> bool:
    try:
        return sys.__stdin__ is not None and os.isatty(sys.__stdin__.fileno())
    except (OSError, ValueError):
        return False


_WAS_TERMINAL = _is_terminal()
