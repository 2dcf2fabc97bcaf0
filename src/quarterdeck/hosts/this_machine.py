"""This machine, whoever made its GPUs: NVIDIA's first, and where there are none, AMD's or Apple's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import Host, HostReading
from quarterdeck.hosts.other_gpus import OtherGpus, OtherTable

NO_NVIDIA = "no NVIDIA driver on this machine"
"""What NVML's reading says of a machine that has other GPUs: nothing to worry about there."""
_NOT_LOADED = "NVIDIA driver not loaded"
"""Its library alone is there, as in many containers; that stays worth a word."""


class ThisMachine:
    """A local host, with the GPUs that NVML doesn't know."""

    def __init__(self, local: Host, others: OtherGpus, monotonic: Callable[[], float]) -> None:
        """Reads nothing yet."""
        self._local = local
        self._others = others
        self._monotonic = monotonic

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._local.spec

    async def read(self) -> HostReading:
        """Read it once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        began = self._monotonic()
        reading = await self._local.read()
        if reading.gpus or not any(words in reading.reason for words in (NO_NVIDIA, _NOT_LOADED)):
            return reading
        left = self.spec.timeout - (self._monotonic() - began)
        try:
            other = await self._others.read(max(0.0, left))
        except Exception as error:  # noqa: BLE001  (another maker's surprise must not hide the machine)
            return replace(reading, reason=f"{reading.reason}; other GPUs can't be asked for ({type(error).__name__})")
        return reading if other is None else _with(reading, other)

    async def close(self) -> None:
        """Let go of both."""
        await self._local.close()
        await self._others.close()


def _with(reading: HostReading, other: OtherTable) -> HostReading:
    words = [part for part in reading.reason.split("; ") if part != NO_NVIDIA]
    return replace(
        reading,
        source=other.source,
        gpus=other.gpus,
        reason="; ".join(part for part in (other.reason, *words) if part),
        driver=other.driver,
        memory_pressure=other.memory_pressure,
    )
