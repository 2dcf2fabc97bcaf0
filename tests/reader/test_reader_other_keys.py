"""The line mode has no keys: what is wrong with other keys for the console stops nobody here."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.cli import console
from quarterdeck.config.fleet import FleetConfig


def test_a_wrong_keys_toml_is_no_problem_of_the_fleet_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys.toml").write_text("sort = \n")
    told: list[object] = []

    def read(fleet: FleetConfig, *, problems: tuple[str, ...], **others: object) -> int:
        told.append(problems)
        return 0

    monkeypatch.setattr("quarterdeck.cli.reader.read", read)
    assert (
        console.show(FleetConfig(source=tmp_path / "fleet.toml"), problems=("fleet.toml:1: wrong",), reader=True) == 0
    )
    assert told == [("fleet.toml:1: wrong",)]
