"""`quarterdeck export`: the little server against all kinds of clients, the text file, and the whole process."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from fakes import endpoint_view, snapshot
from quarterdeck.cli.export import Board, Pages, TextFile, address
from quarterdeck.cli.serving import wants
from quarterdeck.errors import QuarterdeckError, UsageError
from quarterdeck.model.limits import Limits
from quarterdeck.model.verdict import judged
from quarterdeck.report.prometheus import OPENMETRICS, TEXT, Seen

if TYPE_CHECKING:
    from cli.conftest import Counted, Quarterdeck

# ---- the page


PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/html, */*;q=0.8", False),
        (PROMETHEUS, True),
        ("text/plain, application/openmetrics-text;q=0.5", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.3, */*;q=0.4", False),
        ("APPLICATION/OpenMetrics-Text ; version=1.0.0", True),
        ("application/openmetrics-text;q=many", True),
        (";;,q=,,/;q=x", False),
    ],
)
def test_who_asks_for_openmetrics_gets_it(accept: str, openmetrics: bool) -> None:
    assert wants(accept, "application/openmetrics-text", "text/plain") is openmetrics
    fleet = snapshot(endpoint_view())
    answer = Pages(lambda: Seen(fleet, judged(fleet, Limits())), lambda: 0.0).answer(accept)
    assert answer.content_type == (OPENMETRICS if openmetrics else TEXT)
    assert answer.body.endswith(b"# EOF\n") is openmetrics


def test_the_newest_snapshot_is_told_and_not_made_twice_at_once() -> None:
    now, looks = [0.0], []

    def seen() -> Seen:
        looks.append(now[0])
        fleet = snapshot(endpoint_view(running=len(looks)))
        return Seen(fleet, judged(fleet, Limits()))

    pages = Pages(seen, lambda: now[0])
    assert b'requests_running{endpoint="vllm-a"} 1\n' in pages.body()
    now[0] = 0.1
    assert b'requests_running{endpoint="vllm-a"} 1\n' in pages.body()
    now[0] = 0.3
    assert b'requests_running{endpoint="vllm-a"} 2\n' in pages.body()
    now[0] = 0.2  # a clock that goes back keeps no page for ever
    assert b'requests_running{endpoint="vllm-a"} 3\n' in pages.body()


def test_jobs_are_unknown_until_they_were_taken_in() -> None:
    board = Board()
    known = [board.was_shown]
    for _ in range(2):
        board.read()
        known.append(board.was_shown)
    assert known == [False, False, True]


# ---- where


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:9788", ("127.0.0.1", 9788)),
        ("[::1]:9788", ("::1", 9788)),
        (":9788", (None, 9788)),
        ("9788", ("127.0.0.1", 9788)),
        ("gpu-1.lan:80", ("gpu-1.lan", 80)),
    ],
)
def test_addresses(text: str, found: tuple[str | None, int]) -> None:
    assert address(text) == found


@pytest.mark.parametrize(
    "text", ["", "x", "127.0.0.1", "127.0.0.1:", ":65536", "::1:9788", "http://x:1", "x:-1", "x:٣"]
)
def test_what_is_no_address_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        address(text)


def test_the_text_file_is_always_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fleet.prom"
    file = TextFile(path)
    file.begin(b"a 1\n")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"a 1\n", 0o644)
    file.write(b"a 2\n")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"a 2\n"]
    path.unlink()
    path.mkdir()
    for _ in range(3):
        file.write(b"a 3\n")
    path.rmdir()
    file.write(b"a 4\n")
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "can't write" in said[0]
    assert "is written again" in said[1]
    file.remove()
    file.write(b"a 5\n")
    assert list(tmp_path.iterdir()) == []


def test_only_what_the_collector_reads_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"doesn't end in \.prom"):
        TextFile(tmp_path / "passwd")
    file = TextFile(tmp_path / "gone" / "x.prom")
    with pytest.raises(QuarterdeckError, match="No such file"):
        file.begin(b"")
    kept = tmp_path / "x.prom"
    kept.write_bytes(b"somebody's")
    TextFile(kept).remove()
    assert kept.read_bytes() == b"somebody's"


# ---- the process


Export = Callable[..., contextlib.AbstractContextManager[tuple[subprocess.Popen[str], str]]]


@pytest.fixture
def export(environment: dict[str, str], tmp_path: Path) -> Export:
    """Runs `quarterdeck export` on a free port; gives the process and the address of the page."""

    @contextlib.contextmanager
    def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        command = [sys.executable, "-m", "quarterdeck", "export", "--listen", "127.0.0.1:0", *arguments]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
            try:
                assert process.stderr is not None
                line = process.stderr.readline()
                assert line.startswith("quarterdeck export: listening on http://127.0.0.1:"), line
                yield process, line.split()[-1]
            finally:
                process.kill()

    return running


def fetched(url: str, accept: str = "*/*") -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=20) as answer:
        text: str = answer.read().decode()
        return text


def until_told(url: str, wanted: str) -> str:
    """The first page with that text; pytest's time limit ends the wait."""
    while wanted not in (page := fetched(url)):
        pass
    return page


def test_the_page_of_a_server_that_is_not_polled_again(export: Export, counted: Counted) -> None:
    with export("--url", counted.url, "--interval", "3600") as (process, url):
        until_told(url, 'quarterdeck_jobs{state="queued"} 0')
        assert "quarterdeck_endpoint_up{endpoint=" in until_told(url, "quarterdeck_endpoint_up{")
        polled = len(counted.paths)
        with ThreadPoolExecutor(20) as many:
            pages = list(many.map(lambda _: fetched(url, PROMETHEUS), range(60)))
        assert len(counted.paths) == polled > 0
        assert all(page.endswith("# EOF\n") for page in pages)
        assert list(openmetrics_families(pages[0]))  # type: ignore[no-untyped-call]
        assert "/metrics" in fetched(url.removesuffix("metrics"))
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetched(f"{url}/x")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_whoever_hangs(export: Export, number: signal.Signals) -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as clients:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with export("--url", f"http://127.0.0.1:{deaf.getsockname()[1]}") as (process, url):
            port = int(url.split(":")[2].split("/")[0])
            for _ in range(5):
                clients.enter_context(socket.create_connection(("127.0.0.1", port))).send(b"GET /me")
            until_told(url, "quarterdeck_build_info")
            process.send_signal(number)
            assert process.wait(timeout=20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""


def test_a_port_in_use_is_said(quarterdeck: Quarterdeck, ollama: str) -> None:
    port = ollama.rpartition(":")[2]
    ended = quarterdeck("export", "--listen", port, "--url", ollama)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert f"can't listen on 127.0.0.1:{port}: something listens there already" in ended.stderr
    wrong = quarterdeck("export", "--listen", "192.0.2.7:1234", "--url", ollama)
    assert "can't listen on 192.0.2.7:1234: this machine has no such address" in wrong.stderr
    both = quarterdeck("export", "--listen", "1", "--textfile", "x.prom", "--url", ollama)
    assert both.returncode == 2


def test_beyond_this_machine_it_warns(environment: dict[str, str], tmp_path: Path, ollama: str) -> None:
    command = [sys.executable, "-m", "quarterdeck", "export", "--listen", ":0", "--url", ollama]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as process:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        assert any("whoever can reach this port can read it" in line for line in lines)
        process.terminate()
        assert process.wait(timeout=20) == 0


def test_the_text_file_comes_and_goes(environment: dict[str, str], tmp_path: Path, ollama: str) -> None:
    path = tmp_path / "fleet.prom"
    options = ("--textfile", str(path), "--url", ollama, "--interval", "0.1")
    with subprocess.Popen(
        [sys.executable, "-m", "quarterdeck", "export", *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment,
    ) as process:
        pages: list[str] = []
        while not any("quarterdeck_model_state{" in page for page in pages[-1:]):
            with contextlib.suppress(FileNotFoundError):
                pages.append(path.read_text())
            assert process.poll() is None
        assert all(list(text_families(page)) for page in pages[-50:])
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert not list(tmp_path.glob("*.prom"))


def test_its_values_are_those_of_status(export: Export, quarterdeck: Quarterdeck, ollama: str) -> None:
    with export("--url", ollama) as (_, url):
        page = until_told(url, "quarterdeck_model_state{")
    status = json.loads(quarterdeck("status", "--json", "--fast", "--url", ollama).stdout)
    told = {
        sample.labels["model"]: sample.value
        for family in text_families(page)
        for sample in family.samples
        if sample.name == "quarterdeck_model_size_bytes"
    }
    assert told == {model["id"]: model["size_bytes"] for model in status["endpoints"][0]["models"]} != {}
