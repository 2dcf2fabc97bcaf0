"""Runs a program in a pseudo-terminal and watches what it writes."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence

_WHERE = b"\x1b[6n"
"""The question where the cursor is: every terminal answers it."""


class Terminal:
    """A program in a pseudo-terminal of a given size."""

    def __init__(
        self, command: Sequence[str], columns: int, rows: int, environ: Mapping[str, str] | None = None
    ) -> None:
        self.started = time.perf_counter()
        self.written = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], list(command), {**os.environ, "TERM": "xterm-256color", **(environ or {})})
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def seconds_until(self, text: bytes, within: float = 20.0) -> float:
        """Seconds from the start until ``text`` was written. Raises TimeoutError."""
        seen = b""
        end = self.started + within
        while time.perf_counter() < end:
            seen += self._read(0.05)
            if text in seen:
                return time.perf_counter() - self.started
        raise TimeoutError(f"{text!r} not written within {within} s; got {seen[-400:]!r}")

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> int:
        """Let it run (``until`` something is so), reading all it writes; returns the number of bytes."""
        before, end = self.written, time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0 and not until():
            if not self._read(min(left, 0.2)) and not self._alive():
                break
        return self.written - before

    def read(self, wait: float) -> bytes:
        """What it writes within ``wait`` seconds, as soon as it writes anything."""
        return self._read(wait)

    def _alive(self) -> bool:
        return select.select([self.fd], [], [], 0)[0] == [] or bool(self._read(0))

    def _read(self, wait: float) -> bytes:
        if not select.select([self.fd], [], [], wait)[0]:
            return b""
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return b""
        self.written += len(data)
        if asked := data.count(_WHERE):
            os.write(self.fd, b"\x1b[1;1R" * asked)
        return data

    def end(self) -> None:
        """Kill it and free the terminal."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
