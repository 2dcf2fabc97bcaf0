"""What the GPUs of this machine say, as we read them and as bare pynvml calls give it. Run in a process of its own.

The simulated driver (tests/fakenvml) is found by LD_LIBRARY_PATH, which is read when a process starts.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import pynvml as nv

from quarterdeck.hosts.nvml.session import GpuTable, NvmlSession

WORDS = {0x8: "hardware slowdown", 0x20: "software thermal slowdown", 0x4: "power cap"}


def ours() -> dict[str, Any]:
    """A reading, and what is measured between two."""
    session = NvmlSession(lambda: 0.0)
    session.read()
    session.tidy(lambda: True)
    return plain(session.read())


def plain(table: GpuTable) -> dict[str, Any]:
    """As JSON has it."""
    found: dict[str, Any] = json.loads(json.dumps(asdict(table)))
    return found


def bare() -> dict[str, Any]:
    """The same by pynvml alone; only for a driver where every call works."""
    nv.nvmlInit()
    cuda = nv.nvmlSystemGetCudaDriverVersion_v2()
    gpus = [_gpu(index, nv.nvmlDeviceGetHandleByIndex(index)) for index in range(nv.nvmlDeviceGetCount())]
    driver = nv.nvmlSystemGetDriverVersion()
    nv.nvmlShutdown()
    return {"gpus": gpus, "driver": driver, "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}"}


def _gpu(index: int, handle: Any) -> dict[str, Any]:
    memory = nv.nvmlDeviceGetMemoryInfo(handle, version=nv.nvmlMemory_v2)
    busy = nv.nvmlDeviceGetUtilizationRates(handle)
    (field,) = nv.nvmlDeviceGetFieldValues(handle, [nv.NVML_FI_DEV_MEMORY_TEMP])
    slowdown = nv.nvmlDeviceGetTemperatureThreshold(handle, nv.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN)
    reasons = nv.nvmlDeviceGetCurrentClocksEventReasons(handle)
    return {
        "index": index,
        "uuid": nv.nvmlDeviceGetUUID(handle),
        "name": nv.nvmlDeviceGetName(handle),
        "utilization": busy.gpu / 100,
        "memory_utilization": busy.memory / 100,
        "memory_used_bytes": memory.used,
        "memory_total_bytes": memory.total,
        "memory_reserved_bytes": memory.reserved,
        "power_w": nv.nvmlDeviceGetPowerUsage(handle) / 1000,
        "power_limit_w": nv.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000,
        "temperature_c": nv.nvmlDeviceGetTemperatureV(handle, nv.NVML_TEMPERATURE_GPU),
        "memory_temperature_c": field.value.uiVal,
        "slowdown_c": slowdown,
        "fan": nv.nvmlDeviceGetFanSpeed(handle) / 100,
        "sm_mhz": nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_SM),
        "sm_max_mhz": nv.nvmlDeviceGetMaxClockInfo(handle, nv.NVML_CLOCK_SM),
        "memory_mhz": nv.nvmlDeviceGetClockInfo(handle, nv.NVML_CLOCK_MEM),
        "memory_max_mhz": nv.nvmlDeviceGetMaxClockInfo(handle, nv.NVML_CLOCK_MEM),
        "performance_state": nv.nvmlDeviceGetPerformanceState(handle),
        "throttle": [words for bit, words in WORDS.items() if reasons & bit],
        "encoder": nv.nvmlDeviceGetEncoderUtilization(handle)[0] / 100,
        "decoder": nv.nvmlDeviceGetDecoderUtilization(handle)[0] / 100,
        "pcie": {
            "generation": nv.nvmlDeviceGetCurrPcieLinkGeneration(handle),
            "generation_max": nv.nvmlDeviceGetMaxPcieLinkGeneration(handle),
            "width": nv.nvmlDeviceGetCurrPcieLinkWidth(handle),
            "width_max": nv.nvmlDeviceGetMaxPcieLinkWidth(handle),
            "sent_bytes_ps": nv.nvmlDeviceGetPcieThroughput(handle, nv.NVML_PCIE_UTIL_TX_BYTES) * 1024,
            "received_bytes_ps": nv.nvmlDeviceGetPcieThroughput(handle, nv.NVML_PCIE_UTIL_RX_BYTES) * 1024,
        },
        "nvlinks": _nvlinks(handle),
        "ecc": _ecc(handle),
        "mig": _mig(handle),
        "processes": _processes(handle),
    }


def _nvlinks(handle: Any) -> list[dict[str, Any]]:
    (links,) = nv.nvmlDeviceGetFieldValues(handle, [nv.NVML_FI_DEV_NVLINK_LINK_COUNT])
    return [
        {
            "number": link,
            "active": bool(nv.nvmlDeviceGetNvLinkState(handle, link)),
            "errors": sum(
                nv.nvmlDeviceGetNvLinkErrorCounter(handle, link, kind)
                for kind in range(nv.NVML_NVLINK_ERROR_DL_ECC_DATA)
            ),
        }
        for link in range(links.value.uiVal)
    ]


def _ecc(handle: Any) -> dict[str, Any]:
    rows = nv.nvmlDeviceGetRemappedRows(handle)
    return {
        "corrected": nv.nvmlDeviceGetTotalEccErrors(handle, nv.NVML_MEMORY_ERROR_TYPE_CORRECTED, nv.NVML_VOLATILE_ECC),
        "uncorrected": nv.nvmlDeviceGetTotalEccErrors(
            handle, nv.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, nv.NVML_VOLATILE_ECC
        ),
        "remapped_rows": rows[0] + rows[1],
        "remap_pending": bool(rows[2]),
        "remap_failed": bool(rows[3]),
    }


def _mig(handle: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number in range(nv.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = nv.nvmlDeviceGetMigDeviceHandleByIndex(handle, number)
        except nv.NVMLError_NotFound:
            continue
        memory = nv.nvmlDeviceGetMemoryInfo(instance, version=nv.nvmlMemory_v2)
        found.append(
            {
                "number": number,
                "uuid": nv.nvmlDeviceGetUUID(instance),
                "name": nv.nvmlDeviceGetName(instance).split("MIG ")[1],
                "gpu_instance": nv.nvmlDeviceGetGpuInstanceId(instance),
                "compute_instance": nv.nvmlDeviceGetComputeInstanceId(instance),
                "memory_used_bytes": memory.used,
                "memory_total_bytes": memory.total,
            }
        )
    return found


def _processes(handle: Any) -> list[list[int]]:
    held = [
        *nv.nvmlDeviceGetComputeRunningProcesses_v3(handle),
        *nv.nvmlDeviceGetGraphicsRunningProcesses_v3(handle),
    ]
    return sorted([process.pid, process.usedGpuMemory] for process in held)


if __name__ == "__main__":
    json.dump({"ours": ours(), "bare": bare() if "--bare" in sys.argv else None}, sys.stdout)
