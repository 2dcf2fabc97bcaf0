"""Starting and stopping a real vLLM, from a deployment and from `quarterdeck launch`: it serves, ends wholly, and fails in words."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import psutil
import pytest

from quarterdeck.config.load import load
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.hosts.drivers.base import Running
from quarterdeck.hosts.drivers.family import wait_until
from quarterdeck.hosts.drivers.process import ProcessDriver
from quarterdeck.hosts.drivers.record import read_record

from .install import MODELS
from .servers import HOST, Reaper, Server, free_port, vllm

PHASES = ("starting the engine", "loading weights")
MODEL = "tiny-llama"


class Ran(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


class Desk:
    """Quarterdeck's command line in a state folder of its own, and the server that it is to start."""

    def __init__(self, folder: Path, reaper: Reaper, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server: Server = vllm("launched", MODEL, folder, reaper, context=1024)
        self.folder, self.reaper = folder, reaper
        self.file = folder / "fleet.toml"
        for name, value in (self.server.environment | {"XDG_STATE_HOME": str(folder / "state")}).items():
            monkeypatch.setenv(name, value)

    def run(self, *words: str) -> Ran:
        """To its end."""
        command = [sys.executable, "-m", "quarterdeck", "--fleet", str(self.file), *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    def write(self, *more: str) -> None:
        """A fleet file with the server as a deployment."""
        self.file.write_text(
            f'[[endpoint]]\nname = "a"\nurl = "{self.server.url}"\nengine = "vllm"\n\n'
            f'[[deployment]]\nname = "server of a"\nendpoint = "a"\nstop_within = "5s"\n'
            f"run = {json.dumps([*self.server.command, *more])}\n"
        )

    def launch(self, *words: str, extra: tuple[str, ...] = ()) -> Ran:
        """The same server from the command line."""
        program, _, model, *rest = self.server.command
        rest = [word for at, word in enumerate(rest) if "--host" not in rest[max(0, at - 1) : at + 1]]
        rest = [word for at, word in enumerate(rest) if "--port" not in rest[max(0, at - 1) : at + 1]]
        own = ("--program", program, "--port", str(self.server.port))
        return self.run("launch", model, *own, *words, "--", *rest, *extra)

    def driver(self, name: str) -> ProcessDriver:
        """What started it."""
        return ProcessDriver(DeploymentSpec(name, name), self.folder / "state" / "quarterdeck")

    def members(self, name: str) -> list[psutil.Process]:
        """Every process of its session; ended whatever comes when the tests end."""
        record = read_record(self.driver(name).record_path)
        assert record is not None
        self.reaper.watch(record.pgid)
        return [each for each in psutil.process_iter() if _session(each) == record.pgid]

    def chats(self) -> bool:
        """Whether it answers."""
        question = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
        answer = httpx.post(f"{self.server.url}/v1/chat/completions", json=question, timeout=60, trust_env=False)
        return bool(answer.json()["choices"][0]["message"]["content"])

    def jobs(self) -> list[dict[str, Any]]:
        """The records, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.run("jobs", "--all", "--json").out)
        return found


def _session(process: psutil.Process) -> int | None:
    try:
        return None if process.status() == psutil.STATUS_ZOMBIE else os.getsid(process.pid)
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess):
        return None


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


@pytest.fixture
def desk(
    need: Callable[[str], None], tmp_path: Path, reaper: Reaper, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    need("vllm")
    desk = Desk(tmp_path, reaper, monkeypatch)
    yield desk
    for path in (tmp_path / "state" / "quarterdeck" / "deployments").glob("*.json"):
        record = read_record(path)
        if record is not None:
            reaper.watch(record.pgid)


def is_gone(desk: Desk, members: list[psutil.Process]) -> bool:
    """No process of it is left, and nobody listens."""
    return not any(each.is_running() and _session(each) is not None for each in members) and is_free(desk.server.port)


def test_from_a_deployment(desk: Desk) -> None:
    desk.write()
    started = desk.run("start", "server of a")
    assert started.code == 0, started
    assert all(phase in started.err for phase in PHASES), started.err
    members = desk.members("server of a")
    assert len(members) > 1
    assert desk.chats()
    stopped = desk.run("stop", "server of a", "--yes")
    assert stopped.code == 0, stopped
    assert is_gone(desk, members)
    assert desk.driver("server of a").status().running is Running.STOPPED


@pytest.mark.parametrize("save", [True, False])
def test_from_the_launch_command(desk: Desk, save: bool) -> None:
    desk.file.write_text("# mine\n")
    started = desk.launch("--name", "mine", *([] if save else ["--no-save"]))
    assert started.code == 0, started
    assert all(phase in started.err for phase in PHASES), started.err
    members = desk.members("mine")
    assert desk.chats()
    if save:
        assert desk.file.read_text().startswith("# mine\n")
        assert load(desk.file).config.deployments[0].run[2] == str(MODELS / MODEL)
    else:
        assert desk.file.read_text() == "# mine\n"
        desk.file = desk.folder / "state" / "quarterdeck" / "launched" / "mine.toml"
    assert f"quarterdeck --fleet {desk.file} stop mine stops it" in started.err
    again = desk.run("launch", str(MODELS / MODEL), "--name", "mine", "--port", str(free_port()))
    assert again.code == 2
    assert "there is a deployment mine already" in again.err
    assert desk.run("stop", "mine", "--yes").code == 0
    assert is_gone(desk, members)


def test_killed_hard_its_survivors_are_named_and_cleaned(desk: Desk) -> None:
    desk.write()
    assert desk.run("start", "server of a").code == 0
    members = desk.members("server of a")
    server = desk.driver("server of a")
    first = server.status().pid
    assert first is not None
    for each in members:
        if each.pid != first:
            each.suspend()  # left to itself its engine would notice, and end
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: server.status().running is Running.FAILED, 10)
    words = server.status().words
    assert words.startswith("its first process is gone (killed by SIGKILL); ")
    assert "EngineCore" in words
    assert words.endswith("stop ends them")
    refused = desk.run("start", "server of a")
    assert refused.code == 1
    assert "left from the start before: stop it first" in refused.err
    assert desk.run("stop", "server of a", "--yes").code == 0
    assert is_gone(desk, members)
    assert server.status().running is Running.STOPPED


def test_a_taken_port_fails_in_words(desk: Desk) -> None:
    desk.write()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, desk.server.port))
        taken.listen()
        started = desk.run("start", "server of a")
    assert started.code == 1
    assert f"port {desk.server.port} is taken: something answers there" in started.err
    assert read_record(desk.driver("server of a").record_path) is None, "it was not even begun"


def test_a_port_that_is_taken_meanwhile_fails_in_words(desk: Desk) -> None:
    """Nobody answers there yet, but it can't be bound: the server finds out by itself."""
    desk.write()
    with socket.socket() as taken:
        taken.bind((HOST, desk.server.port))
        started = desk.run("start", "server of a")
    assert started.code == 1
    assert f"port {desk.server.port} is already in use" in started.err
    assert told_late(desk) < 2.0


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--max-model-len", "999999"), "max_model_len"),
        (("--max-model-len", "2048", "--max-num-batched-tokens", "2048", "--kv-cache-memory-bytes", "64K"), "KV cache"),
    ],
)
def test_what_can_not_fit_fails_in_words(desk: Desk, extra: tuple[str, ...], words: str) -> None:
    desk.file.write_text("")
    started = desk.launch("--name", "big", "--yes", extra=extra)
    assert started.code == 1, started
    assert words in desk.jobs()[0]["words"], (desk.jobs(), desk.driver("big").log_path.read_text()[-3000:])
    assert told_late(desk, "big") < 2.0
    assert is_free(desk.server.port)


def told_late(desk: Desk, name: str = "server of a") -> float:
    """Seconds from the server's end to that of the job."""
    record = read_record(desk.driver(name).record_path)
    assert record is not None
    assert record.ended is not None
    [job] = (desk.folder / "state" / "quarterdeck" / "jobs").glob("*/job.json")
    return float(json.loads(job.read_text())["ended"]) - record.ended


def test_the_console_is_not_needed(desk: Desk) -> None:
    """Begun with --detach it goes on by itself, and can be cancelled before it serves: then nothing is left."""
    desk.file.write_text("")
    began = desk.launch("--name", "cut", "--detach", "--json")
    assert began.code == 0, began
    told = json.loads(began.out)
    path = desk.driver("cut").record_path
    assert wait_until(path.exists, 20)
    members = desk.members("cut")
    cancelled = desk.run("jobs", "cancel", told["job"]["id"])
    assert cancelled.code == 0, cancelled
    assert wait_until(lambda: desk.jobs()[0]["state"] == "cancelled", 30)
    assert is_gone(desk, members)
