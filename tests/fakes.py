"""Hand-made doubles: an engine without a network, a clock that stands still."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.clock import Clock
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import (
    EMPTY_FLEET,
    ENDPOINT_SERIES,
    EndpointView,
    FleetSnapshot,
    State,
)
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.history import History
from quarterdeck.model.host import HostView
from quarterdeck.model.latency import Window
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequest

GIB = 2**30


@dataclass
class FrozenClock:
    """A clock that moves only when it is told to."""

    monotonic: float = 10_000.0
    wall: float = 1_795_370_400.0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.monotonic += seconds
        self.wall += seconds

    @property
    def clock(self) -> Clock:
        """As the program takes it."""
        return Clock(lambda: self.monotonic, lambda: self.wall)


@dataclass
class FakeEngine:
    """An engine whose snapshot is set by hand and which remembers what was asked of it."""

    newest: FleetSnapshot = EMPTY_FLEET
    fleet: FleetConfig = field(default_factory=FleetConfig)
    paused: bool = False
    interval: float = 2.0
    calls: list[tuple[str, Any]] = field(default_factory=list)
    probed: asyncio.Future[tuple[ModelReading, OwnRequest]] | None = None
    """What the timed request comes to; it goes on until the test sets it."""

    async def start(self) -> None:
        self.calls.append(("start", None))

    async def stop(self) -> None:
        self.calls.append(("stop", None))

    def snapshot(self) -> FleetSnapshot:
        return self.newest

    def add(
        self,
        endpoints: tuple[EndpointSpec, ...],
        hosts: tuple[HostSpec, ...] = (),
        deployments: tuple[DeploymentSpec, ...] = (),
    ) -> None:
        self.calls += [("add", endpoints), *([("add_deployments", deployments)] if deployments else [])]

    def refresh(self, name: str | None = None) -> None:
        self.calls.append(("refresh", name))

    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.calls.append(("pause", paused))

    def set_interval(self, seconds: float) -> None:
        self.interval = seconds
        self.calls.append(("set_interval", seconds))

    async def probe(self, name: str) -> tuple[ModelReading, OwnRequest]:
        self.calls.append(("probe", name))
        self.probed = asyncio.get_running_loop().create_future()
        return await self.probed

    def asked(self, call: str) -> list[Any]:
        """The arguments of every call of that name."""
        return [argument for name, argument in self.calls if name == call]


def endpoint_view(name: str = "vllm-a", *, now: float = 10_000.0, **known: Any) -> EndpointView:
    """An endpoint in good health, but for what is given."""
    usual: dict[str, Any] = {
        "url": f"http://127.0.0.1:8000/{name}",
        "engine": "vllm",
        "version": "0.32.0",
        "state": State.OK,
        "since": now - 180,
        "answered": now - 1,
        "latency_s": 0.012,
    }
    return EndpointView(name=name, **(usual | known))


def history(
    seconds: float,
    interval: float = 2.0,
    now: float = 10_000.0,
    **series: Callable[[float], float | None],
) -> History:
    """What was recorded up to ``now``; each series is a function of the seconds before it. The others are unknown."""
    recorded = History(ENDPOINT_SERIES)
    for place in range(int(seconds / interval), -1, -1):
        ago = place * interval
        recorded.record(now - ago, [series[name](ago) if name in series else None for name in ENDPOINT_SERIES])
    return recorded


def event(ago: float, word: str, text: str, kind: EventKind = EventKind.STATE, now: float = 10_000.0) -> Event:
    """Something that happened."""
    return Event(now - ago, kind, word, text)


def window(bounds: tuple[float, ...], counts: tuple[float, ...]) -> Window:
    """What a histogram saw: cumulative counts, the last bound is infinite."""
    return Window((*bounds, float("inf")), counts)


def model(identity: str = "qwen3-32b", state: ModelState = ModelState.LOADED, **known: Any) -> ModelReading:
    """A model."""
    return ModelReading(identity, state, **known)


def gpu(index: int, utilization: float | None = 0.5, used: float = 40.0, total: float = 80.0, **known: Any) -> GpuView:
    """A GPU; memory in GiB."""
    usual: dict[str, Any] = {
        "name": "NVIDIA H100 80GB HBM3",
        "power_w": 310.0,
        "power_limit_w": 700.0,
        "temperature_c": 54.0,
    }
    memory = {"memory_used_bytes": int(used * GIB), "memory_total_bytes": int(total * GIB)}
    return GpuView(index=index, utilization=utilization, **(usual | memory | known))


def host_view(name: str = "gpu-box-1", *gpus: GpuView, **known: Any) -> HostView:
    """A machine with 128 GiB of memory."""
    usual: dict[str, Any] = {
        "source": "nvml",
        "cpu": 0.12,
        "memory_used_bytes": int(55 * GIB),
        "memory_total_bytes": 128 * GIB,
        "at": 9_999.0,
    }
    return HostView(name=name, gpus=gpus, **(usual | known))


def snapshot(
    *endpoints: EndpointView, hosts: tuple[HostView, ...] = (), clock: FrozenClock | None = None
) -> FleetSnapshot:
    """A snapshot of this moment."""
    at = clock or FrozenClock()
    return FleetSnapshot(at=at.monotonic, time=at.wall, endpoints=endpoints, hosts=hosts)


def config(*names: str, **console: Any) -> FleetConfig:
    """A fleet file with endpoints of these names."""
    specs = tuple(EndpointSpec(name, f"http://127.0.0.1:8000/{name}") for name in names)
    return FleetConfig(endpoints=specs, console=ConsoleSettings(**console))
