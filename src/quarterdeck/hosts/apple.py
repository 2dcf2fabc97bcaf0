"""What a Mac says of its GPU without root: the text of ``ioreg``, ``sysctl`` and ``macmon``. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from quarterdeck.format import printable
from quarterdeck.hosts.exporters.page import celsius, share, watts
from quarterdeck.model.gpu import GpuView
from quarterdeck.wire.body import items, mapping, number, parse

IOREG = ("ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator")
"""IOGPU, AGXAccelerator … are subclasses of it."""
SYSCTL_KEYS = (
    "hw.memsize",
    "machdep.cpu.brand_string",
    "iogpu.wired_limit_mb",
    "kern.memorystatus_vm_pressure_level",
)
MACMON = ("macmon", "pipe", "-s", "1", "-i", "200")
_BIG_MEMORY = 36 * 10**9
"""From this much on macOS lets the GPU have three quarters of the memory, below two thirds (seen on M1 … M4)."""
_PRESSURE = {1: "normal", 2: "warning", 4: "critical"}
_LARGEST = 2**50


@dataclass(frozen=True, slots=True)
class IoRegGpu:
    """The GPU as ioreg's PerformanceStatistics tell it."""

    name: str | None = None
    cores: int | None = None
    utilization: float | None = None
    in_use_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class MacmonSample:
    """What macmon adds."""

    gpu_w: float | None = None
    temperature_c: float | None = None
    mhz: float | None = None


def ioreg_gpu(text: str) -> IoRegGpu | None:
    """The GPU of ioreg's listing; ``None`` where it lists none."""
    if "PerformanceStatistics" not in text and "gpu-core-count" not in text:
        return None
    busy = _figure(text, "Device Utilization %")
    in_use = _figure(text, "In use system memory")
    cores = _figure(text, "gpu-core-count")
    model = re.search(r'"model"\s*=\s*<?"([^"]{1,100})"', text)
    return IoRegGpu(
        printable(model[1], 60) if model is not None else None,
        cores if cores is not None and 0 < cores < 10_000 else None,
        share(busy / 100) if busy is not None else None,
        in_use,
    )


def _figure(text: str, key: str) -> int | None:
    """A whole number behind exactly this key."""
    match = re.search(rf'"{re.escape(key)}"\s*=\s*(\d{{1,15}})(?!\d)', text)
    return int(match[1]) if match is not None else None


def sysctl_values(text: str) -> dict[str, str]:
    """Key → value of ``sysctl KEY …`` output; keys that this system doesn't know are not there."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {
        key.strip(): printable(value.strip(), 100)
        for key, colon, value in pairs
        if colon and key.strip() in SYSCTL_KEYS
    }


def _whole(values: Mapping[str, str], key: str) -> int | None:
    text = values.get(key, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 and int(text) <= _LARGEST else None


def memory_pressure(values: Mapping[str, str]) -> str | None:
    """ "normal", "warning" or "critical"."""
    return _PRESSURE.get(_whole(values, "kern.memorystatus_vm_pressure_level") or 0)


def budget(values: Mapping[str, str]) -> tuple[int | None, str]:
    """The bytes that the GPU may use of the machine's memory, and how that was come by where nobody set it ("" else)."""
    memory = _whole(values, "hw.memsize")
    limit = _whole(values, "iogpu.wired_limit_mb")
    if limit:
        return min(limit * 2**20, memory or _LARGEST), ""
    if memory is None:
        return None, ""
    part, words = (3 / 4, "three quarters") if memory >= _BIG_MEMORY else (2 / 3, "two thirds")
    return (
        int(memory * part),
        f"memory total: ~ {words} of the machine's memory, macOS's default (sysctl iogpu.wired_limit_mb sets it)",
    )


def macmon_sample(text: str) -> MacmonSample:
    """The first sample of ``macmon pipe``: fields of 0.8, and of the versions before."""
    line = next((line for line in text.splitlines() if line.strip().startswith("{")), "")
    sample = mapping(parse(line.encode()))
    older = items(sample.get("gpu_usage"), 2)
    mhz = number(sample.get("gpu_freq_mhz"))
    if mhz is None and older:
        mhz = number(older[0])
    degrees = celsius(number(mapping(sample.get("temp")).get("gpu_temp_avg")))
    return MacmonSample(watts(number(sample.get("gpu_power"))), degrees or None, mhz if mhz and 0 < mhz < 1e5 else None)


def apple_gpu(found: IoRegGpu, values: Mapping[str, str], sample: MacmonSample, *, macmon: bool) -> GpuView:
    """The row of the machine's GPU. ``macmon``: whether that is installed."""
    total, estimated = budget(values)
    name = found.name or values.get("machdep.cpu.brand_string")
    problems = [estimated] if estimated else []
    if sample.gpu_w is None:
        why = "macmon tells none" if macmon else "macOS tells it to root alone, or through macmon (brew install macmon)"
        problems.append(f"power: {why}")
    return GpuView(
        0,
        None,
        f"{name}, {found.cores} cores" if name and found.cores else name,
        utilization=found.utilization,
        memory_used_bytes=found.in_use_bytes,
        memory_total_bytes=total,
        power_w=sample.gpu_w,
        temperature_c=sample.temperature_c,
        sm_mhz=sample.mhz,
        unified=True,
        problems=tuple(problems),
    )
