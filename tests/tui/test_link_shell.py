"""Stopped and continued, resized and hung up: in a real shell, in a real pseudo-terminal, and in tmux where there is one."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from slow_line import SCRIPT, Line, assert_right, line, marked, started

SHELL = shutil.which("bash") or "/bin/sh"
PROMPT = "ready>"


@pytest.fixture
def shell() -> Iterator[Line]:
    """A shell with job control."""
    with line(command=[SHELL, "--norc", "--noediting", "-i"], environ={"PS1": PROMPT, "TERM": "xterm-256color"}) as at:
        at.until(lambda: PROMPT in at.terminal.text)
        yield at


def begun(at: Line) -> None:
    at.send(f"clear; {shlex.quote(sys.executable)} {shlex.quote(str(SCRIPT))} 8\r".encode())
    started(at)
    at.run(1.5)  # an answer that is under way when it is stopped would go to the shell


def asked(at: Line, command: str, answer: str) -> None:
    at.send(f"{command}\r".encode())
    at.until(lambda: answer in at.terminal.text)


def child(at: Line) -> int:
    """The console's process."""
    found = Path(f"/proc/{at.pid}/task/{at.pid}/children").read_text().split()
    return int(found[-1])


def test_suspended_and_continued_at_another_size(shell: Line) -> None:
    begun(shell)
    shell.send(b"\x1a")
    shell.until(lambda: PROMPT in shell.terminal.text and "1049" not in shell.terminal.modes)
    assert not shell.terminal.modes & {"1000", "1002", "1006", "2004", "keys"}
    asked(shell, "stty -a", " icanon")
    shell.resize(100, 30)
    shell.send(b"fg\r")
    shell.until(lambda: "1049" in shell.terminal.modes and marked(shell) is not None)
    shell.run(1.0)
    assert_right(shell)
    shell.send(b"q")
    shell.until(lambda: PROMPT in shell.terminal.text)
    asked(shell, "stty -a", " icanon")


def test_stopped_from_outside_and_continued_by_the_shell(shell: Line) -> None:
    begun(shell)
    os.kill(child(shell), signal.SIGSTOP)
    shell.until(lambda: PROMPT in shell.terminal.text)
    shell.send(b"fg\r")
    shell.until(lambda: PROMPT not in shell.terminal.text and marked(shell) is not None)
    shell.send(b"j")
    shell.until(lambda: marked(shell) == 2)
    shell.send(b"q")
    shell.until(lambda: "1049" not in shell.terminal.modes)
    asked(shell, "stty -a", " icanon")


def test_continued_in_the_background_it_leaves_the_terminal_alone(shell: Line) -> None:
    begun(shell)
    shell.send(b"\x1a")
    shell.until(lambda: PROMPT in shell.terminal.text)
    shell.send(b"bg\r")
    asked(shell, "jobs; echo do''ne", "done")
    assert "1049" not in shell.terminal.modes
    shell.send(b"fg\r")
    shell.until(lambda: marked(shell) is not None)


def test_where_no_shell_could_continue_it_it_is_not_stopped() -> None:
    with line("8") as at:
        started(at)
        at.send(b"\x1a")
        at.until(lambda: "no shell waits" in at.terminal.text)
        at.send(b"j")
        at.until(lambda: marked(at) == 2)


def test_a_thousand_sizes_in_a_second() -> None:
    sizes = [(1 + place * 37 % 300, 1 + place * 11 % 100) for place in range(1000)]
    with line("64") as at:
        started(at)
        at.run(0.5)
        received = at.received
        for columns, rows in (*sizes, (1, 1), (300, 100), (90, 28)):
            at.resize(columns, rows)
            at.step()
        at.until(lambda: marked(at) is not None)
        at.run(1.5)
        assert at.received - received < 5_000_000
        assert_right(at)
        at.send(b"q")
        assert at.ended() == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_tmux(tmp_path: Path) -> None:
    def tmux(*words: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "socket"), "-f", "/dev/null", *words]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=20).stdout

    pid_file = tmp_path / "pid"
    program = f"echo $$ > {pid_file}; exec {sys.executable} {SCRIPT} 8"
    tmux("new-session", "-d", "-x", "80", "-y", "24", "-e", "TERM=screen-256color", program)
    try:
        reached = False
        for _ in range(400):
            shown = tmux("capture-pane", "-p")
            if reached := ("node-00" in shown and "▌" in shown):
                break
            signal.sigtimedwait([], 0.05)
        assert reached, shown
        tmux("resize-window", "-x", "120", "-y", "36")
        for _ in range(400):
            shown = tmux("capture-pane", "-p")
            if max(map(len, shown.splitlines())) > 100 and "▌" in shown:
                break
            signal.sigtimedwait([], 0.05)
        assert not any(odd in shown for odd in ("[?", "$p", "25u", "[6n", "]52", "]22")), shown
    finally:
        tmux("kill-session")
    pid = int(pid_file.read_text())
    for _ in range(400):
        if not Path(f"/proc/{pid}").exists():
            break
        signal.sigtimedwait([], 0.05)
    assert not Path(f"/proc/{pid}").exists()
