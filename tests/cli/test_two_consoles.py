"""Two consoles of one user on one state folder: no clash, nothing said twice, nothing for others to read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from in_terminal import in_terminal


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    """The fleet file of an Ollama that is really asked."""
    command = [sys.executable, "-m", "quarterdeck", "demo", "--serve", "--calm"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as servers:
        assert servers.stdout is not None
        members = [json.loads(servers.stdout.readline()) for _ in range(5)]
        ollama = next(member for member in members if member["engine"] == "ollama")
        path = tmp_path / "fleet.toml"
        path.write_text(
            f'[[endpoint]]\nname = "workbench"\nurl = "{ollama["url"]}"\nengine = "ollama"\n'
            f'[[endpoint]]\nname = "gone"\nurl = "http://127.0.0.1:1"\n'
        )
        try:
            yield path
        finally:
            servers.terminate()


def environment(state: Path) -> dict[str, str]:
    """Of somebody whose files are all there."""
    state.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "HOME": str(state), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def open_to_others(state: Path) -> list[str]:
    """What others could read or enter, below the folder that is the user's anyhow."""
    own = state / ".local/state/quarterdeck"
    assert own.is_dir()
    found = [own, *own.rglob("*")]
    return [str(path) for path in found if stat.S_IMODE(path.lstat().st_mode) & 0o077 and not path.is_symlink()]


def quarterdeck(*arguments: str, of: dict[str, str]) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "quarterdeck", *arguments]
    return subprocess.run(command, env=of, capture_output=True, text=True, timeout=60, check=True).stdout


def test_two_consoles_share_a_state_folder(fleet: Path, tmp_path: Path) -> None:
    """Both see what one of them did, nothing is kept twice; whatever the umask, nobody else can read any of it."""
    state, umask = tmp_path / "me", os.umask(0)
    mine = environment(state)
    try:
        with ExitStack() as at_once:
            arguments = ["-m", "quarterdeck", "--fleet", str(fleet)]
            consoles = [
                at_once.enter_context(in_terminal(arguments, size=(120, 36), environment=mine)) for _ in range(2)
            ]
            for console in consoles:
                console.until("connection refused")
            quarterdeck("pull", "smollm2:135m", "--on", "workbench", "--fleet", str(fleet), of=mine)
            for console in consoles:
                console.type("6")
                console.until("smollm2:135m")
                console.type("5")
                console.until("gone")
            assert not open_to_others(state)
            for console in consoles:
                console.type("q")  # back to the fleet
                console.until("alerts")
                console.type("q")
                assert console.ended() == 0
    finally:
        os.umask(umask)
    assert not open_to_others(state)
    happened = [json.loads(line) for line in quarterdeck("events", "--json", of=mine).splitlines()]
    told = [(one["topic"], one["subject"], one["word"]) for one in happened]
    assert {("state", "gone", "DOWN"), ("job", "workbench", "begun"), ("action", "workbench", "pull")} <= set(told)
    assert len(told) == len(set(told))
