from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from quarterdeck.config.load import Loaded, load

ReadFleet = Callable[[str], Loaded]


@pytest.fixture
def read_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadFleet:
    """Writes a text to ./fleet.toml of a fresh folder and loads it from there, as a user would."""
    monkeypatch.chdir(tmp_path)

    def read(text: str) -> Loaded:
        (tmp_path / "fleet.toml").write_text(text, encoding="utf-8")
        return load(environ={}, origins=True)

    return read
