"""`quarterdeck alerts`: the list, what is said to an alert, and whether the sinks work."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from quarterdeck.engine.alerting.state import StateFile, merged, state_path
from quarterdeck.model.alerts.alert import Alert, Severity

if TYPE_CHECKING:
    from cli.conftest import Quarterdeck

ENDPOINT = '[[endpoint]]\nname = "vllm-a"\nurl = "http://127.0.0.1:9"\n'


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    """What a console of this fleet saw: one alert that is open, one that is over."""
    (tmp_path / "fleet.toml").write_text(ENDPOINT)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".local/state"))
    now = time.time()
    opened = Alert(
        "down vllm-a",
        "down",
        Severity.CRITICAL,
        "vllm-a",
        "DOWN: \x1b[31mrefused",
        now - 125,
        now - 120,
        ("now: DOWN",),
    )
    over = replace(
        opened,
        key="queue vllm-a",
        rule="queue",
        severity=Severity.WARNING,
        what="21 wait",
        cleared_at=now - 60,
        ending="0 wait",
    )
    file = StateFile(state_path(tmp_path / "fleet.toml"))
    file.change(lambda state: merged(state, (opened, over), now))
    return [opened, over]


def test_the_list(quarterdeck: Quarterdeck, seen: list[Alert]) -> None:
    ended = quarterdeck("alerts")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "Open\n  critical  down vllm-a  since 2m  DOWN: refused\n\nOver\n  warning  queue vllm-a  1m ago  21 wait, for 65 s\n"
    )
    told = json.loads(quarterdeck("alerts", "--json").stdout)
    assert [alert["key"] for alert in told["open"]] == ["down vllm-a"]
    assert [alert["ending"] for alert in told["recent"]] == ["0 wait"]
    assert told["silences"] == []


def test_acknowledging(quarterdeck: Quarterdeck, seen: list[Alert]) -> None:
    ended = quarterdeck("alerts", "ack", "down", "vllm-a", "--note", "mine, Ana")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "acknowledged: vllm-a: DOWN" in ended.stdout
    assert "(mine, Ana)" in quarterdeck("alerts").stdout
    (alert,) = json.loads(quarterdeck("alerts", "--json").stdout)["open"]
    assert alert["acknowledged"]["note"] == "mine, Ana"
    ended = quarterdeck("alerts", "ack", "down vllm-b")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is open" in ended.stderr


def test_silencing(quarterdeck: Quarterdeck, seen: list[Alert]) -> None:
    assert quarterdeck("alerts", "silence", "vllm-a", "--for", "2h", "--note", "moving it").returncode == 0
    listed = quarterdeck("alerts").stdout
    assert "silent for 1h" in listed
    assert "subject  vllm-a  for 1h  " in listed
    assert quarterdeck("alerts", "unsilence", "vllm-a").stdout == "no longer silent: vllm-a\n"
    assert json.loads(quarterdeck("alerts", "--json").stdout)["silences"] == []
    for words, said in (
        (("silence", "vllm-a"), "--for"),
        (("silence", "vllm-a", "--for", "soon"), "is no time"),
        (("silence", "nothing-like-it", "--for", "2h"), "nothing-like-it"),
        (("unsilence", "vllm-a"), "is not silenced"),
    ):
        ended = quarterdeck("alerts", *words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert said in ended.stderr


def test_nothing_is_open(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(ENDPOINT)
    ended = quarterdeck("alerts")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.startswith("no alert is open")


def test_alerts_that_are_switched_off(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(ENDPOINT + "[alerts]\nenabled = false\n")
    ended = quarterdeck("alerts")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "switched off" in ended.stderr


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        told: list[bytes] = self.server.told  # type: ignore[attr-defined]
        told.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200 if self.path == "/good" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class' name)
        """Quiet."""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """URL of a webhook, and what it was told."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hook)
    server.daemon_threads = True
    told: list[bytes] = []
    server.told = told  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", told
    server.shutdown()
    server.server_close()


def test_trying_the_sinks(quarterdeck: Quarterdeck, tmp_path: Path, hook: tuple[str, list[bytes]]) -> None:
    url, told = hook
    (tmp_path / "fleet.toml").write_text(
        f'[[sink]]\nname = "good"\nwebhook = "{url}/good"\n[[sink]]\nname = "bad"\nwebhook = "{url}/bad"\n'
        '[[sink]]\nname = "none"\ncommand = ["/no/such/page"]\n'
    )
    ended = quarterdeck("alerts", "test")
    assert (ended.returncode, ended.stderr) == (1, "")
    good, bad, none = ended.stdout.splitlines()
    assert good.startswith("good  delivered in ")
    assert bad.startswith("bad   not delivered: 500")
    assert none == "none  not delivered: /no/such/page: No such file or directory"
    sent = json.loads(told[0])
    assert (sent["test"], sent["alert"]["rule"]) == (True, "test")
    ended = quarterdeck("alerts", "test", "good", "--json")
    assert ended.returncode == 0
    (row,) = json.loads(ended.stdout)
    assert (row["sink"], row["delivered"], row["reason"]) == ("good", True, None)
    ended = quarterdeck("alerts", "test", "other")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "There are good, bad, none." in ended.stderr


def test_no_sink_at_all(quarterdeck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(ENDPOINT)
    ended = quarterdeck("alerts", "test")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "there is no [[sink]]" in ended.stderr
