"""`quarterdeck watch` as a process: what it logs, how it ends, and what it makes of a changed fleet file."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from quarterdeck.cli.watch import tell_systemd
from quarterdeck.engine.timeline.reading import read

FLEET = """
[limits]
down_after = "1s"
[[endpoint]]
name = "a"
url = "http://127.0.0.1:9"
poll = "500ms"
timeout = "300ms"
[[alert]]
name = "down"
for = "1s"
[[sink]]
name = "file"
command = ["tee", "-a", "told.jsonl"]
"""


@contextmanager
def watching(folder: Path, environment: dict[str, str], **more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "quarterdeck", "watch", "--fleet", "fleet.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env=environment | {"XDG_STATE_HOME": str(folder / "state")} | more,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def lines_until(stream: IO[str] | None, word: str) -> list[str]:
    """What it says, up to the first line that has ``word``."""
    assert stream is not None
    found: list[str] = []
    for text in stream:
        found.append(text)
        if word in text:
            return found
    raise AssertionError(f"{word!r} never came: {found}")


def log_until(process: subprocess.Popen[str], word: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in lines_until(process.stdout, word)]


def told_until(process: subprocess.Popen[str], folder: Path, count: int) -> None:
    """Wait until the sink was told so often."""
    file = folder / "told.jsonl"
    while not file.exists() or file.read_text().count("\n") < count:
        assert process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_logs_tells_and_ends_cleanly(tmp_path: Path, environment: dict[str, str], number: signal.Signals) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    with watching(tmp_path, environment) as process:
        log = log_until(process, '"raised"')
        assert [(one["topic"], one["subject"], one["word"]) for one in log] == [
            ("state", "a", "DOWN"),
            ("alert", "a", "raised"),
        ]
        assert log[1]["severity"] == "critical"
        told_until(process, tmp_path, 1)
        process.send_signal(number)
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out) == (0, "")
        assert errors == "quarterdeck watch: watching 1 endpoints, 1 sinks\n"
    (told,) = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert (told["event"], told["alert"]["key"]) == ("raised", "down a")
    rows, _ = read(tmp_path / "state/quarterdeck/events.db")
    assert [row.happening.word for row in rows] == ["DOWN", "raised"]


def test_a_changed_fleet_file_is_read_at_sighup(tmp_path: Path, environment: dict[str, str]) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    with watching(tmp_path, environment) as process:
        log_until(process, '"raised"')
        told_until(process, tmp_path, 1)
        file.write_text(FLEET.replace('name = "a"', 'name = "b"'))
        process.send_signal(signal.SIGHUP)
        lines_until(process.stderr, "was read again")
        log = log_until(process, '"raised"')
        assert [one["subject"] for one in log if one["topic"] != "sink"] == ["b", "b"]
        told_until(process, tmp_path, 2)
        file.write_text("[[endpoint]]\nname = 3\n")
        process.send_signal(signal.SIGHUP)
        said = lines_until(process.stderr, "stays as it was")
        assert any("fleet.toml:2: " in text for text in said)
        lines_until(process.stderr, "watching 1 endpoints")
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert [(one["event"], one["alert"]["subject"]) for one in told] == [("raised", "a"), ("raised", "b")]


def test_a_reader_that_has_gone_ends_it(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    with watching(tmp_path, environment) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        assert process.wait(30) == 0


def test_a_wrong_file_is_said(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "fleet.toml").write_text("[[endpoint]]\nname = 3\n")
    with watching(tmp_path, environment) as process:
        out, errors = process.communicate(timeout=30)
        assert (process.returncode, out) == (2, "")
        assert "fleet.toml:2:" in errors


def test_systemd_is_told(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        with watching(tmp_path, environment, NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert systemd.recv(100) == b"READY=1"
            assert systemd.recv(100) == b"WATCHDOG=1"
            process.terminate()
            said = b"WATCHDOG=1"
            while said == b"WATCHDOG=1":
                said = systemd.recv(100)
            assert said == b"STOPPING=1"


@pytest.mark.parametrize("place", ["", "relative", "/no/such/socket", "@quarterdeck-no-such", "\0"])
def test_no_systemd_is_no_trouble(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    if "\0" in place:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", place)
    tell_systemd("READY=1")
