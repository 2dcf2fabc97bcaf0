"""Where lines come from: read in a thread of its own, because neither a terminal nor a pipe or file can be read without waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError

LONGEST = 64 * 1024
"""Bytes of a line; the rest of it is dropped."""
_CHUNK = 1 << 16
_MOST = 100
"""So many lines wait; then no more is read."""

Read = Callable[[], bytes]
"""What there is to read, at least a byte; b"" at the end. May block; raises OSError where the terminal is gone."""


class Ears:
    """Hears lines, one at a time, in the running event loop."""

    def __init__(self, read: Read) -> None:
        """Reads nothing before ``listen``."""
        self._read = read
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(_MOST)
        self._over = False

    def listen(self) -> None:
        """Begin to read."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, args=(loop,), name="quarterdeck-ears", daemon=True).start()

    @property
    def waiting(self) -> bool:
        """Whether a line has come that nobody asked for yet."""
        return not self._lines.empty()

    async def next(self) -> str | None:
        """The next line, without its end; ``None`` when no more will come."""
        if self._over:
            return None
        line = await self._lines.get()
        self._over = line is None
        return line

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        def put(line: str | None) -> None:
            putting = self._lines.put(line)
            try:
                asyncio.run_coroutine_threadsafe(putting, loop).result()
            except RuntimeError:
                putting.close()
                raise

        with contextlib.suppress(RuntimeError, CancelledError):  # the loop has ended before us
            for line in _lines(self._read):
                put(line.decode("utf-8", "replace"))
            put(None)


def _lines(read: Read) -> Iterator[bytes]:
    """Lines of at most `LONGEST` bytes; the last one may have no end."""
    rest, dropping = b"", False
    while True:
        try:
            chunk = read()
        except OSError:
            chunk = b""
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            if not dropping:
                yield line[:LONGEST].rstrip(b"\r")
            dropping = False
        if len(rest) > LONGEST:
            if not dropping:
                yield rest[:LONGEST]
            rest, dropping = b"", True
    if rest and not dropping:
        yield rest.rstrip(b"\r")


def reader(descriptor: int) -> Read:
    """Reads from a file descriptor."""

    def read() -> bytes:
        while True:
            try:
                return os.read(descriptor, _CHUNK)
            except BlockingIOError:  # somebody made the terminal non-blocking
                select.select((descriptor,), (), ())

    return read
