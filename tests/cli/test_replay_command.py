"""`replay`, `status --replay` and `--record` as they are typed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.engine.recording.reader import Recording
from recordings import DOWN_FROM, START_TIME, recorded

Quarterdeck = Callable[..., Any]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "incident.qdrec"
    recorded(path)
    return str(path)


def clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(START_TIME + seconds)) + "+00:00"


def test_a_moment_as_json(quarterdeck: Quarterdeck, file: str) -> None:
    """As `status --json` would have printed it then."""
    ended = quarterdeck("status", "--replay", file, "--at", f"+{DOWN_FROM + 2}s", "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    told = json.loads(ended.stdout)
    assert told["schema_version"] == 1
    assert [(view["name"], view["state"]) for view in told["endpoints"]] == [("a", "OK"), ("b", "DOWN")]
    assert told["endpoints"][0]["age_s"] == 0
    assert told["hosts"][0]["gpus"][0]["uuid"] == "GPU-1"
    assert told["level"] == "critical"
    assert told["time"].startswith(clock(DOWN_FROM + 2)[:19])
    by_clock = quarterdeck("status", "--replay", file, "--at", clock(DOWN_FROM + 2.5), "--json")
    assert json.loads(by_clock.stdout)["endpoints"][1]["state"] == "DOWN"


def test_a_moment_as_text_and_its_end(quarterdeck: Quarterdeck, file: str) -> None:
    ended = quarterdeck("status", "--replay", file, "--at", f"+{DOWN_FROM + 2}s")
    assert re.search(r"b .*DOWN", ended.stdout)
    assert quarterdeck("status", "--replay", file, "--at", f"-{59 - DOWN_FROM - 2}s").stdout == ended.stdout
    last = quarterdeck("status", "--replay", file)
    assert "DOWN" not in last.stdout
    assert quarterdeck("status", "--replay", file, "--jsonl").stdout.count("\n") == 1


def test_a_file_that_was_cut_off_says_so_on_stderr(quarterdeck: Quarterdeck, file: str) -> None:
    data = Path(file).read_bytes()
    Path(file).write_bytes(data[: len(data) // 2])
    ended = quarterdeck("status", "--replay", file, "--json")
    assert ended.returncode == 0
    assert "it ends early" in ended.stderr
    assert json.loads(ended.stdout)["endpoints"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("status", "--at", "12:00"), "Name the recording with --replay"),
        (("status", "--replay", "nothing.qdrec"), "No such file"),
        (("status", "--replay", "FILE", "--at", "soon"), "is no time"),
        (("status", "--replay", "FILE", "--at", "2001-01-01"), "is not in the recording"),
        (("status", "--replay", "FILE", "--watch", "1"), "a recording has a fleet of its own"),
        (("replay",), "FILE"),
        (("replay", "FILE"), "needs a terminal"),
        (("replay", "FILE", "--speed", "900"), "from 0.25 to 64"),
        (("replay", "FILE", "--from", "yesterday"), "is no time"),
        (("--url", "http://127.0.0.1:1", "replay", "FILE"), "fleet of its own"),
        (("replay", "setup"), "is no recording"),
        (("--record", "x", "status"), "--record goes with"),
        (("--record", "FILE", "watch", "--url", "http://127.0.0.1:1"), "exists already"),
    ],
)
def test_what_can_not_be_done_is_said(
    quarterdeck: Quarterdeck, file: str, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    (tmp_path / "setup").write_text("[[endpoint]]\n" * 20)
    ended = quarterdeck(
        *(file if word == "FILE" else str(tmp_path / word) if word == "setup" else word for word in words)
    )
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


def test_watch_records_what_it_sees(environment: dict[str, str], tmp_path: Path, ollama: str) -> None:
    path = tmp_path / "watched.qdrec"
    command = [
        sys.executable,
        "-m",
        "quarterdeck",
        "watch",
        "--url",
        ollama,
        "--interval",
        "0.5",
        "--record",
        str(path),
    ]
    with subprocess.Popen(
        command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        for _ in range(400):
            if path.exists() and path.stat().st_size > 1500:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert b"`quarterdeck replay" in errors
    recording = Recording(path)
    assert recording.note == ""
    assert len(recording) >= 1
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_console_without_record_imports_nothing_of_it(environment: dict[str, str], tmp_path: Path) -> None:
    code = (
        "import sys, quarterdeck.cli.parser as p, quarterdeck.cli.console, quarterdeck.tui.app\n"
        "p.parse([])\n"
        "print([name for name in sys.modules if 'recording' in name or 'replay' in name])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"
