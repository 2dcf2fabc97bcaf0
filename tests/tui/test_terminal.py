"""The terminal is given back as it was, however the console ends. Real processes in real pseudo-terminals."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("console_in_pty.py")
LONGEST_S = 30.0
RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1003l", "\x1b[?1006l", "\x1b[?2004l", "\x1b[<u")


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


@contextmanager
def console(*arguments: str) -> Iterator[Terminal]:
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(sys.executable, [sys.executable, str(SCRIPT), *arguments])
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    terminal = Terminal(pid, fd)
    try:
        yield terminal
    finally:
        if terminal.pid:
            os.kill(terminal.pid, signal.SIGKILL)
            os.waitpid(terminal.pid, 0)
        if terminal.fd >= 0:
            os.close(terminal.fd)


def assert_restored(terminal: Terminal) -> None:
    left = terminal.output[terminal.output.rindex("\x1b[?1049h") :]
    for sequence in RESTORED:
        assert sequence in left


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_signal_ends_it_with_the_terminal_restored(number: int, status: int, tmp_path: Path) -> None:
    stopped = tmp_path / "engine.stopped"
    with console(str(stopped)) as terminal:
        terminal.until("3/8")
        os.kill(terminal.pid, number)
        assert terminal.ended() == status
        assert_restored(terminal)
    assert stopped.read_text() == "stopped"


def test_q_quits_with_status_0() -> None:
    with console() as terminal:
        terminal.until("3/8")
        os.write(terminal.fd, b"q")
        assert terminal.ended() == 0
        assert_restored(terminal)


def test_a_bug_is_told_after_the_terminal_was_restored_and_without_variables() -> None:
    with console("crash") as terminal:
        assert terminal.ended() == 1
        assert_restored(terminal)
        told = terminal.output[terminal.output.rindex("\x1b[?1049l") :]
        assert "the engine broke" in told
        assert "hunter2" not in terminal.output


def test_suspended_and_continued_it_draws_everything_again() -> None:
    with console() as terminal:
        terminal.until("3/8")
        os.write(terminal.fd, b"\x1a")
        terminal.until("\x1b[?1049l")
        os.waitpid(terminal.pid, os.WUNTRACED)
        terminal.output = ""
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.until("llama-batch")
        assert "\x1b[?1049h" in terminal.output


def test_it_ends_when_its_terminal_is_gone() -> None:
    with console() as terminal:
        terminal.until("3/8")
        os.close(terminal.fd)
        terminal.fd = -1
        terminal.ended()
