"""What the first frame may cost is mostly what is imported before it, and the dataclasses that this makes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

HEAVY = (
    "httpx",
    "httpcore",
    "pydantic",
    "ollama",
    "pynvml",
    "psutil",
    "quarterdeck.endpoints",
    "quarterdeck.wire",
)
NOT_USED = (
    "textual.widgets._data_table",
    "textual.widgets._footer",
    "textual.widgets._header",
    "textual.widgets._rich_log",
    "quarterdeck.model.query",
    "quarterdeck.tui.sieve",
)
NOT_YET = (
    "quarterdeck.config.alerting",
    "quarterdeck.config.sinks",
    "quarterdeck.config.specs",
    "quarterdeck.engine.engine",
    "quarterdeck.engine.jobs",
    "quarterdeck.model.alerts",
    "quarterdeck.model.gpu",
    "quarterdeck.model.host",
    "quarterdeck.model.job",
    "quarterdeck.model.models",
    "quarterdeck.model.own",
    "quarterdeck.model.query",
    "quarterdeck.model.reading",
    "quarterdeck.model.replica",
    "quarterdeck.model.verdict",
    "quarterdeck.reader",
    "quarterdeck.tui.chat",
    "quarterdeck.tui.detail",
    "quarterdeck.tui.help",
    "quarterdeck.tui.verbs",
)
"""Needed when something was answered, or asked for."""
MOST_DATACLASSES = 10
"""Of our own, before the first frame: each takes a third of a millisecond."""
BESIDE_TEXTUAL = ("quarterdeck", "argparse", "gettext", "tomllib", "encodings.", "fcntl", "gc", "rich._unicode_data")
"""What the console imports and a Textual app with one Static doesn't."""

FIRST_FRAME = """
import sys
from dataclasses import is_dataclass
from pathlib import Path

Path("fleet.toml").write_text('[[endpoint]]\\nname = "e0"\\nurl = "http://127.0.0.1:1"\\n')
from quarterdeck.cli.parser import parse
arguments = parse(["--fleet", "fleet.toml"])
import quarterdeck.cli.console
from quarterdeck.cli.fleets import chosen
from quarterdeck.tui.app import ConsoleApp

def stop(app):
    print(*sys.modules, file=sys.__stdout__)
    own = (module for name, module in sys.modules.items() if name.startswith("quarterdeck"))
    made = {each for module in own for each in vars(module).values() if isinstance(each, type) and is_dataclass(each)}
    print(*sorted(each.__name__ for each in made if each.__module__.startswith("quarterdeck")), file=sys.__stdout__)
    app.exit()

ConsoleApp.start = stop
ConsoleApp(chosen(arguments).fleet, make_engine=None).run(headless=True, size=(120, 36))
"""
MINIMAL = """
import sys
from textual.app import App
from textual.widgets import Static

class Minimal(App):
    def compose(self):
        yield Static("e0")

    def on_ready(self):
        print(*sys.modules, file=sys.__stdout__)
        self.exit()

Minimal().run(headless=True, size=(120, 36))
"""


def told_by(code: str, folder: str = ".") -> list[set[str]]:
    """The words of each line that ``code`` prints in a fresh interpreter."""
    nobody = {f"XDG_{kind}_HOME": f"{folder}/nothing" for kind in ("STATE", "CONFIG", "CACHE")}  # nothing is remembered
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder, env={**os.environ, **nobody})
    return [set(line.split()) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def first_frame(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """The modules and the dataclasses of ours that are there when the first frame is."""
    return told_by(FIRST_FRAME, str(tmp_path_factory.mktemp("fleet")))


@pytest.mark.parametrize("unwanted", [*HEAVY, *NOT_USED, *NOT_YET])
def test_the_first_frame_imports_nothing_that_it_does_not_show(unwanted: str, first_frame: list[set[str]]) -> None:
    assert unwanted not in first_frame[0]
    assert "quarterdeck.tui.screens.fleet" in first_frame[0]


def test_the_first_frame_makes_few_dataclasses(first_frame: list[set[str]]) -> None:
    assert "EndpointView" in first_frame[1]
    assert len(first_frame[1]) <= MOST_DATACLASSES, sorted(first_frame[1])


def test_the_console_imports_little_that_a_minimal_app_does_not(first_frame: list[set[str]]) -> None:
    more = first_frame[0] - told_by(MINIMAL)[0]
    assert not [name for name in more if not name.startswith(BESIDE_TEXTUAL)]


def test_the_door_to_the_console_imports_no_terminal_library() -> None:
    (modules,) = told_by("import sys, quarterdeck.tui.launch; print(*sys.modules)")
    assert not [name for name in modules if name.split(".")[0] in ("textual", "rich")]
