"""GPUs of this machine that aren't NVIDIA's: AMD's (Linux) and Apple's (macOS)."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from quarterdeck.hosts import apple
from quarterdeck.hosts.amd import amd_driver, amd_gpus
from quarterdeck.hosts.child import output_of
from quarterdeck.model.gpu import GpuView

_LOOK_AGAIN_S = 60.0
"""Where there is none, none will soon be."""
_POWER_EVERY_S = 5.0
"""macmon measures over a fifth of a second, and takes as long again to start."""
_POWER_WITHIN_S = 5.0
_POWER_GOOD_FOR_S = 15.0


@dataclass(frozen=True, slots=True)
class OtherTable:
    """The GPUs at one moment. ``source``: "amdgpu" or "apple"."""

    source: str
    gpus: tuple[GpuView, ...]
    reason: str = ""
    driver: str | None = None
    memory_pressure: str | None = None


class OtherGpus:
    """Asks whatever this system has. Nothing waits for what hangs."""

    def __init__(
        self, monotonic: Callable[[], float], *, platform: str = sys.platform, sys: Path = Path("/sys")
    ) -> None:
        """``platform`` as Python calls it; ``sys``: where Linux shows its devices. Asks nothing yet."""
        self._monotonic = monotonic
        self._platform = platform
        self._sys = sys
        self._look_at = float("-inf")
        self._amd: asyncio.Future[OtherTable | None] | None = None
        self._last: OtherTable | None = None
        self._power: asyncio.Task[None] | None = None
        self._power_due = float("-inf")
        self._sample = apple.MacmonSample()
        self._sample_at = float("-inf")

    async def read(self, timeout: float) -> OtherTable | None:  # noqa: ASYNC109  (bounds the wait, not the driver)
        """The GPUs, within ``timeout`` seconds; ``None`` where this machine has none of these."""
        if self._monotonic() < self._look_at:
            return None
        table = await self._table(timeout)
        if table is None and self._amd is None:
            self._look_at = self._monotonic() + _LOOK_AGAIN_S
        return table

    async def _table(self, timeout: float) -> OtherTable | None:  # noqa: ASYNC109
        if self._platform == "darwin":
            return await self._read_apple(timeout)
        return await self._read_amd(timeout) if self._platform.startswith("linux") else None

    async def _read_amd(self, timeout: float) -> OtherTable | None:  # noqa: ASYNC109
        """In a thread: a read of /sys can hang in the driver. One is under way at any time."""
        loop = asyncio.get_running_loop()
        if self._amd is None or self._amd.get_loop() is not loop:
            self._amd = loop.run_in_executor(None, _amd_table, self._sys)
        await asyncio.wait({self._amd}, timeout=timeout)
        if not self._amd.done():
            last = self._last
            return last and replace(last, reason="the amdgpu driver does not answer")
        done, self._amd = self._amd, None
        self._last = done.result()
        return self._last

    async def _read_apple(self, timeout: float) -> OtherTable | None:  # noqa: ASYNC109
        listing, settings = await asyncio.gather(
            output_of(*apple.IOREG, timeout=timeout),
            output_of("sysctl", *apple.SYSCTL_KEYS, timeout=timeout),
        )
        found = apple.ioreg_gpu(listing[1])
        values = apple.sysctl_values(settings[1])
        pressure = apple.memory_pressure(values)
        if found is None:
            if listing[0] is not None:
                return OtherTable("apple", (), "ioreg tells of no GPU", memory_pressure=pressure)
            return self._last and replace(self._last, reason="ioreg does not answer", memory_pressure=pressure)
        installed = shutil.which(apple.MACMON[0]) is not None
        now = self._monotonic()
        if installed and now >= self._power_due and (self._power is None or self._power.done()):
            self._power_due = now + _POWER_EVERY_S
            self._power = asyncio.get_running_loop().create_task(self._measure_power())
        sample = self._sample if now - self._sample_at <= _POWER_GOOD_FOR_S else apple.MacmonSample()
        self._last = OtherTable(
            "apple", (apple.apple_gpu(found, values, sample, macmon=installed),), memory_pressure=pressure
        )
        return self._last

    async def _measure_power(self) -> None:
        status, text = await output_of(*apple.MACMON, timeout=_POWER_WITHIN_S)
        if status == 0:
            self._sample, self._sample_at = apple.macmon_sample(text), self._monotonic()

    async def close(self) -> None:
        """End what runs."""
        if self._power is not None and not self._power.done():
            self._power.cancel()
            await asyncio.wait({self._power}, timeout=0.3)


def _amd_table(sys: Path) -> OtherTable | None:
    gpus = amd_gpus(sys)
    return OtherTable("amdgpu", gpus, driver=amd_driver(sys)) if gpus else None
