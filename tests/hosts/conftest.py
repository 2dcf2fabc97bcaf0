"""A driver made by hand, a clock that only moves when told to, and exporters on loopback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest

from quarterdeck.model.gpu import GpuProcess, GpuView

Served = Callable[[str], bytes | None]


class FakeNvml:
    """pynvml as hosts use it. ``spoil`` maps a function's name, or (name, GPU), to what it does instead of answering."""

    NVML_TEMPERATURE_GPU = 0
    nvmlMemory_v2 = 0x2000028  # noqa: N815  (NVML's name)

    def __init__(self, gpus: int = 2) -> None:
        self.gpus = gpus
        self.running = False
        self.spoil: dict[str | tuple[str, int], object] = {}
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.limit_mw = 700_000
        self.processes: dict[str, list[SimpleNamespace]] = {"Compute": [SimpleNamespace(pid=42, usedGpuMemory=2**30)]}

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name not in _ANSWERS:
            raise AttributeError(name)
        return lambda *args, version=None: self._call(name + "_v2" if version else name, args[0] if args else None)

    def _call(self, name: str, gpu: int | None) -> object:
        self.calls.append(name)
        self.threads.add(threading.get_ident())
        keys: tuple[str | tuple[str, int], ...] = (name,) if gpu is None else (name, (name, gpu), ("*", gpu))
        spoilt = next((self.spoil[key] for key in keys if key in self.spoil), None)
        if isinstance(spoilt, int) and not isinstance(spoilt, bool):
            raise pynvml.NVMLError(spoilt)
        if isinstance(spoilt, BaseException) or spoilt is AttributeError:
            raise spoilt
        if isinstance(spoilt, threading.Event):
            spoilt.wait()
            spoilt = None
        if not self.running and name != "nvmlInit":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        if spoilt is None:
            return _ANSWERS[name](self, gpu or 0)
        return spoilt() if callable(spoilt) else spoilt


def _memory(used_mib: int) -> SimpleNamespace:
    return SimpleNamespace(total=1000 * 2**20, used=used_mib * 2**20)


_ANSWERS: dict[str, Callable[[FakeNvml, int], object]] = {
    "nvmlInit": lambda fake, _: setattr(fake, "running", True),
    "nvmlShutdown": lambda fake, _: setattr(fake, "running", False),
    "nvmlDeviceGetCount": lambda fake, _: fake.gpus,
    "nvmlDeviceGetHandleByIndex": lambda _, index: index,
    "nvmlDeviceGetName": lambda _, gpu: f"NVIDIA Test {gpu}",
    "nvmlDeviceGetUUID": lambda _, gpu: f"GPU-{gpu}",
    "nvmlDeviceGetEnforcedPowerLimit": lambda fake, _: fake.limit_mw,
    "nvmlDeviceGetPowerManagementLimit": lambda _, gpu: 650_000,
    "nvmlDeviceGetUtilizationRates": lambda _, gpu: SimpleNamespace(gpu=50 + gpu, memory=7),
    "nvmlDeviceGetMemoryInfo": lambda _, gpu: _memory(350),
    "nvmlDeviceGetMemoryInfo_v2": lambda _, gpu: _memory(300 + gpu),
    "nvmlDeviceGetPowerUsage": lambda _, gpu: 312_500 + gpu,
    "nvmlDeviceGetTemperatureV": lambda _, gpu: 61 + gpu,
    "nvmlDeviceGetTemperature": lambda _, gpu: 60 + gpu,
    "nvmlDeviceGetComputeRunningProcesses_v3": lambda fake, _: fake.processes.get("Compute", []),
    "nvmlDeviceGetComputeRunningProcesses_v2": lambda _, gpu: [SimpleNamespace(pid=2, usedGpuMemory=2)],
    "nvmlDeviceGetGraphicsRunningProcesses_v3": lambda fake, _: fake.processes.get("Graphics", []),
    "nvmlDeviceGetGraphicsRunningProcesses_v2": lambda _, gpu: [SimpleNamespace(pid=3, usedGpuMemory=3)],
}


class HeldClock:
    """Monotonic seconds that stand still."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture(scope="session")
def new_nvml() -> Callable[[], FakeNvml]:
    """Makes healthy drivers with two GPUs."""
    return FakeNvml


@pytest.fixture
def nvml() -> FakeNvml:
    """A healthy driver with two GPUs."""
    return FakeNvml()


@pytest.fixture(scope="session")
def healthy() -> Callable[[int], GpuView]:
    """What the fake driver says of a GPU, in our units."""
    return lambda gpu: GpuView(
        gpu,
        f"GPU-{gpu}",
        f"NVIDIA Test {gpu}",
        utilization=(50 + gpu) / 100,
        memory_used_bytes=(300 + gpu) * 2**20,
        memory_total_bytes=1000 * 2**20,
        power_w=(312_500 + gpu) / 1000,
        power_limit_w=700.0,
        temperature_c=61.0 + gpu,
        processes=(GpuProcess(42, 2**30),),
    )


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
