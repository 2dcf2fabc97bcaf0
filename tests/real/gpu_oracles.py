"""Prints what nvitop's API says of every GPU, as JSON. Runs in an environment of its own, where nvitop is installed."""

from __future__ import annotations

import json
from typing import Any

from nvitop import Device, NaType  # type: ignore[import-not-found]

SHARE = ("fan", "utilization", "memory_utilization", "encoder", "decoder")


def known(value: Any) -> Any:
    """nvitop's "N/A" as nothing."""
    return None if isinstance(value, NaType) or value == "N/A" else value


def one(device: Device) -> dict[str, Any]:
    """A GPU; fields as `GpuView` has them, in its units."""
    values = {
        "index": device.index,
        "uuid": device.uuid(),
        "name": device.name(),
        "utilization": device.gpu_utilization(),
        "memory_utilization": device.memory_utilization(),
        "memory_total_bytes": device.memory_total(),
        "memory_used_bytes": device.memory_used(),
        "temperature_c": device.temperature(),
        "fan": device.fan_speed(),
        "sm_mhz": device.sm_clock(),
        "memory_mhz": device.memory_clock(),
        "sm_max_mhz": device.max_sm_clock(),
        "memory_max_mhz": device.max_memory_clock(),
        "encoder": device.encoder_utilization(),
        "decoder": device.decoder_utilization(),
        "uncorrected": device.total_volatile_uncorrected_ecc_errors(),
    }
    values = {name: known(value) for name, value in values.items()}
    for name in SHARE:
        values[name] = None if values[name] is None else values[name] / 100
    values["power_w"] = device.power_usage() / 1000
    values["power_limit_w"] = device.power_limit() / 1000
    values["performance_state"] = int(device.performance_state().removeprefix("P"))
    values["sent_bytes_ps"] = device.pcie_tx_throughput() * 1024
    values["received_bytes_ps"] = device.pcie_rx_throughput() * 1024
    values["processes"] = sorted([pid, process.gpu_memory()] for pid, process in device.processes().items())
    return values


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "driver": Device.driver_version(),
                "cuda": Device.cuda_driver_version(),
                "gpus": [one(device) for device in Device.all()],
            }
        )
    )
