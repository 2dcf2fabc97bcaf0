"""Writes to a terminal that may not read: never blocks, keeps no more than it was given, and has a last word."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable

_FIRST_LOOK_S, _LAST_LOOK_S = 0.005, 0.1
"""How soon it is looked again whether the terminal takes more: at first, and in the end."""

Later = Callable[[float, Callable[[], None]], object]
"""Calls something in so many seconds."""


class Outlet:
    """A terminal's output. All methods but `finish` return at once."""

    def __init__(self, fd: int, later: Later, *, drained: Callable[[], None], gone: Callable[[], None]) -> None:
        """``fd`` stays the caller's. ``drained``: all was taken after some was not. ``gone``: there is no terminal any more."""
        self._fd, self._own = _opened_again(fd)
        self._later, self._drained, self._gone = later, drained, gone
        self._rest = bytearray()
        self._look_s = 0.0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Bytes that the system has not taken yet."""
        return len(self._rest)

    def write(self, data: bytes) -> None:
        """Write, after what waits."""
        if self._closed:
            return
        self._rest += data
        if not self._look_s:
            self._go_on()

    def _go_on(self) -> None:
        stalled, self._look_s = self._look_s, 0.0
        if self._closed:
            return
        try:
            self._push()
        except OSError:
            self.close()
            self._gone()
            return
        if self._rest:
            self._look_s = min(stalled * 2 or _FIRST_LOOK_S, _LAST_LOOK_S)
            self._later(self._look_s, self._go_on)
        elif stalled:
            self._drained()

    def _push(self) -> None:
        while self._rest:
            if not self._own and not select.select([], [self._fd], [], 0)[1]:
                return
            try:
                count = os.write(self._fd, self._rest if self._own else self._rest[:256])
            except BlockingIOError:
                return
            del self._rest[:count]

    def finish(self, words: bytes, within: float) -> bool:
        """Drop what waits and write ``words`` instead; whether they were taken.

        Where there is no room for them for half of the time, what the system holds for the terminal is thrown away.
        """
        if self._closed:
            return False
        self._rest = bytearray(words)
        begun = time.monotonic()
        with contextlib.suppress(OSError, termios.error):
            thrown = False
            while True:
                self._push()
                spent = time.monotonic() - begun
                if not self._rest or spent >= within:
                    return not self._rest
                if not thrown and spent >= within / 2:
                    thrown = True
                    termios.tcflush(self._fd, termios.TCOFLUSH)
                time.sleep(0.01)
        return False

    def close(self) -> None:
        """Write no more."""
        if self._own and not self._closed:
            with contextlib.suppress(OSError):
                os.close(self._fd)
        self._closed = True
        self._rest.clear()


def _opened_again(fd: int) -> tuple[int, bool]:
    """The same terminal for us alone, and whether that could be had.

    Not to block is a property of what was opened, which the shell, the programs before and after us and our own input share.
    """
    flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK
    for name in (None, "/dev/tty"):
        with contextlib.suppress(OSError):
            opened = os.open(name or os.ttyname(fd), flags)
            if os.isatty(opened) and _same(opened, fd):
                return opened, True
            os.close(opened)
    return fd, False


def _same(opened: int, fd: int) -> bool:
    """`/dev/tty` is another device, but what is opened by that name is the terminal itself: they share their size and group."""
    return os.fstat(opened).st_rdev == os.fstat(fd).st_rdev or (
        os.tcgetpgrp(opened) == os.tcgetpgrp(fd) and os.get_terminal_size(opened) == os.get_terminal_size(fd)
    )
