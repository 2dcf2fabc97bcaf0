"""Clock times on the screen are local: here, UTC. The clipboard is nobody's."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from quarterdeck.tui import remembered


@pytest.fixture(autouse=True)
def _no_clipboard(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests copy, but not to the clipboard of whoever runs them."""
    monkeypatch.setenv("SSH_CONNECTION", "a test")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with all colours and letters, whatever this is run in; no test has chosen a theme before."""
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    if remembered.path().is_relative_to(os.environ["XDG_STATE_HOME"]):  # not where a system knows no such folder
        remembered.path().unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
