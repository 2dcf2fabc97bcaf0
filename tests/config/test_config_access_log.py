"""Where an Ollama's access log is read, as the fleet file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import Loaded, loads

FILE = Path("/etc/quarterdeck/fleet.toml")
EXPECTED = 'expected "journal:ollama" (a unit of the journal), the path of a log file, or "none"'


def loaded(access_log: str) -> Loaded:
    return loads(f'[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:11434"\naccess_log = {access_log}\n', FILE)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ('"journal:ollama"', "journal:ollama"),
        ('"journal:ollama@gpu-0.service"', "journal:ollama@gpu-0.service"),
        ('"none"', "none"),
        ('"/var/log/ollama.log"', "/var/log/ollama.log"),
        ('"logs/ollama.log"', "/etc/quarterdeck/logs/ollama.log"),
        ('"./none"', "/etc/quarterdeck/none"),
        ('"~/.ollama/logs/server.log"', str(Path.home() / ".ollama/logs/server.log")),
    ],
)
def test_what_it_may_be(given: str, kept: str) -> None:
    found = loaded(given)
    assert found.problems == ()
    assert found.config.endpoints[0].access_log == kept


@pytest.mark.parametrize(
    "given", ['"journal:"', '"journal:--help"', '"journal:a b"', '""', "5", "true", '"a\\nb"', "[]"]
)
def test_what_it_may_not_be(given: str) -> None:
    found = loaded(given)
    assert found.config == FleetConfig(source=FILE, endpoints=())
    (problem,) = found.problems
    assert EXPECTED in str(problem)


def test_unset_is_unknown_yet() -> None:
    found = loads('[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:11434"\n', FILE)
    assert found.config.endpoints[0].access_log is None


def test_other_words_for_it() -> None:
    found = loads('[[endpoint]]\nname = "a"\nurl = "http://127.0.0.1:11434"\nlog = "x"\n', FILE)
    assert 'did you mean "access_log"?' in str(found.problems[0])
