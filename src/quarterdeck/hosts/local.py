"""This machine: GPUs by NVML with who holds their memory, processor and memory by psutil, the disk of the models."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.disk import Disk
from quarterdeck.hosts.nvml.thread import NvmlThread
from quarterdeck.hosts.processes import Processes
from quarterdeck.hosts.system import System
from quarterdeck.model.gpu import GpuView

_DRIVERS_SHARE = 0.8
"""The part of the deadline that the driver and the disk may use up, side by side …"""
_PROCESSES_SHARE = 0.15
"""… and the part for looking up who the processes on the GPUs are."""


class LocalHost:
    """Reads the machine this program runs on."""

    def __init__(
        self,
        spec: HostSpec,
        monotonic: Callable[[], float],
        nvml: NvmlThread,
        system: System | None = None,
        *,
        processes: Processes | None = None,
        disk: Disk | None = None,
    ) -> None:
        """Reads nothing yet."""
        self._spec = spec
        self._monotonic = monotonic
        self._nvml = nvml
        self._system = system or System()
        self._processes = processes or Processes(monotonic)
        self._disk = disk or Disk(monotonic)

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._spec

    async def read(self) -> HostReading:
        """Read everything once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        machine = self._system.read()
        within = self._spec.timeout * _DRIVERS_SHARE
        table, disk = await asyncio.gather(self._nvml.read(within), self._disk.read(within))
        gpus = await self._processes.describe(table.gpus, self._spec.timeout * _PROCESSES_SHARE)
        return HostReading(
            self._monotonic(),
            "nvml" if gpus else "local",
            cpu=machine.cpu,
            memory_used_bytes=machine.memory_used_bytes,
            memory_total_bytes=machine.memory_total_bytes,
            gpus=tuple(with_shared_memory(gpu, machine.memory_total_bytes) for gpu in gpus),
            reason="; ".join(words for words in (table.reason, *machine.problems) if words),
            driver=table.driver,
            cuda=table.cuda,
            disk_used_bytes=disk.used_bytes,
            disk_total_bytes=disk.total_bytes,
            notes=(disk.problem,) if disk.problem else (),
        )

    async def close(self) -> None:
        """Let go of NVML; a hung driver is left behind."""
        self._nvml.close()


def with_shared_memory(gpu: GpuView, total: int | None) -> GpuView:
    """``gpu`` with the machine's memory as its own where it has none (GB10, Jetson)."""
    if not gpu.unified or gpu.memory_total_bytes is not None:
        return gpu
    return replace(gpu, memory_total_bytes=total)
