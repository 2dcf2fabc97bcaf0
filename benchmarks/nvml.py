#!/usr/bin/env python3
"""What a reading of eight GPUs costs beside the bare pynvml calls it makes, on the simulated driver of the tests.

    python benchmarks/nvml.py [ROUNDS]

A simulated driver answers in about a microsecond, so this is the worst case: the longer a real one takes for the same calls, the
smaller our share. The library is found when a process starts, hence a process of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ratios import HEADING, in_turn

TESTS = Path(__file__).parent.parent / "tests"
GPUS = 8
READINGS = 300
BUDGET = 1.5
_INSIDE = "QUARTERDECK_NVML_BENCH"


def often(nv: Any, handles: list[Any]) -> None:
    """The calls of every reading."""
    for handle in handles:
        nv.nvmlDeviceGetUtilizationRates(handle)
        nv.nvmlDeviceGetMemoryInfo(handle, version=nv.nvmlMemory_v2)
        nv.nvmlDeviceGetComputeRunningProcesses_v3(handle)
        nv.nvmlDeviceGetGraphicsRunningProcesses_v3(handle)
        nv.nvmlDeviceGetPowerUsage(handle)
        nv.nvmlDeviceGetTemperatureV(handle, nv.NVML_TEMPERATURE_GPU)
        nv.nvmlDeviceGetFieldValues(handle, [nv.NVML_FI_DEV_MEMORY_TEMP])
        nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_SM)
        nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_MEM)
        nv.nvmlDeviceGetCurrentClocksEventReasons(handle)


def rarely(nv: Any, handles: list[Any]) -> None:
    """The calls that are made every 15 s, PCIe throughput left out."""
    for handle in handles:
        nv.nvmlDeviceGetEnforcedPowerLimit(handle)
        nv.nvmlDeviceGetTemperatureThreshold(handle, nv.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
        nv.nvmlDeviceGetFanSpeed(handle)
        nv.nvmlDeviceGetPerformanceState(handle)
        nv.nvmlDeviceGetEncoderUtilization(handle)
        nv.nvmlDeviceGetDecoderUtilization(handle)
        nv.nvmlDeviceGetCurrPcieLinkGeneration(handle)
        nv.nvmlDeviceGetMaxPcieLinkGeneration(handle)
        nv.nvmlDeviceGetCurrPcieLinkWidth(handle)
        nv.nvmlDeviceGetMaxPcieLinkWidth(handle)
        (links,) = nv.nvmlDeviceGetFieldValues(handle, [nv.NVML_FI_DEV_NVLINK_LINK_COUNT])
        count = links.value.uiVal
        for link in range(count):
            nv.nvmlDeviceGetNvLinkState(handle, link)
        nv.nvmlDeviceGetFieldValues(handle, [(kind, link) for link in range(count) for kind in (161, 162, 163)])
        nv.nvmlDeviceGetTotalEccErrors(handle, 0, 0)
        nv.nvmlDeviceGetTotalEccErrors(handle, 1, 0)
        nv.nvmlDeviceGetRemappedRows(handle)
        nv.nvmlDeviceGetMigMode(handle)


def main() -> int:
    """Print the table; 1 where a budget is broken."""
    import pynvml as nv

    from quarterdeck.hosts.nvml.session import NvmlSession

    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    session = NvmlSession(time.monotonic)
    if session.read().reason or len(session.read().gpus) != GPUS:
        print("the simulated driver does not answer as it should", file=sys.stderr)
        return 2
    handles = [nv.nvmlDeviceGetHandleByIndex(index) for index in range(GPUS)]
    readers = list(session._readers.values())  # noqa: SLF001

    def all_slow() -> None:
        for reader in readers:
            reader.slow.refresh(0.0)

    rows = (
        (
            f"{READINGS} readings of {GPUS} GPUs",
            _timed(session.read),
            _timed(lambda: often(nv, handles)),
        ),
        (
            f"{READINGS} × what is asked for every 15 s",
            _timed(all_slow),
            _timed(lambda: rarely(nv, handles)),
        ),
    )
    print(HEADING)
    broken = False
    for what, ours, floor in rows:
        ratio = in_turn(ours, floor, rounds)
        broken = broken or ratio.median > BUDGET
        print(ratio.row(what, BUDGET))
    return int(broken)


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        for _ in range(READINGS):
            work()
        return time.perf_counter() - started

    return run


def outside() -> int:
    """Build the driver and run this file on it."""
    import subprocess

    sys.path.insert(0, str(TESTS))
    from simulated_gpus import build, can_build

    if not can_build():
        print("needs Linux, cc and make", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        found = {
            "LD_LIBRARY_PATH": folder,
            "FAKE_NVML_GPUS": str(GPUS),
            "FAKE_NVML_PROCS": "*:4242:20000",
            _INSIDE: "1",
        }
        return subprocess.run([sys.executable, *sys.argv], env={**os.environ, **found}, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main() if _INSIDE in os.environ else outside())
