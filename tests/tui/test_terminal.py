"""The terminal is given back as it was, however the console ends. Real processes in real pseudo-terminals."""

from __future__ import annotations

import os
import signal
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from in_terminal import Terminal, in_terminal

SCRIPT = Path(__file__).with_name("console_in_pty.py")
RESTORED = ("\x1b[?1049l", "\x1b[?25h", "\x1b[?1000l", "\x1b[?1002l", "\x1b[?1006l", "\x1b[?2004l", "\x1b[<u")


def console(*arguments: str) -> AbstractContextManager[Terminal]:
    return in_terminal([str(SCRIPT), *arguments])


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


def test_it_ends_when_its_terminal_is_gone() -> None:
    with console() as terminal:
        terminal.until("3/8")
        os.close(terminal.fd)
        terminal.fd = -1
        terminal.ended()
