"""Programs in pseudo-terminals: what they write is read, what they are to read is written."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

LONGEST_S = 30.0


class Terminal:
    """A console in a pseudo-terminal."""

    def __init__(self, pid: int, fd: int) -> None:
        self.pid, self.fd, self.output = pid, fd, ""

    def until(self, text: str) -> None:
        """Read until ``text`` was written."""
        end = time.monotonic() + LONGEST_S
        while text not in self.output:
            assert time.monotonic() < end, f"{text!r} never came; the end of what did: {self.output[-800:]!r}"
            if not self._read():
                raise AssertionError(f"ended without {text!r}: {self.output[-2000:]!r}")

    def ended(self) -> int:
        """Read to the end; the exit status."""
        end = time.monotonic() + LONGEST_S
        while time.monotonic() < end:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self._read():
                    pass
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("it never ended")

    def _read(self) -> bool:
        if self.fd < 0 or not select.select([self.fd], [], [], 0.1)[0]:
            return self.fd >= 0 and self.pid != 0
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.output += data.decode(errors="replace")
        return bool(data)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self.fd, keys.encode())


@contextmanager
def in_terminal(
    arguments: Sequence[str], *, size: tuple[int, int] = (80, 24), environment: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Python with ``arguments`` in a terminal of columns × lines; ``environment``: instead of what it inherits."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execve(sys.executable, [sys.executable, *arguments], environment or os.environ)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    terminal = Terminal(pid, fd)
    try:
        yield terminal
    finally:
        if terminal.pid:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        if terminal.fd >= 0:
            os.close(terminal.fd)
