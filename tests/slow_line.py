"""A console in a pseudo-terminal, behind a line of a certain speed and a terminal that shows what comes through."""

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from small_terminal import SmallTerminal

LONGEST_S = 40.0
SERIAL = 11_520.0
SCRIPT = Path(__file__).parent / "tui" / "busy_in_pty.py"
ENVIRONMENT = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SSH_TTY": "/dev/pts/0"}


class Line:
    """What is read of the console, how fast, and the terminal at its end."""

    def __init__(self, pid: int, fd: int, terminal: SmallTerminal, rate: float | None) -> None:
        self.pid, self.fd, self.terminal, self.rate = pid, fd, terminal, rate
        self.status: int | None = None
        self.received = 0
        self.hung_up = False
        self._credit, self._at = 0.0, time.monotonic()

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def resize(self, columns: int, rows: int) -> None:
        self.terminal.resize(columns, rows)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, reached: Callable[[], bool], within: float = LONGEST_S) -> float:
        """Let the line run until something is so; the seconds that took."""
        begun = time.monotonic()
        while not reached():
            assert time.monotonic() - begun < within, f"not reached:\n{self.terminal.text}"
            assert not self.hung_up, f"ended:\n{self.terminal.text}"
            self.step()
        return time.monotonic() - begun

    def run(self, seconds: float) -> None:
        """Let the line run."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.hung_up:
            self.step()

    def step(self) -> None:
        """Carry what the line carries in a hundredth of a second, or a little less."""
        now = time.monotonic()
        room = 65536
        if self.rate is not None:
            self._credit = min(self.rate * 0.02, self._credit + (now - self._at) * self.rate)
            room = int(self._credit)
        self._at = now
        if room < 1 or not select.select([self.fd], [], [], 0.005)[0]:
            select.select([], [], [], 0.002)
            return
        try:
            data = os.read(self.fd, room)
        except OSError:
            data = b""
        self.hung_up = not data
        self._credit -= len(data)
        self.received += len(data)
        if answers := self.terminal.feed(data):
            self.send(answers)

    def ended(self, within: float = LONGEST_S, *, reads: bool = True) -> int:
        """The exit status, once it ended."""
        begun = time.monotonic()
        while self.status is None:
            assert time.monotonic() - begun < within, "it never ended"
            if reads and not self.hung_up:
                self.step()
            else:
                select.select([], [], [], 0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        while reads and not self.hung_up:
            self.step()
        return self.status

    @property
    def memory(self) -> int:
        """Bytes that the console has in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)


@contextmanager
def line(
    *arguments: str,
    columns: int = 80,
    rows: int = 24,
    rate: float | None = None,
    answers: bool = True,
    command: Sequence[str] | None = None,
    environ: Mapping[str, str] = ENVIRONMENT,
) -> Iterator[Line]:
    """``rate`` in bytes a second; ``answers``: whether the terminal answers questions."""
    words = list(command or (sys.executable, str(SCRIPT), *arguments))
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(words[0], words, {**os.environ, **environ})
    carried = Line(pid, fd, SmallTerminal(columns, rows, answers=answers), rate)
    try:
        yield carried
    finally:
        carried.close()


def marked(at: Line) -> int | None:
    """The line with the mark of what is selected."""
    return next((y for y in range(1, at.terminal.rows) if at.terminal.line(y).startswith("▌")), None)


def started(at: Line) -> None:
    at.until(lambda: "node-00" in at.terminal.text and marked(at) is not None)


def assert_right(at: Line) -> None:
    """What is on the screen is what a whole repaint brings."""
    at.rate = None
    at.run(0.8)
    at.until(lambda: all(style for line in at.terminal.cells for _, style in line))
    before = at.terminal
    at.terminal = SmallTerminal(before.columns, before.rows, answers=before.answers)
    at.send(b"\x0c")
    at.until(lambda: "?" not in {character for line in at.terminal.cells for character, style in line if not style})
    still = [(a, b) for a, b in zip(before.cells, at.terminal.cells, strict=True) if a[:30] != b[:30]]
    assert not still, "the columns that don't move: state and name"
