"""This machine: GPUs by NVML, processor and memory by psutil."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.nvml import NvmlThread
from quarterdeck.hosts.system import System

_DRIVERS_SHARE = 0.9
"""The part of the deadline that the driver may use up; the rest is for everything else."""


class LocalHost:
    """Reads the machine this program runs on."""

    def __init__(
        self,
        spec: HostSpec,
        monotonic: Callable[[], float],
        nvml: NvmlThread,
        system: System | None = None,
    ) -> None:
        """Reads nothing yet."""
        self._spec = spec
        self._monotonic = monotonic
        self._nvml = nvml
        self._system = system or System()

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._spec

    async def read(self) -> HostReading:
        """Read everything once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        machine = self._system.read()
        table = await self._nvml.read(self._spec.timeout * _DRIVERS_SHARE)
        return HostReading(
            self._monotonic(),
            "nvml" if table.gpus else "local",
            cpu=machine.cpu,
            memory_used_bytes=machine.memory_used_bytes,
            memory_total_bytes=machine.memory_total_bytes,
            gpus=table.gpus,
            reason="; ".join(words for words in (table.reason, *machine.problems) if words),
        )

    async def close(self) -> None:
        """Let go of NVML; a hung driver is left behind."""
        self._nvml.close()
