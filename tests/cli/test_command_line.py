"""The command line as a whole process: output, exit codes, and what it imports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cli.conftest import Counted, Quarterdeck

MODULES_AFTER = """
import sys
from quarterdeck.cli import main
code = main(sys.argv[1:])
print("\\n".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""


def imported(environment: dict[str, str], folder: Path, *arguments: str) -> set[str]:
    """Top-level modules loaded after that command."""
    command = [sys.executable, "-c", MODULES_AFTER, *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=folder, env=environment, check=False
    )
    return set(ended.stderr.split())


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def test_version_imports_next_to_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    loaded = imported(environment, tmp_path, "--version")
    assert "quarterdeck" in loaded
    assert not loaded & {"argparse", "asyncio", "typing", "dataclasses", "httpx", "textual"}


def test_check_imports_only_what_polling_needs(environment: dict[str, str], tmp_path: Path, ollama: str) -> None:
    loaded = imported(environment, tmp_path, "check", "--url", ollama)
    assert "httpx" in loaded
    # psutil is not among them: where an Ollama runs on the machine, its processes tell what it doesn't.
    assert not loaded & {"textual", "rich", "ollama", "pynvml", "pydantic", "click", "httpcore", "anyio"}


def test_check_exit_codes(quarterdeck: Quarterdeck, ollama: str) -> None:
    well = quarterdeck("check", "--url", ollama)
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.startswith("QUARTERDECK OK - 1 of 1 endpoints well | up=1;;;0;1")
    assert well.stdout.count("\n") == 1
    down = quarterdeck("check", "--url", ollama, "--url", f"http://127.0.0.1:{closed_port()}")
    assert down.returncode == 2
    assert "DOWN: connection refused" in down.stdout


def test_check_of_nothing_is_unknown(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text("[[endpoint]]\nname = 'a'\nurl = 'ftp://x'\n")
    ended = quarterdeck("check")
    assert ended.returncode == 3
    assert ended.stdout.startswith("QUARTERDECK UNKNOWN - fleet.toml:3: ")
    assert ended.stdout.count("\n") == 1


def test_check_answers_in_time_whatever_hangs(quarterdeck: Quarterdeck, ollama: str, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        (tmp_path / "fleet.toml").write_text(
            f"[[endpoint]]\nname = 'deaf'\nurl = 'http://127.0.0.1:{port}'\nengine = 'vllm'\ntimeout = '50s'\n"
            f"[[endpoint]]\nname = 'well'\nurl = '{ollama}'\n"
        )
        ended = quarterdeck("check", "--timeout", "1")
    assert ended.returncode == 3
    assert "deaf" in ended.stdout
    assert "1 of 2 endpoints well" in ended.stdout


def test_status_as_json_and_text(quarterdeck: Quarterdeck, ollama: str) -> None:
    ended = quarterdeck("status", "--json", "--fast", "--url", ollama)
    assert (ended.returncode, ended.stderr) == (0, "")
    endpoint = json.loads(ended.stdout)["endpoints"][0]
    assert (endpoint["engine"], endpoint["state"], endpoint["version"]) == ("ollama", "OK", "0.32.15")
    assert [model["state"] for model in endpoint["models"]] == ["loaded", "installed"]
    assert endpoint["running"] is None
    text = quarterdeck("status", "--fast", "--url", ollama).stdout
    assert "qwen3:8b (1 on disk)" in text


def test_status_of_what_a_filter_keeps(quarterdeck: Quarterdeck, ollama: str) -> None:
    both = ("status", "--json", "--fast", "--url", ollama, "--url", "http://127.0.0.1:1", "--filter")
    kept = json.loads(quarterdeck(*both, "state:down").stdout)
    assert [endpoint["state"] for endpoint in kept["endpoints"]] == ["DOWN"]
    assert [
        each["state"] for each in json.loads(quarterdeck(*both, "!state:down model:qwen3").stdout)["endpoints"]
    ] == ["OK"]
    none = quarterdeck(*both, "state:busy")
    assert (none.returncode, none.stderr) == (0, "no endpoint fits the filter\n")
    wrong = quarterdeck(*both, "stat:down")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean state?" in wrong.stderr
    assert quarterdeck("status", "--fast", "--url", ollama, "--filter", "kv>").returncode == 2


def test_status_json_lines_until_the_reader_goes_away(environment: dict[str, str], tmp_path: Path, ollama: str) -> None:
    command = [sys.executable, "-m", "quarterdeck", "status", "--jsonl", "--fast", "--watch", "0.1", "--url", ollama]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.stdout.close()
        assert process.wait(timeout=30) == 0
        assert process.stderr.read() == ""
    assert all(line["schema_version"] == 1 for line in lines)


def test_a_wrong_file_says_everything_at_once_and_uses_the_rest(
    quarterdeck: Quarterdeck, tmp_path: Path, ollama: str
) -> None:
    (tmp_path / "fleet.toml").write_text(
        f"[console]\npol = '2s'\n[[endpoint]]\nname = 'a'\nurl = '{ollama}'\n[[endpoint]]\nname = 'b'\nurl = 7\n"
    )
    ended = quarterdeck("status", "--json", "--fast")
    assert ended.returncode == 2
    assert [endpoint["name"] for endpoint in json.loads(ended.stdout)["endpoints"]] == ["a"]
    assert ended.stderr.count("fleet.toml:") == 2
    assert 'did you mean "poll"' in ended.stderr
    assert quarterdeck("config", "check").returncode == 2


@pytest.mark.parametrize(
    "arguments", [("stats",), ("status", "--json", "--jsonl"), ("check", "--timeout", "soon"), ("--interval", "0")]
)
def test_wrong_usage_is_one_message_and_code_2(quarterdeck: Quarterdeck, arguments: tuple[str, ...]) -> None:
    ended = quarterdeck(*arguments)
    assert ended.returncode == (3 if arguments[0] == "check" else 2)  # 2 of a check means critical
    assert ended.stdout == ""
    assert ended.stderr.startswith("quarterdeck")
    assert "Traceback" not in ended.stderr


def test_a_url_with_credentials_is_refused_without_repeating_them(quarterdeck: Quarterdeck) -> None:
    ended = quarterdeck("status", "--url", "http://me:hunter2@127.0.0.1:1")
    assert ended.returncode == 2
    assert "hunter2" not in ended.stdout + ended.stderr


def test_config_init_never_overwrites(quarterdeck: Quarterdeck, tmp_path: Path, ollama: str) -> None:
    first = quarterdeck("config", "init", OLLAMA_HOST=ollama)
    assert first.returncode == 0
    written = (tmp_path / "fleet.toml").read_text()
    assert ollama in written
    assert quarterdeck("config", "init").returncode == 2
    assert (tmp_path / "fleet.toml").read_text() == written
    assert quarterdeck("config", "check").returncode == 0
    shown = quarterdeck("config", "show", "--origin")
    assert shown.returncode == 0
    assert "fleet.toml:" in shown.stdout


def test_config_schema_is_json(quarterdeck: Quarterdeck) -> None:
    assert json.loads(quarterdeck("config", "schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_discovery_finds_what_ollama_host_names(quarterdeck: Quarterdeck, ollama: str) -> None:
    ended = quarterdeck("status", "--json", "--fast", OLLAMA_HOST=ollama)
    found = {endpoint["url"]: endpoint["engine"] for endpoint in json.loads(ended.stdout)["endpoints"]}
    assert found[ollama] == "ollama"


@pytest.mark.parametrize("command", ["status", "check"])
def test_output_that_cannot_be_written_is_one_message(
    environment: dict[str, str], tmp_path: Path, ollama: str, command: str
) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "quarterdeck", command, "--url", ollama],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, cwd=tmp_path, env=environment, check=False,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (3, "quarterdeck: No space left on device\n")


def test_what_a_wrong_file_leaves_is_shown_although_it_ends_in_an_error(
    quarterdeck: Quarterdeck, tmp_path: Path
) -> None:
    (tmp_path / "fleet.toml").write_text("[console]\npol = '2s'\n")
    ended = quarterdeck("config", "show")
    assert ended.returncode == 2
    assert "[limits]" in ended.stdout


def test_a_terminal_without_unicode_gets_question_marks(quarterdeck: Quarterdeck, ollama: str) -> None:
    ended = quarterdeck("status", "--fast", "--url", ollama, PYTHONIOENCODING="latin-1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "?" in ended.stdout


def test_an_external_endpoint_is_not_asked_more_often_than_it_should(
    quarterdeck: Quarterdeck, tmp_path: Path, counted: Counted
) -> None:
    (tmp_path / "fleet.toml").write_text(
        f"[[endpoint]]\nname = 'x'\nurl = '{counted.url}'\nboundary = 'external'\nengine = 'ollama'\n"
    )
    assert quarterdeck("status", "--interval", "0.1").returncode == 0
    assert counted.paths.count("/api/ps") == 1


HANGING_RESOLVER = """
import socket, sys, time
real = socket.getaddrinfo
def getaddrinfo(host, *rest, **more):
    if "slow" in str(host):
        time.sleep(60)
    return real(host, *rest, **more)
socket.getaddrinfo = getaddrinfo
from quarterdeck.cli import entry
entry()
"""


def test_names_that_no_server_answers_for_delay_nobody(
    environment: dict[str, str], tmp_path: Path, ollama: str
) -> None:
    named = ollama.replace("127.0.0.1", "localhost")
    urls = [part for number in range(40) for part in ("--url", f"http://slow-{number}.example:8000")]
    command = [sys.executable, "-c", HANGING_RESOLVER, "check", "--timeout", "8", *urls, "--url", named]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=30, cwd=tmp_path, env=environment, check=False
    )
    assert ended.returncode == 2
    assert "1 of 41 endpoints well" in ended.stdout


def test_a_fifo_for_a_fleet_file_hangs_nobody(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fleet.toml")
    ended = quarterdeck("check", "--timeout", "1")
    assert (ended.returncode, ended.stdout.count("\n")) == (3, 1)
    assert "is not a regular file" in ended.stdout


def test_urls_before_and_behind_the_command_all_count(quarterdeck: Quarterdeck, ollama: str) -> None:
    dead = f"http://127.0.0.1:{closed_port()}"
    ended = quarterdeck("--url", dead, "check", "--url", ollama)
    assert ended.returncode == 2
    assert "1 of 2 endpoints well" in ended.stdout


def test_check_asks_again_before_it_calls_a_server_down(quarterdeck: Quarterdeck, counted: Counted) -> None:
    counted.stumble = True
    ended = quarterdeck("check", "--url", counted.url)
    assert ended.returncode == 0, ended.stdout


def test_an_ollama_host_that_leads_nowhere_is_named(quarterdeck: Quarterdeck) -> None:
    nowhere = f"127.0.0.1:{closed_port()}"
    assert f"OLLAMA_HOST says http://{nowhere}" in quarterdeck("status", "--fast", OLLAMA_HOST=nowhere).stderr
    assert "OLLAMA_HOST is set, but not to" in quarterdeck("status", "--fast", OLLAMA_HOST="ftp://x").stderr
