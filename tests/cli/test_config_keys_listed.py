"""`quarterdeck config keys`, and what `config check` says of keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.cli.config import run
from quarterdeck.cli.parser import parse
from quarterdeck.errors import ConfigError, UsageError


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("QUARTERDECK_FLEET", raising=False)


def ran(*words: str) -> int:
    return run(parse(["config", *words]))


def test_the_keys_in_force_and_where_they_were_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fleet.toml").write_text('[keys]\nsort = "o"\n[keys.gpus]\nmaximise = "f11"\n')
    (tmp_path / "keys.toml").write_text('sort = ["i", "ctrl+o"]\n')
    assert ran("keys") == 0
    views = dict(part.split("]\n", 1) for part in capsys.readouterr().out.split("[keys.")[1:])
    rows = {view: {line.split()[0]: line.split() for line in text.splitlines() if line} for view, text in views.items()}
    assert rows["fleet"]["sort"] == ["sort", "i", "^O", "keys.toml:1", "Sort"]
    assert rows["gpus"]["maximise"][1:3] == ["F11", "fleet.toml:4"]
    assert rows["fleet"]["maximise"][1:3] == ["e", "–"]
    assert rows["fleet"]["pull"][1:3] == ["P", "–"]
    assert "pull" not in rows["gpus"]


def test_of_one_view(capsys: pytest.CaptureFixture[str]) -> None:
    assert ran("keys", "chat") == 0
    out = capsys.readouterr().out
    assert out.startswith("[keys.chat]\n")
    assert out.count("[keys.") == 1
    with pytest.raises(UsageError, match="no view is called chta"):
        ran("keys", "chta")


@pytest.mark.parametrize("action", ["check", "keys"])
def test_what_is_wrong_is_named(action: str, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text('[keys]\nrefersh = "x"\nsort = 3\n')
    (tmp_path / "keys.toml").write_text('copy = "r"\n')
    with pytest.raises(ConfigError) as caught:
        ran(action)
    told = str(caught.value)
    assert "fleet.toml:3: keys.sort: expected a key" in told
    assert 'fleet.toml:2: keys.refersh: no command is called that; did you mean "refresh"?' in told
    assert 'keys.toml:1: keys.copy: "r" is refresh (Refresh) already on view fleet' in told
