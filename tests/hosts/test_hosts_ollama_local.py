"""An Ollama from its own machine: which process it is, who its runners are, how many are connected."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from fake_ollama import FakeOllama, fake_ollama
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.hosts.ollama import local as ollama_local
from quarterdeck.hosts.ollama import processes as ollama_local_processes
from quarterdeck.hosts.ollama import sockets as ollama_local_sockets
from quarterdeck.hosts.ollama import sources as ollama_local_sources
from quarterdeck.hosts.ollama.local import OllamaLocal, open_local
from quarterdeck.hosts.ollama.processes import Told, named, told_by, unit_of
from quarterdeck.hosts.ollama.sockets import (
    ESTABLISHED,
    LISTEN,
    KernelSockets,
    PsutilSockets,
    Row,
    rows,
    sockets_of_this_machine,
)
from quarterdeck.model.ollama import Connections

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="socket diagnosis is Linux's")
BOTH = [pytest.param(KernelSockets, marks=linux), lambda: PsutilSockets(lambda: psutil)]


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def local_of(port: int | None, clock: Time | None = None, **how: Any) -> OllamaLocal:
    return OllamaLocal(port, "none", clock or Time(), time.time, **how)


@pytest.fixture
def ollama(tmp_path: Path) -> Iterator[FakeOllama]:
    with fake_ollama(tmp_path / "o") as running:
        yield running


@contextlib.contextmanager
def listening(family: int = socket.AF_INET) -> Iterator[socket.socket]:
    host = "::" if family == socket.AF_INET6 else "127.0.0.1"
    dual = family == socket.AF_INET6
    with socket.create_server((host, 0), family=family, dualstack_ipv6=dual) as server:
        yield server


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("make", BOTH)
def test_connections_are_counted_without_our_own(make: Any, family: int) -> None:
    sockets, me = make(), psutil.Process()
    with listening(family) as server, contextlib.ExitStack() as open_ones:
        port = server.getsockname()[1]
        assert sockets.listener(port, [me]) is me
        assert sockets.established(port, me) == 0
        for _ in range(2):
            open_ones.enter_context(socket.create_connection(("127.0.0.1", port)))
            open_ones.enter_context(server.accept()[0])
        assert sockets.established(port, me) == 0  # both ends are ours
        code = f"import socket,sys; c = socket.create_connection(('127.0.0.1', {port})); print(flush=True); sys.stdin.read()"
        command = [sys.executable, "-IS", "-c", code]
        for count in (1, 2):
            other = open_ones.enter_context(subprocess.Popen(command, stdin=-1, stdout=-1))
            open_ones.callback(other.kill)
            assert other.stdout is not None
            other.stdout.readline()
            open_ones.enter_context(server.accept()[0])
            assert sockets.established(port, me) == count
    assert sockets.listener(port, [me]) is None


@linux
def test_the_kernels_rows_are_those_of_proc_net_tcp() -> None:
    with listening() as server, socket.create_connection(server.getsockname()[:2]) as client:
        port = server.getsockname()[1]
        (row,) = rows(LISTEN, local_port=port)
        assert row == Row((b"\x7f\0\0\1", port), (b"\0\0\0\0", 0), os.geteuid(), os.fstat(server.fileno()).st_ino)
        (row,) = rows(ESTABLISHED, remote_port=port)
        assert (row.local[1], row.inode) == (client.getsockname()[1], os.fstat(client.fileno()).st_ino)
        table = Path("/proc/self/net/tcp").read_text()
        assert f" {row.inode} " in table
    assert list(rows(LISTEN, local_port=port)) == []


@linux
def test_another_listener_is_another_key() -> None:
    sockets = KernelSockets()
    with listening() as server:
        port = server.getsockname()[1]
        first = sockets.key(port)
        assert sockets.key(port) == first
    assert sockets.key(port) == frozenset()
    with socket.create_server(("127.0.0.1", port)):
        assert sockets.key(port) not in (first, frozenset())


@linux
def test_whose_files_may_not_be_read_is_told_by_user_and_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(pid: object) -> set[int]:
        raise PermissionError(pid)

    monkeypatch.setattr(ollama_local_sockets, "_inodes", refused)
    me, sockets = psutil.Process(), KernelSockets()
    stranger = SimpleNamespace(pid=os.getpid(), uids=lambda: SimpleNamespace(effective=os.geteuid() + 1))
    with listening() as server:
        port = server.getsockname()[1]
        assert sockets.listener(port, [stranger, me]) is me
        assert sockets.listener(port, [stranger]) is None
        assert sockets.listener(port, [me, psutil.Process()]) is None  # either could be it
        monkeypatch.setattr(ollama_local_sockets, "_sees", lambda *_: False)
        assert sockets.listener(port, [me]) is None  # in a container


def test_without_socket_diagnosis_psutil_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Iterator[Row]:
        raise OSError(93, "Protocol not supported")
        yield

    monkeypatch.setattr(ollama_local_sockets, "rows", broken)
    assert isinstance(sockets_of_this_machine(lambda: psutil), PsutilSockets)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("llama-server --model /m/blobs/sha256-1 --host 127.0.0.1 --port 41234 -c 8192 -np 2", Told(41234, "/m/blobs/sha256-1", 4096)),
        ("ollama runner --ollama-engine --model /m/blobs/sha256-1 --port 41234", Told(41234, "/m/blobs/sha256-1")),
        ("llama-server --port=1 --ctx-size=100 -m x --sleep-idle-seconds 5", Told(1, "x", 100, sleeps=True)),
        ("llama-server --port 65536", None),
        ("llama-server --port", None),
        ("llama-server --port -1", None),
        ("llama-server --port 4²", None),
        ("llama-server -c 1 -np 0 --port 7", Told(7, "", 1)),
        ("nvidia-smi", None),
        ("", None),
    ],
)  # fmt: skip
def test_command_lines(line: str, told: Told | None) -> None:
    assert told_by(line.split()) == told


def test_a_model_by_its_file(ollama: FakeOllama) -> None:
    ollama.manifest("tiny:7b", "a" * 64)
    ollama.manifest("copy:latest", "a" * 64)
    file = str(ollama.blobs / ("sha256-" + "a" * 64))
    assert named(file, ("other:latest", "tiny:7b")) == "tiny:7b"
    assert named(file, ("other:latest", "copy:latest")) == "copy:latest"
    assert named(file, ("other:latest",)) is None
    assert named("tiny:7b", ("tiny:7b",)) == "tiny:7b"
    assert named("", ()) is None
    assert named("/nowhere/blobs/sha256-" + "b" * 64, ("tiny:7b",)) is None


CGROUPS = {
    "0::/system.slice/ollama.service\n": ("ollama.service", False),
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/ollama.service\n": ("ollama.service", True),
    "4:memory:/x.service\n1:name=systemd:/system.slice/ollama.service\n": ("ollama.service", False),
    "0::/user.slice/user-1000.slice/session-3.scope\n": None,
    "0::/system.slice/docker-0123.scope\n": None,
    "nonsense\n::\n": None,
    "": None,
}


@pytest.mark.parametrize("text", CGROUPS)
def test_the_unit_of_a_process(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: text)
    assert unit_of(1) == CGROUPS[text]


def test_the_unit_of_no_process() -> None:
    assert unit_of(2**22 + 1) is None


async def test_runners_come_and_go(ollama: FakeOllama) -> None:
    clock = Time()
    local = local_of(ollama.port, clock)
    sight = await local.look((), 0)
    assert (sight.runners, sight.reason) == ((), "")
    assert sight.began is not None
    first = ollama.run([])
    assert (await local.look((), 0)).runners == ()  # no model is loaded, so far as anybody knows: no hurry
    (runner,) = (await local.look(("a:latest",), 1)).runners or ()
    assert (runner.pid, runner.port, runner.context, runner.model) == (first.pid, first.port, 4096, None)
    second = ollama.run([])
    clock.now += ollama_local.CHILDREN_EVERY_S
    found = (await local.look(("a:latest",), 1)).runners or ()
    assert [one.pid for one in found] == sorted([first.pid, second.pid])
    ollama.end(first)
    assert [one.pid for one in (await local.look(("a:latest",), 1)).runners or ()] == [second.pid]


async def test_processes_are_looked_through_only_when_the_socket_is_another(
    ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, scans, plain = Time(), [], ollama_local_processes.servers

    def counted(load: Any) -> list[Any]:
        scans.append(1)
        return plain(load)

    monkeypatch.setattr(ollama_local_processes, "servers", counted)
    local = local_of(ollama.port, clock)
    for _ in range(50):
        clock.now += 2.0
        await local.look(("a:latest",), 1)
        assert (await local.connections()).count == 0
    assert len(scans) == 1
    with listening() as other:
        stranger = local_of(other.getsockname()[1], clock)
        for _ in range(30):
            clock.now += 2.0
            sight = await stranger.look((), 0)
            assert (sight.runners, sight.reason) == (None, ollama_local.STRANGER)
            assert await stranger.connections() == Connections(None, ollama_local.STRANGER)
        assert len(scans) == 3


async def test_without_an_ollama_psutil_is_not_imported(ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise AssertionError("imported")

    plain = ollama_local_processes._name_of
    mine = ollama.process.pid
    with listening() as other:
        local = local_of(other.getsockname()[1])
        monkeypatch.setattr(local, "_module", refused)
        monkeypatch.setattr(
            ollama_local_processes, "_name_of", lambda pid: b"" if b"ollama" in plain(pid) else plain(pid)
        )
        assert (await local.look((), 0)).reason == ollama_local.STRANGER
        monkeypatch.setattr(ollama_local_processes, "_name_of", lambda pid: plain(pid) if pid == mine else b"")
        assert [process.pid for process in ollama_local_processes.servers(lambda: psutil)] == [mine]
        monkeypatch.setattr(ollama_local_processes, "_called_ollama", lambda: None)
        assert mine in [process.pid for process in ollama_local_processes.servers(lambda: psutil)]


async def test_this_machine_tells_nothing_of_a_server_elsewhere() -> None:
    local = local_of(None)
    assert (await local.look((), 0)).reason == ollama_local.ELSEWHERE
    assert (await local.connections()).reason == ollama_local.ELSEWHERE


class Denied:
    """A machine that shows nothing."""

    def key(self, port: int) -> None:
        return None

    def listener(self, port: int, among: object) -> object:
        raise psutil.AccessDenied(1)

    def established(self, port: int, process: object) -> int:
        raise psutil.AccessDenied(1)


async def test_what_may_not_be_seen_is_a_reason() -> None:
    local = local_of(11434, sockets=Denied())
    sight = await local.look((), 0)
    assert sight.runners is None
    assert "may not see its processes" in sight.reason
    assert (await local.connections()).reason == sight.reason


@pytest.mark.parametrize(
    ("error", "words"),
    [(ZeroDivisionError("x"), "can't be read (ZeroDivisionError)"), (ImportError("x"), "psutil is missing")],
)
async def test_any_error_is_a_reason(error: Exception, words: str) -> None:
    class Broken(Denied):
        def listener(self, port: int, among: object) -> object:
            raise error

    assert words in (await local_of(11434, sockets=Broken()).look((), 0)).reason


async def test_a_look_that_hangs_is_not_joined_by_others() -> None:
    end, looks = threading.Event(), []

    class Hung(Denied):
        def key(self, port: int) -> None:
            looks.append(1)
            end.wait(60)

    local = local_of(11434, sockets=Hung())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(local.look((), 0), 0.05)
    for _ in range(5):
        assert (await local.look((), 0)).reason == ollama_local.BUSY
        assert (await local.connections()).reason == ollama_local.BUSY
    end.set()
    assert len(looks) == 1
    assert local._under_way is not None
    await local._under_way
    assert (await local.look((), 0)).reason != ollama_local.BUSY


@pytest.mark.parametrize(
    ("spec", "port"),
    [
        (EndpointSpec("a", "http://127.0.0.1:11434"), 11434),
        (EndpointSpec("a", "http://localhost"), 80),
        (EndpointSpec("a", "https://[::1]"), 443),
        (EndpointSpec("a", "http://gpu-1:11434"), "nothing"),
        (EndpointSpec("a", "http://127.0.0.1:11434", proxy="http://gateway:3128"), "nothing"),
        (EndpointSpec("a", "http://gpu-1:11434", access_log="/mnt/gpu-1/ollama.log"), None),
    ],
)
def test_for_whom_this_machine_is_asked(spec: EndpointSpec, port: object) -> None:
    local = open_local(spec, time.monotonic, time.time)
    assert (local._port if local is not None else "nothing") == port


async def test_the_log_of_the_unit_it_runs_in_is_the_default(
    ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ollama_local_processes, "unit_of", lambda _: ("ollama.service", False))
    monkeypatch.setattr(ollama_local, "has_journal", lambda: True)
    monkeypatch.setattr(ollama_local_sources.Journal, "_look", lambda _: None)
    local = OllamaLocal(ollama.port, None, time.monotonic, time.time)
    assert (await local.look((), 0)).log_reason == "the journal is being read"
    assert (await local_of(ollama.port).look((), 0)).log_reason == ollama_local.NO_LOG
    monkeypatch.setattr(ollama_local_processes, "unit_of", lambda _: None)
    local = OllamaLocal(ollama.port, None, time.monotonic, time.time)
    assert (await local.look((), 0)).log_reason == ollama_local.NO_LOG


async def test_a_named_log_is_read_wherever_the_server_is(tmp_path: Path) -> None:
    local = OllamaLocal(None, str(tmp_path / "gone.log"), time.monotonic, time.time)
    assert "no such file" in (await local.look((), 0)).log_reason
    local = OllamaLocal(None, "journal:ollama", time.monotonic, time.time)
    assert local._log is not None
    assert local._log._option == "--unit=ollama"  # type: ignore[attr-defined]
