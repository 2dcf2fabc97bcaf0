"""What ``nvidia-smi`` says only in prose and tables: thresholds, MIG instances, versions. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from quarterdeck.format import printable
from quarterdeck.hosts.exporters.page import celsius, mebibytes, sensor
from quarterdeck.hosts.ssh.smi_csv import number_of
from quarterdeck.model.gpu import MigInstance

_MOST_INSTANCES = 64
_GPU_LINE = re.compile(r"GPU (\d{1,4}): .*\(UUID: (\S{1,100})\)")
_MIG_LINE = re.compile(r"\s+MIG (\S{1,40})\s+Device\s+(\d{1,3}):\s*\(UUID: (\S{1,100})\)")
_MIG_ROW = re.compile(r"\|((?:\s+\d{1,4}){4})\s*\|\s*(\d{1,9})MiB\s*/\s*(\d{1,9})MiB\s*\|")
_CUDA = re.compile(r"CUDA Version\s*:\s*(\d{1,3}(?:\.\d{1,3}){1,2})", re.IGNORECASE)


class Slowdown(NamedTuple):
    """The core temperature at which a GPU slows down."""

    celsius: float
    by_margin: bool = False
    """Worked out of how far the core is from its limit: newer cards tell no more."""


class MigRow(NamedTuple):
    """One line of the table of MIG devices."""

    gpu_instance: int
    compute_instance: int
    used_bytes: int | None
    total_bytes: int | None


def slowdown_temperatures(lines: Iterable[str]) -> dict[str, Slowdown]:
    """PCI address → where the GPU slows down, of ``nvidia-smi -q -d TEMPERATURE``."""
    told: dict[str, dict[str, float]] = {}
    bus = ""
    for line in lines:
        head, _, rest = line.partition(":")
        if line.startswith("GPU "):
            bus = line[4:].strip()
        elif bus and (degrees := celsius(number_of(rest))) is not None:
            told.setdefault(bus, {})[head.strip()] = degrees
    found = {bus: _slowdown(values) for bus, values in told.items()}
    return {bus: slowdown for bus, slowdown in found.items() if slowdown is not None}


def _slowdown(told: Mapping[str, float]) -> Slowdown | None:
    plain = sensor(told.get("GPU Slowdown Temp"))
    if plain is not None:
        return Slowdown(plain)
    core, left, at = (told.get(f"GPU {what} Temp") for what in ("Current", "T.Limit", "Slowdown T.Limit"))
    if core is None or left is None or at is None:
        return None
    worked_out = sensor(core + left - at)
    return Slowdown(worked_out, by_margin=True) if worked_out is not None else None


def mig_devices(lines: Iterable[str]) -> dict[str, tuple[int, tuple[MigInstance, ...]]]:
    """UUID of a GPU → its index and its MIG devices, of ``nvidia-smi -L``, which doesn't tell their memory."""
    found: dict[str, tuple[int, tuple[MigInstance, ...]]] = {}
    gpu, index = "", 0
    for line in lines:
        if (match := _GPU_LINE.match(line)) is not None:
            index, gpu = int(match[1]), match[2]
        elif gpu and (match := _MIG_LINE.match(line)) is not None:
            device = MigInstance(int(match[2]), printable(match[3]), printable(match[1]))
            found[gpu] = (index, (*found.get(gpu, (index, ()))[1][: _MOST_INSTANCES - 1], device))
    return found


def mig_table(lines: Iterable[str]) -> dict[tuple[int, int], MigRow]:
    """(index of a GPU, number of its MIG device) → its ids and memory, of the table that plain ``nvidia-smi`` prints.

    Its first line for a device has "GPU GI CI Dev" and "used / total"; the second, of BAR1, has no numbers in front.
    """
    found: dict[tuple[int, int], MigRow] = {}
    for line in lines:
        if (match := _MIG_ROW.search(line)) is not None:
            gpu, gpu_instance, compute_instance, device = map(int, match[1].split())
            used, total = mebibytes(float(match[2])), mebibytes(float(match[3]))
            found[gpu, device] = MigRow(gpu_instance, compute_instance, used, total)
    return found


def with_memory(device: MigInstance, gpu: int, table: Mapping[tuple[int, int], MigRow]) -> MigInstance:
    """A MIG device of the GPU of that index with what its row tells."""
    row = table.get((gpu, device.number))
    if row is None:
        return device
    return replace(
        device,
        gpu_instance=row.gpu_instance,
        compute_instance=row.compute_instance,
        memory_used_bytes=row.used_bytes,
        memory_total_bytes=row.total_bytes,
    )


def cuda_version(lines: Iterable[str]) -> str | None:
    """The CUDA version of ``nvidia-smi --version``."""
    return next((match[1] for line in lines if (match := _CUDA.search(line))), None)
