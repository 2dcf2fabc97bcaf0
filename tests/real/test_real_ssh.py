"""A real OpenSSH server on loopback: readings, tunnels, and everything that keeps one out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import fake_nvidia_smi
from fake_servers import Asked, Reply, free_port, pages_server
from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import State
from quarterdeck.model.host import HostView

from .install_debian import install_debian, not_now, program, required
from .sshd import Sshd
from .waiting import wait_until

POLL_S = 1.0


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server whose only client is this test; its PATH leads to a fake nvidia-smi first."""
    if program("sshd") is None and required():
        install_debian()
    found = program("sshd")
    if found is None:
        not_now("Debian's openssh-server is not installed")
    tools = fake_nvidia_smi.install(tmp_path / "remote").parent
    server = Sshd(tmp_path, found)
    server.prepare(f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    server.start()
    yield server
    server.stop()


def engine_of(*hosts: HostSpec, endpoints: tuple[EndpointSpec, ...] = ()) -> Engine:
    return Engine(FleetConfig(endpoints=endpoints, hosts=hosts, console=ConsoleSettings(poll=POLL_S)))


def host_of(engine: Engine, name: str = "gpu-1") -> HostView:
    return next(host for host in engine.snapshot().hosts if host.name == name)


async def until(what: str, condition: Callable[[], bool], within: float = 20.0) -> None:
    await wait_until(what, condition, within=within)


def our_children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "ssh" in child.name()]


async def test_values_appear_and_nothing_is_left_behind(sshd: Sshd) -> None:
    before = {process.pid for process in our_children()}
    engine = engine_of(HostSpec("gpu-1", gpus="ssh", ssh="box", timeout=5))
    await engine.start()
    await until("everything is known", lambda: host_of(engine).cuda is not None and host_of(engine).cpu is not None)
    host = host_of(engine)
    assert (host.source, host.reason, host.driver, host.cuda) == ("ssh", "", "570.133.20", "12.8")
    assert host.memory_total_bytes == psutil.virtual_memory().total
    assert host.disk_total_bytes is not None
    first, second = host.gpus
    assert (first.utilization, first.memory_used_bytes, first.power_w, first.throttle) == (
        0.4,
        70000 * 2**20,
        312.5,
        ("power cap",),
    )
    assert (first.slowdown_c, second.index, second.utilization) == (89.0, 1, 0.41)
    assert len(sshd.sessions()) == 1
    await engine.stop()
    await until("the connection is closed on both sides", lambda: not sshd.sessions())
    assert {process.pid for process in our_children()} <= before


async def test_a_dropped_connection_greys_the_values_and_comes_back(sshd: Sshd) -> None:
    engine = engine_of(HostSpec("gpu-1", gpus="ssh", ssh="box"))
    await engine.start()
    await until("values", lambda: len(host_of(engine).gpus) == 2)
    sshd.stop()
    await until("the loss is said", lambda: host_of(engine).reason != "", within=3 * POLL_S)
    lost = host_of(engine)
    assert lost.reason.startswith("ssh box: ")
    assert len(lost.gpus) == 2
    assert lost.at is not None
    await until("the values grow old", lambda: engine.snapshot().at - (lost.at or 0) > 3 * POLL_S)
    assert host_of(engine).at == lost.at
    assert "Connection refused" in host_of(engine).reason
    sshd.start()
    await until("it is back", lambda: host_of(engine).reason == "" and (host_of(engine).at or 0) > (lost.at or 0), 40)
    sshd.drop()
    await until("it is back by itself", lambda: (host_of(engine).at or 0) > engine.snapshot().at - 0.5, 20)
    await engine.stop()


@pytest.mark.parametrize(
    ("destination", "words"),
    [
        ("nokey", "Permission denied (publickey)"),
        ("wrongkey", "has changed and you have requested strict checking"),
        ("unknown", "Host key verification failed (connect once by hand: ssh unknown)"),
    ],
)
async def test_what_keeps_us_out_is_said_in_sshs_words(sshd: Sshd, destination: str, words: str) -> None:
    engine = engine_of(HostSpec("gpu-1", gpus="ssh", ssh=destination, timeout=10))
    await engine.once()
    host = host_of(engine)
    await engine.stop()
    assert words in host.reason
    assert host.reason.startswith(f"ssh {destination}: ")
    assert (host.gpus, host.cpu, host.at) == ((), None, None)


async def test_an_endpoint_on_the_remote_loopback_is_reached_through_a_tunnel(sshd: Sshd) -> None:
    hosts: list[str] = []

    def answer(asked: Asked) -> Reply | None:
        hosts.append(asked.headers.get("host", ""))
        return Reply({"version": "0.32.15"} if asked.path == "/api/version" else {"models": []})

    async with pages_server(answer) as server:
        url = server.url
        specs = (
            EndpointSpec("a", url, engine="ollama", via="ssh:box", timeout=10),
            EndpointSpec("b", url, engine="ollama", via="ssh:box", timeout=10),
            EndpointSpec("gone", f"http://127.0.0.1:{free_port()}", engine="ollama", via="ssh:box", timeout=10),
            EndpointSpec("locked", url, engine="ollama", via="ssh:nokey", timeout=10),
        )
        engine = engine_of(HostSpec("gpu-1", gpus="ssh", ssh="box", timeout=10), endpoints=specs)
        await engine.start()
        await until("all have answered", lambda: all(view.state for view in engine.snapshot().endpoints))
        a, b, gone, locked = engine.snapshot().endpoints
        assert (a.state, a.version, b.state) == (State.OK, "0.32.15", State.OK)
        assert set(hosts) == {url.removeprefix("http://")}
        assert (gone.state, gone.reason) == (State.DOWN, "connection refused on box (through ssh)")
        assert locked.state is State.DOWN
        assert "Permission denied (publickey)" in locked.reason
        assert len(sshd.sessions()) == 1, "one connection carries the readings and every tunnel"
        answered = a.answered
        sshd.drop()
        await until(
            "the tunnel is open again", lambda: (engine.snapshot().endpoints[0].answered or 0) > (answered or 0) + 2
        )
        assert engine.snapshot().endpoints[0].state is State.OK
        await engine.stop()
    await until("nothing is left", lambda: not sshd.sessions())
