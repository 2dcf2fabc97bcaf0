"""A simulated host on one page: its GPUs as dcgm-exporter tells them, their processes as nvidia_gpu_exporter does, and its CPU
and memory as node_exporter does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from quarterdeck.demo.http import Handler, Response, Style
from quarterdeck.demo.page import CONTENT_TYPE, labels, number
from quarterdeck.demo.request import Request

STYLE = Style()
MIB = 2**20
GIB = 2**30
UPTIME_S = 9.3 * 86_400
"""How long the host had been up when the simulation began."""
CPU_MODES = (("user", 0.78), ("system", 0.18), ("iowait", 0.01), ("irq", 0.0), ("softirq", 0.02), ("nice", 0.01))
_COOL_C, _HOT_C = 33.0, 72.0
_CAPPED = 0.97
"""From so much of its power on, a card's clocks are held back."""


@dataclass(frozen=True, slots=True)
class Held:
    """A process and what it holds of a GPU's memory."""

    pid: int
    title: str
    mib: float


@dataclass(frozen=True, slots=True)
class GpuState:
    """What the server placed on a GPU makes of it. ``utilization`` and ``warmth`` are 0–1."""

    utilization: float
    warmth: float
    memory_mib: float
    spinning: bool = False
    """Busy in kernels that wait: full utilisation at little power."""
    held: tuple[Held, ...] = ()


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU and the server that uses it."""

    name: str
    memory_mib: int
    idle_w: float
    limit_w: float
    state: Callable[[], GpuState]


@dataclass(frozen=True, slots=True)
class Machine:
    """The rest of a host."""

    name: str
    cores: int
    memory_bytes: int
    used_bytes: int
    base_load: float
    """Fraction of the cores that is always busy."""
    cores_per_busy: float
    """Cores that a fully busy engine keeps busy."""


class ExporterServer:
    """The exporters of one host. ``busy`` is the sum of its servers' busy seconds; it never falls."""

    def __init__(
        self,
        machine: Machine,
        gpus: Sequence[Gpu],
        *,
        busy: Callable[[], float],
        clock: Callable[[], float],
        born: float,
    ) -> None:
        self.machine = machine
        self.gpus = gpus
        self.clock = clock
        self.down = False
        self._busy = busy
        self._born = born
        self._uuids = [self._uuid(index) for index in range(len(gpus))]
        self._gpu_labels = [self._labels(index, gpu) for index, gpu in enumerate(gpus)]

    def routes(self) -> dict[tuple[str, str], Handler]:
        """What it answers."""
        return {("GET", "/metrics"): self._metrics, ("GET", "/health"): self._health}

    def metrics(self) -> bytes:
        """The page of now."""
        return "".join([*self._gpu_lines(), *self._process_lines(), *self._cpu_lines(), *self._memory_lines()]).encode()

    async def _metrics(self, _: Request) -> Response:
        return Response(body=self.metrics(), content_type=CONTENT_TYPE)

    async def _health(self, _: Request) -> Response:
        return Response(body=b"OK", content_type="text/plain; charset=utf-8")

    def _uuid(self, index: int) -> str:
        digest = hashlib.sha256(f"{self.machine.name}/{index}".encode()).hexdigest()
        return f"GPU-{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    def _labels(self, index: int, gpu: Gpu) -> str:
        pairs = {
            "gpu": str(index),
            "UUID": self._uuids[index],
            "pci_bus_id": f"00000000:{0x18 + 0x11 * index:02X}:00.0",
            "device": f"nvidia{index}",
            "modelName": gpu.name,
            "Hostname": self.machine.name,
            "DCGM_FI_DRIVER_VERSION": "580.95.05",
        }
        return "{" + ",".join(f'{key}="{value}"' for key, value in pairs.items()) + "}"

    def _gpu_lines(self) -> Iterator[str]:
        now = self.clock()
        readings = [_readings(gpu, index, now) for index, gpu in enumerate(self.gpus)]
        for name, (kind, text) in _FIELDS.items():
            yield f"# HELP DCGM_FI_DEV_{name} {text}\n# TYPE DCGM_FI_DEV_{name} {kind}\n"
            for labelled, reading in zip(self._gpu_labels, readings, strict=True):
                yield f"DCGM_FI_DEV_{name}{labelled} {reading[name]}\n"

    def _process_lines(self) -> Iterator[str]:
        """Which GPUs there are, and a row for each process on one."""
        yield "# HELP nvidia_smi_gpu_info A metric with a constant '1' value labeled by gpu uuid, name, driver_version.\n"
        yield "# TYPE nvidia_smi_gpu_info gauge\n"
        for index, (uuid, gpu) in enumerate(zip(self._uuids, self.gpus, strict=True)):
            yield f"nvidia_smi_gpu_info{labels(('uuid', uuid), ('name', gpu.name), ('index', str(index)))} 1\n"
        yield "# HELP nvidia_smi_compute_app_used_memory_bytes Memory used by a compute process.\n"
        yield "# TYPE nvidia_smi_compute_app_used_memory_bytes gauge\n"
        for uuid, gpu in zip(self._uuids, self.gpus, strict=True):
            for held in gpu.state().held:
                pairs = labels(("uuid", uuid), ("pid", str(held.pid)), ("process_name", held.title))
                yield f"nvidia_smi_compute_app_used_memory_bytes{pairs} {number(round(held.mib) * MIB)}\n"

    def _cpu_lines(self) -> Iterator[str]:
        machine, up = self.machine, self.clock() - self._born
        busy = (
            machine.base_load * machine.cores * (up + UPTIME_S) + machine.cores_per_busy * self._busy()
        ) / machine.cores
        yield "# HELP node_cpu_seconds_total Seconds the CPUs spent in each mode.\n"
        yield "# TYPE node_cpu_seconds_total counter\n"
        for cpu in range(machine.cores):
            for mode, share in (("idle", None), *CPU_MODES, ("steal", 0.0)):
                seconds = up + UPTIME_S - busy if share is None else busy * share
                yield f"node_cpu_seconds_total{labels(('cpu', str(cpu)), ('mode', mode))} {number(round(seconds, 2))}\n"
        for minutes in (1, 5, 15):
            load = machine.cores * machine.base_load * (1 + 0.2 * math.sin(up / (40 * minutes)))
            yield _gauge(f"node_load{minutes}", f"{minutes}m load average.", round(load, 2))

    def _memory_lines(self) -> Iterator[str]:
        machine, up = self.machine, self.clock() - self._born
        used = machine.used_bytes * (1 + 0.01 * math.sin(up / 37))
        free = machine.memory_bytes * 0.06
        amounts = {
            "MemTotal": machine.memory_bytes,
            "MemFree": free,
            "MemAvailable": machine.memory_bytes - used,
            "Buffers": 1.2 * GIB,
            "Cached": machine.memory_bytes - used - free - 1.2 * GIB,
            "SwapTotal": 0,
            "SwapFree": 0,
        }
        for name, value in amounts.items():
            yield _gauge(f"node_memory_{name}_bytes", f"Memory information field {name}_bytes.", int(value))


_FIELDS = {
    "SM_CLOCK": ("gauge", "SM clock frequency (in MHz)."),
    "MEMORY_TEMP": ("gauge", "Memory temperature (in C)."),
    "GPU_TEMP": ("gauge", "GPU temperature (in C)."),
    "POWER_USAGE": ("gauge", "Power draw (in W)."),
    "POWER_MGMT_LIMIT": ("gauge", "Current power limit (in W)."),
    "GPU_UTIL": ("gauge", "GPU utilization (in %)."),
    "MAX_SM_CLOCK": ("gauge", "Maximum supported SM clock (in MHz)."),
    "SLOWDOWN_TEMP": ("gauge", "Temperature at which the clocks are held back (in C)."),
    "CLOCKS_EVENT_REASONS": ("gauge", "Current clock event reasons (bitmask)."),
    "PSTATE": ("gauge", "Performance state (0-15, 0 = highest)."),
    "ECC_SBE_VOL_TOTAL": ("counter", "Total number of single-bit volatile ECC errors."),
    "ECC_DBE_VOL_TOTAL": ("counter", "Total number of double-bit volatile ECC errors."),
    "MEM_COPY_UTIL": ("gauge", "Memory utilization (in %)."),
    "XID_ERRORS": ("gauge", "Value of the last XID error encountered."),
    "FB_FREE": ("gauge", "Framebuffer memory free (in MiB)."),
    "FB_USED": ("gauge", "Framebuffer memory used (in MiB)."),
    "FB_RESERVED": ("gauge", "Framebuffer memory reserved (in MiB)."),
}


def _readings(gpu: Gpu, index: int, now: float) -> dict[str, Any]:
    state = gpu.state()
    shiver = 0.0 if state.spinning else 0.02 * math.sin(now * 1.7 + index * 2.1)
    utilization = min(1.0, max(0.0, state.utilization + shiver)) if state.utilization else 0.0
    # The last tenth of the load takes a card up to its limit, which then holds the clocks back.
    power = 0.32 if state.spinning else 0.86 * utilization + 0.13 * max(0.0, utilization - 0.9) / 0.1
    reserved = round(gpu.memory_mib * 0.007)
    used = round(min(gpu.memory_mib - reserved, state.memory_mib))
    celsius = _COOL_C + index + (_HOT_C - _COOL_C) * state.warmth
    return {
        "SM_CLOCK": 345 if not state.utilization else 1980 if power < _CAPPED else 1815,
        "MAX_SM_CLOCK": 1980,
        "SLOWDOWN_TEMP": 87,
        "CLOCKS_EVENT_REASONS": 1 if not state.utilization else 4 if power >= _CAPPED else 0,
        "PSTATE": 0 if state.utilization else 8,
        "ECC_SBE_VOL_TOTAL": 0,
        "ECC_DBE_VOL_TOTAL": 0,
        "MEMORY_TEMP": round(celsius + 6),
        "GPU_TEMP": round(celsius),
        "POWER_USAGE": f"{gpu.idle_w + (gpu.limit_w - gpu.idle_w) * power:.6f}",
        "POWER_MGMT_LIMIT": f"{gpu.limit_w:.6f}",
        "GPU_UTIL": round(utilization * 100),
        "MEM_COPY_UTIL": round((0.02 if state.spinning else 0.55 * utilization) * 100),
        "XID_ERRORS": 0,
        "FB_FREE": gpu.memory_mib - reserved - used,
        "FB_USED": used,
        "FB_RESERVED": reserved,
    }


def _gauge(name: str, text: str, value: float) -> str:
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{name} {number(value)}\n"
