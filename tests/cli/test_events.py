"""`quarterdeck events`: reads what was written, without a fleet."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quarterdeck.cli.events import Printer
from quarterdeck.config.fleet import EventSettings
from quarterdeck.engine.timeline.book import Book, Entry
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.report.events import document

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The events of the user that the command line runs as."""
    now = time.time()
    made = Book(EventSettings(), tmp_path / ".local/state/quarterdeck/events.db")
    made.add(
        [
            Entry(Happening(now - 7200, Topic.STATE, "vllm-a", "DOWN", "connection \x1b[31mrefused")),
            Entry(Happening(now - 600, Topic.ALERT, "vllm-a", "raised", "DOWN", "critical", "down vllm-a")),
            Entry(Happening(now - 60, Topic.MODEL, "mac", "loaded", "qwen3:8b")),
        ],
        now,
    )
    return made


def test_lines_for_people(quarterdeck: Quarterdeck, book: Book) -> None:
    ended = quarterdeck("events")
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, third = ended.stdout.splitlines()
    assert first.endswith("  state  vllm-a  DOWN    connection refused")
    assert second.endswith("  alert  vllm-a  raised  DOWN")
    assert third.endswith("  model  mac     loaded  qwen3:8b")
    assert first[:2] == "20"
    assert first[10] == "T"


def test_lines_for_programs_and_filters(quarterdeck: Quarterdeck, book: Book) -> None:
    lines = [json.loads(line) for line in quarterdeck("events", "--json").stdout.splitlines()]
    assert [line["topic"] for line in lines] == ["state", "alert", "model"]
    assert {**lines[1], "time": ""} == {
        "time": "",
        "topic": "alert",
        "subject": "vllm-a",
        "word": "raised",
        "text": "DOWN",
        "severity": "critical",
        "key": "down vllm-a",
    }
    assert lines[0]["severity"] is None
    assert quarterdeck("events", "--since", "1h").stdout.count("\n") == 2
    assert quarterdeck("events", "--topic", "state", "--topic", "model").stdout.count("\n") == 2
    assert quarterdeck("events", "--endpoint", "vllm-*").stdout.count("\n") == 2
    assert quarterdeck("events", "--limit", "1").stdout.endswith("qwen3:8b\n")


def test_wrong_words(quarterdeck: Quarterdeck, book: Book) -> None:
    for words, said in (
        (("--since", "yesterday"), "is no time"),
        (("--topic", "weather"), "invalid choice"),
        (("--limit", "0"), "whole number"),
    ):
        ended = quarterdeck("events", *words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert said in ended.stderr


def test_nothing_happened_and_a_damaged_file(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    ended = quarterdeck("events")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.startswith("nothing happened")
    assert quarterdeck("events", "--json").stderr == ""
    assert not (tmp_path / ".local").exists()  # looking makes nothing
    file = tmp_path / ".local/state/quarterdeck/events.db"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"no database" * 1000)
    ended = quarterdeck("events")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is damaged; move it away" in ended.stderr


def test_it_follows(tmp_path: Path, environment: dict[str, str], book: Book) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "quarterdeck", "events", "--follow", "--json", "--limit", "1"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["word"] == "loaded"
        late = Happening(
            time.time() - 90_000, Topic.JOB, "mac", "done", "pull", key="abcde"
        )  # written now, whenever it was
        book.add([Entry(late)], time.time())
        assert json.loads(process.stdout.readline()) == document(late)
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_columns_never_become_narrower(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False)
    printer.show([Happening(1e9, Topic.STATE, "a-long-name", "RESTARTED", "x")])
    printer.show([Happening(1e9, Topic.JOB, "a", "done", "y")])
    first, second = capsys.readouterr().out.splitlines()
    assert first.index("x", 30) == second.index("y", 30)


def test_a_filter_as_in_the_console(quarterdeck: Quarterdeck, book: Book) -> None:
    def words(text: str, *more: str) -> list[str]:
        ended = quarterdeck("events", "--json", "--filter", text, *more)
        assert (ended.returncode, ended.stderr) == (0, "")
        return [json.loads(line)["word"] for line in ended.stdout.splitlines()]

    assert words("topic:state,alert") == ["DOWN", "raised"]
    assert words("age<1h !mac") == ["raised"]
    assert words("vllm", "--limit", "1") == ["raised"]
    assert words("where:nobody") == []
    assert quarterdeck("events", "--filter", "where:nobody").stderr == "nothing that happened fits the filter\n"


@pytest.mark.parametrize(
    ("text", "said"), [("topik:state", "did you mean topic?"), ("age>", "age> what?"), ("age<5", "a unit is missing")]
)
def test_a_filter_that_is_wrong_is_an_error(quarterdeck: Quarterdeck, book: Book, text: str, said: str) -> None:
    ended = quarterdeck("events", "--filter", text)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert said in ended.stderr
