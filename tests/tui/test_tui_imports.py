"""What the first frame may cost is mostly what is imported before it."""

from __future__ import annotations

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
)


def imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("unwanted", [*HEAVY, *NOT_USED])
def test_the_console_imports_nothing_heavy(unwanted: str, app_modules: set[str]) -> None:
    assert unwanted not in app_modules


def test_the_door_to_the_console_imports_no_terminal_library() -> None:
    modules = imported_by("quarterdeck.tui.launch")
    assert not [name for name in modules if name.split(".")[0] in ("textual", "rich")]


@pytest.fixture(scope="module")
def app_modules() -> set[str]:
    return imported_by("quarterdeck.tui.app")
