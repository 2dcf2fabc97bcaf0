"""Whether a server that has ended holds GPU memory still: the driver of the GPUs is asked, once its processes are gone.

What the driver keeps for a process that has ended (vLLM's workers, killed hard) no other server gets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import printable, size
from quarterdeck.hosts.drivers.base import Driver, DriverError, Kept, Kin
from quarterdeck.hosts.holding import Holding, holdings

if TYPE_CHECKING:
    from quarterdeck.hosts.base import Host

WITHIN_S = 5.0
"""So long a driver may take to free what a process held …"""
KNOWN_WITHIN_S = 2.5
"""… and so long to answer at all."""
LOOK_EVERY_S = 0.5
_MOST_NAMED = 5
_TIMEOUT_S = {"process": 5.0, "ssh": 12.0}
"""Of one reading: where the driver isn't kept loaded, it is loaded for it; `nvidia-smi` is given up after 10 s."""


def machine_of(spec: DeploymentSpec, fleet: FleetConfig) -> HostSpec | None:
    """The machine whose GPUs are asked: this one, or one that the fleet reads by ssh; ``None`` where there is no way. Pure."""
    if spec.driver == "process":
        return HostSpec("this machine", timeout=_TIMEOUT_S["process"])
    if spec.driver != "ssh" or spec.host is None:
        return None
    found = next((each for each in fleet.hosts if each.gpus == "ssh" and spec.host in (each.name, each.ssh)), None)
    return replace(found, timeout=max(found.timeout, _TIMEOUT_S["ssh"])) if found is not None else None


class Releasing:
    """Knows the processes of a server before it is stopped, and asks for their GPU memory afterwards."""

    def __init__(self, driver: Driver, host: Host | None, monotonic: Callable[[], float]) -> None:
        """Asks nothing yet. ``host``: the machine it runs on; ``None`` = nobody can be asked."""
        self._kept = driver if isinstance(driver, Kept) and host is not None else None
        self._host = host
        self._monotonic = monotonic
        self._family: dict[int, str] = {}

    async def note(self) -> None:
        """Remember its processes, while they run."""
        if self._kept is None:
            return
        try:
            family: tuple[Kin, ...] = await asyncio.to_thread(self._kept.family)
        except DriverError:  # the stop itself will say why
            family = ()
        self._family = {each.pid: each.title for each in family}

    async def released(self, say: Callable[[str], None]) -> str:
        """Wait until nothing of it holds GPU memory, `WITHIN_S` at most; what still does then, in words, else "".

        Also what belongs to no living process at all. Where it isn't known, it says so.
        """
        if self._kept is None:
            return ""
        began = self._monotonic()
        while True:
            left = await self._left()
            within = KNOWN_WITHIN_S if isinstance(left, str) else WITHIN_S
            if not left or self._monotonic() - began >= within:
                break
            if not isinstance(left, str):
                say(f"waiting for the GPU driver to let go of {_sum(left)}")
            await asyncio.sleep(LOOK_EVERY_S)
        if isinstance(left, str):
            return f"whether its GPU memory was let go isn't known: {left}"
        return self._clauses(left, "is still held")

    async def held(self) -> str:
        """What its processes, which could not be ended, hold now, in words; "" for nothing, or unknown."""
        found = await self._asked() if self._family else ()
        return "" if isinstance(found, str) else self._clauses([e for e in found if e.pid in self._family], "is held")

    async def close(self) -> None:
        """Let go of the way to the machine."""
        if self._host is not None:
            await self._host.close()

    async def _asked(self) -> tuple[Holding, ...] | str:
        return () if self._host is None else holdings(await self._host.read())

    async def _left(self) -> Sequence[Holding] | str:
        """What no living process holds; where that isn't known, why."""
        kept, found = self._kept, await self._asked()
        if kept is None or not found or isinstance(found, str):
            return found
        pids = {each.pid for each in found}
        try:
            gone = await asyncio.to_thread(lambda: kept.gone(pids, self._family))
        except DriverError as error:
            return str(error)
        return [each for each in found if each.pid in gone]

    def _clauses(self, them: Sequence[Holding], held: str) -> str:
        """ "4.1 GiB of GPU 0 is still held by pid 4711 VLLM::EngineCore", the largest first."""
        ordered = sorted(them, key=lambda each: (each.pid not in self._family, -(each.bytes or 0), each.gpu, each.pid))
        told = [self._clause(each, held) for each in ordered[:_MOST_NAMED]]
        return "; ".join(told + ([f"and {len(them) - _MOST_NAMED} more"] if len(them) > _MOST_NAMED else []))

    def _clause(self, each: Holding, held: str) -> str:
        what = size(each.bytes) if each.bytes is not None else "memory"
        if each.pid in self._family:
            return f"{what} of GPU {each.gpu} {held} by pid {each.pid} {self._family[each.pid]}".rstrip()
        title = f" {printable(each.name, 60)}" if each.name else ""
        return f"{what} of GPU {each.gpu} is held by pid {each.pid}{title}, which is no living process"


def _sum(them: Sequence[Holding]) -> str:
    known = [each.bytes for each in them if each.bytes is not None]
    return size(sum(known)) if known else "memory"
