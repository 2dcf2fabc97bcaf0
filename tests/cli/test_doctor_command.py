"""`quarterdeck doctor` as a process."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck


def test_it_tells_of_program_file_and_endpoint(quarterdeck: Quarterdeck, ollama: str) -> None:
    done = quarterdeck("doctor", "--url", ollama)
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("Program", "textual", "Terminal", "State", "Configuration", "the command line", "Endpoint", "ollama"):
        assert words in done.stdout
    assert "bad" not in done.stdout.splitlines()[-1]


def test_a_dead_endpoint_is_bad(quarterdeck: Quarterdeck) -> None:
    done = quarterdeck("doctor", "--json", "--url", "http://127.0.0.1:1")
    assert done.returncode == 1
    sections = json.loads(done.stdout)
    endpoint = next(each for each in sections if each["title"].startswith("Endpoint"))
    assert {"level": "bad", "name": "state", "text": "DOWN: connection refused"} in endpoint["findings"]


def test_a_bundle_has_no_names_in_it(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(
        '[[endpoint]]\nname = "secret-project"\nurl = "http://127.0.0.1:1"\nheaders = { X-Team = "moonshot" }\n'
    )
    bundle = tmp_path / "bundle.zip"
    done = quarterdeck("doctor", "--fleet", str(fleet), "--bundle", str(bundle))
    assert done.returncode == 1
    assert done.stdout == ""
    with zipfile.ZipFile(bundle) as opened:
        assert sorted(opened.namelist()) == ["doctor.txt", "fleet.txt", "status.json"]
        everything = "".join(opened.read(name).decode() for name in opened.namelist())
    assert "secret-project" not in everything
    assert "moonshot" not in everything
    assert "endpoint-1" in everything


def test_a_bundle_that_cant_be_written(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    done = quarterdeck("doctor", "--url", "http://127.0.0.1:1", "--bundle", str(tmp_path / "no" / "b.zip"))
    assert done.returncode == 3
    assert "No such file or directory" in done.stderr
