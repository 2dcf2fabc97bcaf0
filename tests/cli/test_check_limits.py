"""The limits of `quarterdeck check`, as a process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--expect-model", "qwen3*"), 0, "OK - 1 of 1 endpoints well"),
        (("--expect-model", "llama*"), 2, "no endpoint that is well has a model llama*"),
        (("--min-endpoints-up", "2:1"), 1, "WARNING - fleet only 1 of 1 endpoints well"),
        (("--min-endpoints-up", "2"), 2, "CRITICAL - fleet only 1 of 1 endpoints well"),
        (("--endpoint", "nothing*"), 3, "no endpoint to check"),
        (("--model", "gemma3:4b", "--max-kv", "90%:95%"), 0, "1 of 1 endpoints well"),
    ],
)
def test_limits(quarterdeck: Quarterdeck, ollama: str, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = quarterdeck("check", "--url", ollama, *arguments)
    assert (done.returncode, done.stderr) == (code, "")
    assert words in done.stdout
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    "wrong",
    ["--max-kv=full", "--max-waiting=:", "--max-gpu-temp=-3", "--min-vram-free=4furlongs", "--max-ttft-p95=1:x"],
)
def test_a_limit_that_is_none_is_unknown(quarterdeck: Quarterdeck, ollama: str, wrong: str) -> None:
    done = quarterdeck("check", "--url", ollama, wrong)
    assert done.returncode == 3
    assert "expected WARN:CRIT" in done.stderr


def test_verbose_says_what_to_try(quarterdeck: Quarterdeck, ollama: str) -> None:
    done = quarterdeck("check", "--url", ollama, "--url", "http://127.0.0.1:1", "--verbose")
    first, second = done.stdout.splitlines()
    assert first.startswith("QUARTERDECK CRITICAL")
    assert second.startswith("CRITICAL ")
    assert "connection refused" in second
    assert "Is the server running" in second


def test_json(quarterdeck: Quarterdeck, ollama: str) -> None:
    done = quarterdeck("check", "--url", ollama, "--url", "http://127.0.0.1:1", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["level"], told["endpoints"], told["well"]) == (2, "critical", 2, 1)
    (finding,) = told["findings"]
    assert finding["level"] == "critical"
    assert finding["try"].startswith("Is the server running")


def test_a_probe_that_fails_is_critical(quarterdeck: Quarterdeck, ollama: str) -> None:
    done = quarterdeck("check", "--url", ollama, "--probe")
    assert done.returncode == 2
    assert "does not answer a request" in done.stdout
