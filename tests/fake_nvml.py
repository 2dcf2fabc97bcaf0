"""pynvml made by hand: healthy until told otherwise, function by function."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pynvml

from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, NvLink, PcieLink

MIB = 2**20
LINKS = 2


class FakeNvml:
    """pynvml as hosts use it. ``spoil`` maps a function's name, or (name, GPU), to what it does instead of answering."""

    NVMLError = pynvml.NVMLError

    def __init__(self, gpus: int = 2) -> None:
        self.gpus = gpus
        self.running = False
        self.spoil: dict[str | tuple[str, int], object] = {}
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.limit_mw = 700_000
        self.processes: dict[str, list[SimpleNamespace]] = {"Compute": [SimpleNamespace(pid=42, usedGpuMemory=2**30)]}
        self.events: SimpleQueue[object] | None = None
        """What waiting for an event gives, one after another; an exception is raised. ``None``: the driver is gone."""
        self.slices: dict[int, list[int]] = {}
        """GPU → the numbers of its MIG instances."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name not in ANSWERS:
            raise AttributeError(name)
        return lambda *args, version=None: self._call(name + "_v2" if version else name, *args)

    def nvmlEventSetWait_v2(self, _set: object, _ms: int) -> object:  # noqa: N802  (NVML's name)
        """Blocks until something is put into ``events``."""
        given = pynvml.NVMLError(1) if self.events is None else self.events.get()
        if isinstance(given, BaseException):
            raise given
        return given

    def _call(self, name: str, *args: Any) -> object:
        self.calls.append(name)
        if not name.startswith("nvmlEventSet"):  # that is another one's business
            self.threads.add(threading.get_ident())
        gpu = args[0] if args and isinstance(args[0], int) else None
        keys: tuple[str | tuple[str, int], ...] = (name,) if gpu is None else (name, (name, gpu), ("*", gpu))
        spoilt = next((self.spoil[key] for key in keys if key in self.spoil), None)
        if isinstance(spoilt, int) and not isinstance(spoilt, bool):
            raise pynvml.NVMLError(spoilt)
        if isinstance(spoilt, BaseException) or spoilt is AttributeError:
            raise spoilt
        if isinstance(spoilt, threading.Event):
            spoilt.wait()
            spoilt = None
        if not self.running and name != "nvmlInit":
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        if spoilt is None:
            return ANSWERS[name](self, *(args or (0,)))
        return spoilt() if callable(spoilt) else spoilt


def _memory(used_mib: int, total_mib: int = 1000, **more: int) -> SimpleNamespace:
    return SimpleNamespace(total=total_mib * MIB, used=used_mib * MIB, **more)


def _memory_v2(_: FakeNvml, gpu: int) -> SimpleNamespace:
    if gpu >= 100:  # a MIG instance
        return _memory(gpu - 100, 200, reserved=0)
    return _memory(300 + gpu, reserved=40 * MIB)


def _field(wanted: int | tuple[int, int], gpu: int) -> SimpleNamespace:
    """82: memory temperature, 91: how many links, 161–163 with a link: its errors of one kind."""
    number, link = wanted if isinstance(wanted, tuple) else (wanted, 0)
    value = {82: 70 + gpu, 91: LINKS}.get(number, gpu * 10 + link)
    failed = 0 if number in (82, 91) or 161 <= number <= 163 else 3
    return SimpleNamespace(nvmlReturn=failed, valueType=1, value=SimpleNamespace(uiVal=value))


def _slice(fake: FakeNvml, gpu: int, number: int) -> int:
    if number not in fake.slices.get(gpu, ()):
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
    return 100 + number


def _name(_: FakeNvml, gpu: int) -> str:
    return f"NVIDIA Test {gpu}" if gpu < 100 else f"NVIDIA Test MIG {gpu - 100}g.5gb"


ANSWERS: dict[str, Callable[..., object]] = {
    "nvmlInit": lambda fake, _: setattr(fake, "running", True),
    "nvmlShutdown": lambda fake, _: setattr(fake, "running", False),
    "nvmlSystemGetDriverVersion": lambda *_: "570.133.20",
    "nvmlSystemGetCudaDriverVersion_v2": lambda *_: 12080,
    "nvmlDeviceGetCount": lambda fake, _: fake.gpus,
    "nvmlDeviceGetHandleByIndex": lambda _, index: index,
    "nvmlDeviceGetName": _name,
    "nvmlDeviceGetUUID": lambda _, gpu: f"GPU-{gpu}",
    "nvmlDeviceGetEnforcedPowerLimit": lambda fake, _: fake.limit_mw,
    "nvmlDeviceGetPowerManagementLimit": lambda *_: 650_000,
    "nvmlDeviceGetUtilizationRates": lambda _, gpu: SimpleNamespace(gpu=50 + gpu, memory=7),
    "nvmlDeviceGetMemoryInfo": lambda *_: _memory(350),
    "nvmlDeviceGetMemoryInfo_v2": _memory_v2,
    "nvmlDeviceGetPowerUsage": lambda _, gpu: 312_500 + gpu,
    "nvmlDeviceGetTemperatureV": lambda _, gpu, sensor: 61 + gpu,
    "nvmlDeviceGetTemperature": lambda _, gpu, sensor: 60 + gpu,
    "nvmlDeviceGetTemperatureThreshold": lambda _, gpu, kind: (95, 90 + gpu)[kind],
    "nvmlDeviceGetClockInfo": lambda _, gpu, kind: {1: 1400, 2: 2600}[kind] + gpu,
    "nvmlDeviceGetMaxClockInfo": lambda _, gpu, kind: {1: 1980, 2: 2619}[kind],
    "nvmlDeviceGetCurrentClocksEventReasons": lambda *_: 0x1,
    "nvmlDeviceGetCurrentClocksThrottleReasons": lambda *_: 0x4,
    "nvmlDeviceGetFanSpeed": lambda _, gpu: 30 + gpu,
    "nvmlDeviceGetPerformanceState": lambda _, gpu: gpu,
    "nvmlDeviceGetEncoderUtilization": lambda _, gpu: [11 + gpu, 167_000],
    "nvmlDeviceGetDecoderUtilization": lambda _, gpu: [21 + gpu, 167_000],
    "nvmlDeviceGetCurrPcieLinkGeneration": lambda *_: 4,
    "nvmlDeviceGetMaxPcieLinkGeneration": lambda *_: 5,
    "nvmlDeviceGetCurrPcieLinkWidth": lambda *_: 8,
    "nvmlDeviceGetMaxPcieLinkWidth": lambda *_: 16,
    "nvmlDeviceGetPcieThroughput": lambda _, gpu, kind: (100, 200)[kind] + gpu,
    "nvmlDeviceGetFieldValues": lambda _, gpu, ids: [_field(wanted, gpu) for wanted in ids],
    "nvmlDeviceGetNvLinkState": lambda _, gpu, link: int(link == 0),
    "nvmlDeviceGetNvLinkErrorCounter": lambda _, gpu, link, kind: 1000,
    "nvmlDeviceGetTotalEccErrors": lambda _, gpu, kind, since: (5, 6)[kind],
    "nvmlDeviceGetMemoryErrorCounter": lambda _, gpu, kind, since, part: part,
    "nvmlDeviceGetRemappedRows": lambda *_: (1, 2, 1, 0),
    "nvmlDeviceGetMigMode": lambda fake, gpu: [int(gpu in fake.slices), 0],
    "nvmlDeviceGetMaxMigDeviceCount": lambda *_: 7,
    "nvmlDeviceGetMigDeviceHandleByIndex": _slice,
    "nvmlDeviceGetGpuInstanceId": lambda _, instance: instance - 90,
    "nvmlDeviceGetComputeInstanceId": lambda *_: 0,
    "nvmlDeviceGetComputeRunningProcesses_v3": lambda fake, _: fake.processes.get("Compute", []),
    "nvmlDeviceGetComputeRunningProcesses_v2": lambda *_: [SimpleNamespace(pid=2, usedGpuMemory=2)],
    "nvmlDeviceGetGraphicsRunningProcesses_v3": lambda fake, _: fake.processes.get("Graphics", []),
    "nvmlDeviceGetGraphicsRunningProcesses_v2": lambda *_: [SimpleNamespace(pid=3, usedGpuMemory=3)],
    "nvmlEventSetCreate": lambda *_: "set",
    "nvmlEventSetFree": lambda *_: None,
    "nvmlDeviceRegisterEvents": lambda *_: None,
}


def healthy(gpu: int) -> GpuView:
    """What the fake driver says of a GPU, in our units."""
    return GpuView(
        gpu,
        f"GPU-{gpu}",
        f"NVIDIA Test {gpu}",
        utilization=(50 + gpu) / 100,
        memory_utilization=0.07,
        memory_used_bytes=(300 + gpu) * MIB,
        memory_total_bytes=1000 * MIB,
        memory_reserved_bytes=40 * MIB,
        power_w=(312_500 + gpu) / 1000,
        power_limit_w=700.0,
        temperature_c=61.0 + gpu,
        memory_temperature_c=70.0 + gpu,
        slowdown_c=90.0 + gpu,
        fan=(30 + gpu) / 100,
        sm_mhz=1400.0 + gpu,
        sm_max_mhz=1980.0,
        memory_mhz=2600.0 + gpu,
        memory_max_mhz=2619.0,
        performance_state=gpu,
        throttle=(),
        encoder=(11 + gpu) / 100,
        decoder=(21 + gpu) / 100,
        pcie=PcieLink(4, 5, 8, 16),
        nvlinks=(NvLink(0, True, 30 * gpu), NvLink(1, False, 30 * gpu + 3)),
        ecc=Ecc(5, 6, 3, remap_pending=True, remap_failed=False),
        processes=(GpuProcess(42, 2**30),),
    )
