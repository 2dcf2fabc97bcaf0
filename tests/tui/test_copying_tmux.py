"""The sequences in a real tmux: into its buffer, and through it to the terminal it runs in."""

from __future__ import annotations

import base64
import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quarterdeck.tui.copying.osc52 import Between, sequence
from quarterdeck.tui.copying.ways import hand_over, of_tmux

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")
WITHIN_S = 20.0
TEXT = "http://10.0.0.1:8000/v1 – Grüße; #{pane}"


class Tmux:
    """A server of its own."""

    def __init__(self, folder: Path) -> None:
        self.environ = {**os.environ, "TMUX_TMPDIR": str(folder), "TERM": "xterm-256color"}
        self.environ.pop("TMUX", None)
        self("new-session", "-d", "-s", "s", "-x", "80", "-y", "24", "cat")

    def __call__(self, *command: str) -> str:
        line = ["tmux", "-L", "test", "-f", "/dev/null", *command]
        done = subprocess.run(line, env=self.environ, capture_output=True, text=True, check=False, timeout=WITHIN_S)
        return done.stdout

    def prints(self, sent: str, folder: Path) -> None:
        """A program in a window of it prints the sequence."""
        (folder / "sent").write_text(sent)
        self("respawn-pane", "-k", "-t", "s", f"cat {folder}/sent; cat")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    folder = tmp_path / "t"
    folder.mkdir(mode=0o700)
    server = Tmux(folder)
    yield server
    server("kill-server")


def eventually(value: Callable[[], str], expected: str) -> None:
    until = time.monotonic() + WITHIN_S
    while value() != expected:
        assert time.monotonic() < until, value()
        time.sleep(0.02)


def test_its_buffer_holds_the_text_where_it_takes_the_sequence(tmux: Tmux, tmp_path: Path) -> None:
    tmux("set", "-g", "set-clipboard", "on")
    sent = sequence(TEXT, Between.TMUX)
    assert sent is not None
    tmux.prints(sent, tmp_path)
    eventually(lambda: tmux("show-buffer"), TEXT)


def test_the_terminal_around_it_gets_what_is_wrapped(tmux: Tmux, tmp_path: Path) -> None:
    tmux("set", "-g", "set-clipboard", "external")
    tmux("set", "-g", "allow-passthrough", "on")
    sent = sequence(TEXT, Between.TMUX)
    assert sent is not None
    outer, inner = pty.openpty()
    attached = subprocess.Popen(
        ["tmux", "-L", "test", "attach", "-t", "s"], stdin=inner, stdout=inner, stderr=inner, env=tmux.environ,
        start_new_session=True,
    )  # fmt: skip
    os.close(inner)
    try:
        eventually(lambda: tmux("list-clients", "-F", "x").strip(), "x")
        tmux.prints(sent, tmp_path)
        wanted = base64.b64encode(TEXT.encode())
        got, until = b"", time.monotonic() + WITHIN_S
        while wanted not in got and time.monotonic() < until:
            if select.select([outer], [], [], 1.0)[0]:
                got += os.read(outer, 65536)
        assert b"\x1b]52;c;" + wanted in got
    finally:
        attached.kill()
        attached.wait()
        os.close(outer)


async def test_tmux_itself_takes_the_text_whatever_it_makes_of_sequences(
    tmux: Tmux, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmux("set", "-g", "set-clipboard", "external")
    socket = tmux("display-message", "-p", "#{socket_path}").strip()
    monkeypatch.setenv("TMUX", f"{socket},1,0")
    program = of_tmux(os.environ)
    assert program is not None
    assert await hand_over(program, TEXT * 5000, WITHIN_S)
    assert tmux("show-buffer") == TEXT * 5000
