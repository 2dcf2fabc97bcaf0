"""After a server's end its GPU memory is looked at: what is let go late is waited for, what is kept is named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import pytest

from quarterdeck.config.fleet import FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.jobs.releasing import KNOWN_WITHIN_S, WITHIN_S, Releasing, machine_of
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.drivers.base import DriverError, Kin, Running, Say, Status
from quarterdeck.model.gpu import GpuProcess, GpuView
from virtual_time import in_virtual_time

GIB = 2**30
CORE, WORKER, OTHER, DEAD = 4711, 4712, 99, 98


@dataclass
class Driver:
    """Knows two processes; ``lives`` are those of others that run."""

    lives: frozenset[int] = frozenset({OTHER})
    fails: str = ""

    def start(self, say: Say) -> None: ...

    def stop(self, grace: float, say: Say) -> str:
        return "ended"

    def status(self) -> Status:
        return Status(Running.STOPPED)

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        return ()

    def family(self) -> tuple[Kin, ...]:
        if self.fails:
            raise DriverError(self.fails)
        return Kin(CORE, "VLLM::EngineCore"), Kin(WORKER, "VLLM::Worker_TP1")

    def gone(self, pids: Collection[int], own: Collection[int]) -> frozenset[int]:
        if self.fails:
            raise DriverError(self.fails)
        assert set(own) == {CORE, WORKER}
        return frozenset(pids) - self.lives


@dataclass
class Machine:
    """Its GPUs, as they are at each moment since it was first asked."""

    gpus: Callable[[float], tuple[GpuView, ...]]
    reason: str = ""
    began: float | None = None
    asked: list[float] = field(default_factory=list)
    closed: bool = False

    @property
    def spec(self) -> HostSpec:
        return HostSpec("this machine")

    async def read(self) -> HostReading:
        now = asyncio.get_running_loop().time()
        self.began = now if self.began is None else self.began
        self.asked.append(now - self.began)
        return HostReading(now, "nvml", gpus=self.gpus(now - self.began), reason=self.reason)

    async def close(self) -> None:
        self.closed = True


def gpu(index: int, *processes: tuple[int, int | None], **known: object) -> GpuView:
    held = tuple(GpuProcess(pid, None if size is None else int(size)) for pid, size in processes)
    return GpuView(index, processes=held, **known)  # type: ignore[arg-type]


def left(machine: Machine, driver: Driver | None = None, said: list[str] | None = None) -> str:
    """What is told after the stop."""

    async def main() -> str:
        releasing = Releasing(driver or Driver(), machine, asyncio.get_running_loop().time)
        await releasing.note()
        words = await releasing.released((said if said is not None else []).append)
        await releasing.close()
        return words

    words = in_virtual_time(main)
    assert machine.closed
    return words


def test_nothing_is_said_where_nothing_is_held() -> None:
    machine = Machine(lambda _: (gpu(0, (OTHER, GIB)), gpu(1)))
    assert left(machine) == ""
    assert len(machine.asked) == 1, "and nothing was waited for"


def test_what_is_never_released_is_named_with_its_size() -> None:
    machine, said = Machine(lambda _: (gpu(0, (CORE, int(4.1 * GIB)), (OTHER, GIB)),)), []  # type: ignore[var-annotated]
    assert left(machine, said=said) == "4.1 GiB of GPU 0 is still held by pid 4711 VLLM::EngineCore"
    assert WITHIN_S <= machine.asked[-1] < WITHIN_S + 1
    assert set(said) == {"waiting for the GPU driver to let go of 4.1 GiB"}


def test_what_is_released_late_is_waited_for() -> None:
    machine = Machine(lambda at: (gpu(0, (CORE, GIB)) if at < 2 else gpu(0),))
    assert left(machine) == ""
    assert 2 <= machine.asked[-1] < 3


def test_memory_of_no_living_process_is_named() -> None:
    held = (gpu(0, (WORKER, None)), gpu(3, (DEAD, GIB), (CORE, GIB)))
    assert left(Machine(lambda _: held)).split("; ") == [
        "1.0 GiB of GPU 3 is still held by pid 4711 VLLM::EngineCore",
        "memory of GPU 0 is still held by pid 4712 VLLM::Worker_TP1",
        "1.0 GiB of GPU 3 is held by pid 98, which is no living process",
    ]


def test_a_pid_that_is_another_process_by_now_is_not_ours() -> None:
    assert left(Machine(lambda _: (gpu(0, (CORE, GIB)),)), Driver(lives=frozenset({CORE}))) == ""


def test_of_many_the_first_are_named() -> None:
    held = tuple(gpu(at, (DEAD + 1000 + at, GIB)) for at in range(8))
    told = left(Machine(lambda _: held)).split("; ")
    assert len(told) == 6
    assert told[-1] == "and 3 more"


@pytest.mark.parametrize("gone", [False, True])
def test_a_driver_that_fails_is_said_and_asked_again(gone: bool) -> None:
    words = "the NVIDIA driver has lost a GPU; reset it or reboot"
    machine = Machine(lambda at: (gpu(0),) if gone and at >= 1 else (), reason=words)
    told = f"whether its GPU memory was let go isn't known: {words}"
    assert left(machine) == ("" if gone else told)
    assert machine.asked[-1] <= KNOWN_WITHIN_S + 1


def test_whom_it_belongs_to_may_not_be_known() -> None:
    words = left(Machine(lambda _: (gpu(0, (CORE, GIB)),)), Driver(fails="ssh box: timed out"))
    assert words == "whether its GPU memory was let go isn't known: ssh box: timed out"


def test_what_can_not_be_ended_tells_what_it_holds() -> None:
    async def main() -> str:
        held = (gpu(0, (CORE, GIB), (OTHER, GIB)),)
        releasing = Releasing(Driver(lives=frozenset({CORE, OTHER})), Machine(lambda _: held), lambda: 0.0)
        await releasing.note()
        return await releasing.held()

    assert in_virtual_time(main) == "1.0 GiB of GPU 0 is held by pid 4711 VLLM::EngineCore"


def test_whose_gpus_are_asked() -> None:
    fleet = FleetConfig(hosts=(HostSpec("box", "ssh", ssh="me@box"), HostSpec("web", "http://box:9400/metrics")))
    here = machine_of(DeploymentSpec("d", "e"), fleet)
    assert here is not None
    assert here.gpus == "local"
    for host in ("box", "me@box"):
        found = machine_of(DeploymentSpec("d", "e", driver="ssh", host=host), fleet)
        assert found is not None
        assert (found.name, found.ssh) == ("box", "me@box")
    assert machine_of(DeploymentSpec("d", "e", driver="ssh", host="web"), fleet) is None
    assert machine_of(DeploymentSpec("d", "e", driver="docker", container="c"), fleet) is None
