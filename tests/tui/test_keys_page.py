"""docs/keys.md is what the command table says, and its example works."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from quarterdeck.config.load import loads
from quarterdeck.tui.commands import COMMANDS
from quarterdeck.tui.keys.keymap import key_table

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_keys", DOCS / "make_keys.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_table_says(maker: ModuleType) -> None:
    assert (DOCS / "keys.md").read_text(encoding="utf-8") == maker.page(), "run `python docs/make_keys.py`"


def test_every_command_is_on_it(maker: ModuleType) -> None:
    assert {command.id for command in COMMANDS} <= set(re.findall(r"(?m)^\| `(\w+)` \|", maker.page()))


def test_its_example_works(maker: ModuleType) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", maker.page(), re.DOTALL)
    loaded = loads(example, Path("fleet.toml"))
    assert loaded.problems == ()
    assert key_table(loaded.config.keys).problems == ()
    assert len(loaded.config.keys) == 5
