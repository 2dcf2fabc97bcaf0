"""What loading a fleet file imports: `quarterdeck check` and the first frame wait for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "fleet.toml"
HEAVY = "pydantic httpx ollama textual rich pynvml psutil platformdirs asyncio json sqlite3 difflib ssl"
USUAL = '[console]\npoll = "5s"\n[[host]]\nname = "a"\n[[endpoint]]\nname = "b"\nurl = "http://127.0.0.1:1"\n'
RARE = {"alerting", "sinks", "chatting", "deployments", "specs", "suggest", "locate", "origins", "schema"}
"""Modules of the package that a file needs only where it has such tables, or something is wrong."""


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after ``code``."""
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def rare_modules_for(text: str) -> set[str]:
    """Which of `RARE` are imported for a file of this text."""
    held = modules_after(
        "from pathlib import Path\nfrom quarterdeck.config.load import loads\n"
        f"assert not loads({text!r}, Path('fleet.toml')).problems"
    )
    return {name for name in RARE if f"quarterdeck.config.{name}" in held}


def test_loading_a_good_file_stays_light() -> None:
    held = modules_after(f"from quarterdeck.config.load import load\nassert not load({str(SAMPLE)!r}).problems")
    assert "quarterdeck.config.decode" in held
    assert not held.intersection(HEAVY.split())
    assert not held.intersection(
        {"quarterdeck.config.locate", "quarterdeck.config.origins", "quarterdeck.config.schema"}
    )


def test_importing_reads_no_toml_yet() -> None:
    assert "tomllib" not in modules_after("import quarterdeck.config.load")


def test_tables_that_a_file_does_not_have_are_not_imported() -> None:
    assert rare_modules_for(USUAL) == set()


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ('[[alert]]\nname = "down"\nfor = "5m"\n', {"alerting", "specs"}),
        ('[[sink]]\nname = "bell"\nbell = true\n', {"sinks", "specs"}),
        ("[[price]]\ninput = 1\noutput = 2\n", {"chatting", "specs"}),
        ("[chat]\nsave = true\n", {"chatting", "specs"}),
        ('[[deployment]]\nname = "d"\nendpoint = "b"\nrun = ["true"]\n', {"deployments", "specs"}),
    ],
    ids=["alert", "sink", "price", "chat", "deployment"],
)
def test_a_table_brings_what_it_needs_and_no_more(text: str, needed: set[str]) -> None:
    assert rare_modules_for(USUAL + text) == needed
