"""Tunnels: opened at the first poll, again after a loss, shared by a machine's endpoints, and never gone around."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import fake_ssh
from fake_servers import Asked, Reply, pages_server
from quarterdeck.config.fleet import EndpointSpec, HostSpec
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.endpoints.probe import timed
from quarterdeck.engine.clock import Clock
from quarterdeck.engine.opening import Opening
from quarterdeck.hosts.ssh.host import SshHost
from quarterdeck.hosts.ssh.pool import SshPool
from quarterdeck.hosts.ssh.tunnel import Tunnel
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

URL = "http://127.0.0.1:8000"


class Way:
    """A tunnel of one endpoint over a fake ssh."""

    def __init__(self, folder: Path, clock: Any, url: str = URL) -> None:
        self.ssh = fake_ssh.install(folder / "bin", "shell")
        self.pool = SshPool(clock, str(self.ssh))
        self.tunnel = Tunnel(self.pool, "gpu-1", url, clock)

    def forwards(self) -> list[str]:
        """What was asked to be forwarded, the socket left out."""
        calls = [call for call in fake_ssh.calls(self.ssh) if "-O forward" in call]
        return [call.partition(" -L ")[2].partition(":")[2] for call in calls]


@pytest.fixture
async def way(tmp_path: Path, clock: Any) -> AsyncIterator[Way]:
    made = Way(tmp_path, clock)
    yield made
    await made.tunnel.close()


async def opened(tunnel: Tunnel) -> str:
    async with asyncio.timeout(20):
        return await tunnel.ready()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_it_is_opened_once_and_again_on_a_new_connection(way: Way, clock: Any) -> None:
    first = await opened(way.tunnel)
    assert await opened(way.tunnel) == first
    assert way.forwards() == ["127.0.0.1:8000 -- quarterdeck"]
    process = way.tunnel._connection._process
    assert process is not None
    process.hang_up()
    await until(lambda: not way.tunnel._connection.up)
    with pytest.raises(Failure, match="ssh gpu-1: ssh was ended by signal 15"):
        await opened(way.tunnel)
    clock.now += 2
    assert await opened(way.tunnel) != first
    assert len(way.forwards()) == 2


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        ("https://[::1]", "[::1]:443"),
        ("http://inside.internal", "inside.internal:80"),
    ],
)
async def test_where_it_leads(tmp_path: Path, clock: Any, url: str, target: str) -> None:
    way = Way(tmp_path, clock, url)
    await opened(way.tunnel)
    assert way.forwards() == [f"{target} -- quarterdeck"]
    await way.tunnel.close()


async def test_a_refused_forwarding_is_said(way: Way) -> None:
    fake_ssh.set_mode(way.ssh, "shell")
    await way.tunnel._connection.ready()
    fake_ssh.set_mode(way.ssh, "noforward")
    with pytest.raises(Failure) as caught:
        await opened(way.tunnel)
    assert (
        caught.value.reason
        == "ssh gpu-1: no tunnel: mux_client_forward: forwarding request failed: Port forwarding failed"
    )


async def test_an_account_without_a_shell_can_carry_tunnels(way: Way) -> None:
    fake_ssh.set_mode(way.ssh, "nologin")
    assert await opened(way.tunnel)
    assert [call.startswith("-N") for call in fake_ssh.calls(way.ssh)][:2] == [False, True]
    assert way.forwards() == ["127.0.0.1:8000 -- quarterdeck"]


async def test_readings_and_tunnels_share_a_connection(way: Way, clock: Any) -> None:
    host = SshHost(HostSpec("gpu-1", gpus="ssh", timeout=20), clock, way.pool)
    other = Tunnel(way.pool, "gpu-1", "http://127.0.0.1:9000", clock)
    assert (await host.read()).memory_total_bytes is not None
    assert await opened(way.tunnel) != await opened(other)
    await host.close()
    await other.close()
    assert await opened(way.tunnel)
    assert len([call for call in fake_ssh.calls(way.ssh) if "ControlMaster" in call]) == 1


def refused(at: float) -> str:
    return f"channel {at:.0f}: open failed: connect failed: Connection refused"


async def test_a_server_that_is_not_there_is_told_from_a_tunnel_that_is_not(way: Way, clock: Any) -> None:
    await opened(way.tunnel)
    hung_up = Failure(Outcome.FAILED, "connection closed before the answer was complete")
    assert await way.tunnel.explained(hung_up) is hung_up
    asking = asyncio.create_task(way.tunnel.explained(hung_up))
    await asyncio.sleep(0)  # ssh says so a moment after it hung up
    way.tunnel._connection._noted(refused(2))
    found = await asking
    assert (found.outcome, found.reason) == (Outcome.REFUSED, "connection refused on gpu-1 (through ssh)")
    answered = Failure(Outcome.FAILED, "500: Internal Server Error", status=500)
    assert await way.tunnel.explained(answered) is answered
    clock.now += 1
    await opened(way.tunnel)
    assert await way.tunnel.explained(hung_up) is hung_up, "that was at another poll"


class ToServer:
    """A tunnel that is there already."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False

    async def ready(self) -> str:
        return str(self.path)

    async def explained(self, failure: Failure) -> Failure:
        return failure

    async def close(self) -> None:
        self.closed = True


async def test_a_timed_request_goes_through_it_too(tmp_path: Path) -> None:
    said = b'data: {"choices":[{"delta":{"content":"one"}}]}\n\ndata: [DONE]\n\n'
    async with pages_server({"*": Reply(said, headers={"Content-Type": "text/event-stream"})}) as server:
        path = tmp_path / "socket"
        relay = await asyncio.start_unix_server(lambda r, w: _relay(r, w, server.port), path)
        tunnel = ToServer(path)
        spec = EndpointSpec("a", "http://far.internal:1", engine="vllm", via="ssh:gpu-1")
        request = await timed(spec, "vllm", ModelReading("m", ModelState.SERVED), within=20, tunnel=tunnel)
        relay.close()
        assert (request.tokens, tunnel.closed, len(server.asked)) == (1, True, 1)


async def test_an_endpoint_is_polled_through_its_socket_under_its_own_name(tmp_path: Path, clock: Any) -> None:
    """The tunnel's socket leads to a server here; nothing listens where the URL says."""

    def answer(asked: Asked) -> Reply:
        return Reply({"version": "0.32.15"} if asked.path == "/api/version" else {"models": []})

    async with pages_server(answer) as server:
        path = tmp_path / "socket"
        relay = await asyncio.start_unix_server(lambda r, w: _relay(r, w, server.port), path)
        tunnel = ToServer(path)
        spec = EndpointSpec("a", "http://far.internal:1", engine="ollama", via="ssh:gpu-1")
        endpoint = Endpoint(spec, tunnel=tunnel)
        reading = await endpoint.poll()
        await endpoint.close()
        relay.close()
        assert (reading.outcome, reading.facts and reading.facts.version) == (Outcome.ANSWERED, "0.32.15")
        assert {asked.headers["host"] for asked in server.asked} == {"far.internal:1"}
        assert tunnel.closed


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    to, into = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    await asyncio.gather(pump(reader, into), pump(to, writer), return_exceptions=True)


async def test_nothing_is_sent_to_the_url_itself() -> None:
    """127.0.0.1 means another machine there: without the tunnel, a server of this machine would get the key."""
    async with pages_server({"*": Reply({"models": []})}) as server:
        endpoint = Endpoint(EndpointSpec("a", server.url, engine="ollama", via="ssh:gpu-1"))
        reading = await endpoint.poll()
        await endpoint.close()
        assert (reading.outcome, server.asked) == (Outcome.FAILED, [])
        assert reading.reason == "reached through a tunnel only, and that isn't open"


def test_where_ssh_goes(clock: Any) -> None:
    opening = Opening()
    ours = Clock(monotonic=clock, wall=clock)
    tunnel = opening.tunnel(EndpointSpec("a", URL, via="ssh:me@10.0.0.7"), ours)
    assert tunnel is not None
    assert tunnel._connection.destination == "me@10.0.0.7"
    assert opening.tunnel(EndpointSpec("a", URL), ours) is None
