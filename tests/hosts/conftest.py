"""A driver made by hand, a clock that only moves when told to, and exporters on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import fake_nvml
import simulated_gpus
from fake_nvml import FakeNvml
from quarterdeck.model.gpu import GpuView

Served = Callable[[str], bytes | None]


class HeldClock:
    """Monotonic seconds that stand still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def nvml() -> FakeNvml:
    """A healthy driver with two GPUs."""
    return FakeNvml()


@pytest.fixture(scope="session")
def healthy() -> Callable[[int], GpuView]:
    """What the fake driver says of a GPU, in our units."""
    return fake_nvml.healthy


@pytest.fixture
def page() -> Callable[[str], bytes]:
    """An exporter's page out of tests/data/hosts."""
    folder = Path(__file__).parent.parent / "data" / "hosts"
    return lambda name: (folder / f"{name}.prom").read_bytes()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Served], Awaitable[int]]]:
    """Starts a server on loopback and gives its port; ``Served`` makes a whole answer of a request's head (``None``: none)."""
    servers: list[asyncio.Server] = []

    async def start(answer: Served) -> int:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            said = answer(head.decode("latin-1"))
            if said is None:
                await reader.read()  # until the client gives up
            else:
                writer.write(said)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def simulated_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a simulated libnvidia-ml.so.1."""
    if not simulated_gpus.can_build():
        pytest.skip("needs Linux, cc and make")
    folder = tmp_path_factory.mktemp("driver")
    simulated_gpus.build(folder)
    return folder


@pytest.fixture
def simulated(simulated_driver: Path, tmp_path: Path) -> simulated_gpus.Simulated:
    """A machine with eight simulated GPUs."""
    return simulated_gpus.Simulated(simulated_driver, tmp_path / "control")
