"""`quarterdeck --help`: every command in its group, once."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

import pytest

from quarterdeck.cli.overview import GROUPS, sections
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.phrasing import words

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck


@pytest.mark.parametrize("how", [("--help",), ("-h",), ("--read-only", "--help")])
def test_every_command_stands_in_one_group(quarterdeck: Quarterdeck, how: tuple[str, ...]) -> None:
    done = quarterdeck(*how, COLUMNS="100")
    assert (done.returncode, done.stderr) == (0, "")
    titles = re.findall(r"^(\S[\w ]*):$", done.stdout, re.MULTILINE)
    assert titles[0] == "options"
    assert titles[1:] == [title for title, _ in GROUPS if title in titles], "in their order, and none is left over"
    shown = re.findall(r"^  ([a-z][a-z-]*)(?:  |$)", done.stdout, re.MULTILINE)
    assert len(shown) == len(set(shown))
    assert {words(action)[0] for action in ACTIONS} | {"status", "check", "jobs", "launch", "doctor"} <= set(shown)
    assert "$QUARTERDECK_FLEET" in done.stdout


def test_a_command_without_a_group_comes_last() -> None:
    commands = [argparse.Action([], dest) for dest in ("brew", "status", "pull")]
    assert [(title, [each.dest for each in found]) for title, found in sections(commands)] == [
        ("look", ["status"]),
        ("act on models", ["pull"]),
        ("more", ["brew"]),
    ]


def test_no_command_has_two_places() -> None:
    names = [name for _, names in GROUPS for name in names]
    assert len(names) == len(set(names))


def test_the_help_of_a_command_is_its_own(quarterdeck: Quarterdeck) -> None:
    done = quarterdeck("jobs", "--help")
    assert done.returncode == 0
    assert "act on models" not in done.stdout
    assert "cancel" in done.stdout
