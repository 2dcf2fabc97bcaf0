"""nvitop and gpustat on the simulated driver: every value that they tell is ours, in the same state of the GPUs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulated_gpus import Simulated, build, can_build

from .install_debian import not_now

MIB = 2**20
TOOLS = ("nvitop==1.7.2", "gpustat==1.1.1", "nvidia-ml-py==13.615.71")
ORACLES = Path(__file__).with_name("gpu_oracles.py")
STATES = {
    "usual": "",
    "busy": "* util 100\n0 util 0\n* temp 90\n3 temp 31\n* power_w 699.9\n1 mem_mib 80000\n2 mem_mib 0\n* fan 99\n",
    "troubled": "1 ecc_unc 4\n1 pstate 5\n2 sm_clock 345\n3 encoder 12\n3 decoder 100\n4 pcie_sent 7\n4 pcie_received 9\n",
    "processes": "PROCESSES",
    "lacking": "* fail nvmlDeviceGetFanSpeed 3\n2 fail nvmlDeviceGetEncoderUtilization 3\n",
}
SAME = (
    "index",
    "uuid",
    "name",
    "utilization",
    "memory_utilization",
    "memory_total_bytes",
    "memory_used_bytes",
    "temperature_c",
    "fan",
    "sm_mhz",
    "memory_mhz",
    "sm_max_mhz",
    "memory_max_mhz",
    "encoder",
    "decoder",
    "power_w",
    "power_limit_w",
    "performance_state",
)
GPUSTAT: dict[str, Callable[[dict[str, Any]], object]] = {
    "index": lambda gpu: gpu["index"],
    "uuid": lambda gpu: gpu["uuid"],
    "name": lambda gpu: gpu["name"],
    "temperature.gpu": lambda gpu: gpu["temperature_c"],
    "fan.speed": lambda gpu: _percent(gpu["fan"]),
    "utilization.gpu": lambda gpu: _percent(gpu["utilization"]),
    "utilization.enc": lambda gpu: _percent(gpu["encoder"]),
    "utilization.dec": lambda gpu: _percent(gpu["decoder"]),
    "power.draw": lambda gpu: int(gpu["power_w"]),
    "enforced.power.limit": lambda gpu: gpu["power_limit_w"],
    "memory.used": lambda gpu: gpu["memory_used_bytes"] // MIB,
    "memory.total": lambda gpu: gpu["memory_total_bytes"] // MIB,
}
"""A key of `gpustat --json` → the same out of our row, in its unit."""


def _percent(share: float | None) -> int | None:
    return None if share is None else round(share * 100)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a simulated libnvidia-ml.so.1."""
    if not can_build() or shutil.which("uv") is None:
        not_now("needs Linux, cc, make, and uv, which gets nvitop and gpustat")
    folder = tmp_path_factory.mktemp("driver")
    build(folder)
    return folder


@pytest.fixture(params=STATES)
def simulated(driver: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Simulated:
    """Eight GPUs in one state. Processes are living ones: both tools leave out what they can't find in /proc."""
    control = tmp_path / "control"
    mine, parent = os.getpid(), os.getppid()
    processes = f"* proc {mine} 1000 C\n1 proc {parent} 2000 C\n1 proc {parent} 2000 G\n"
    common = f"* proc {mine} 1000 C\n"
    control.write_text(processes if STATES[request.param] == "PROCESSES" else STATES[request.param] + common)
    return Simulated(driver, control)


def run(simulated: Simulated, *command: str) -> dict[str, Any]:
    """The JSON that a tool prints."""
    tools = [part for tool in TOOLS for part in ("--with", tool)]
    found: dict[str, Any] = json.loads(simulated.run("uv", "run", "-q", "--no-project", *tools, *command))
    return found


def test_nvitop_tells_the_same(simulated: Simulated) -> None:
    ours = simulated.read()["ours"]
    theirs = run(simulated, "python", str(ORACLES))
    assert (ours["driver"], ours["cuda"]) == (theirs["driver"], theirs["cuda"])
    assert len(ours["gpus"]) == len(theirs["gpus"]) == 8
    for mine, other in zip(ours["gpus"], theirs["gpus"], strict=True):
        assert {name: mine[name] for name in SAME} == {name: other[name] for name in SAME}
        assert mine["ecc"]["uncorrected"] == other["uncorrected"]
        assert mine["pcie"]["sent_bytes_ps"] == other["sent_bytes_ps"]
        assert mine["pcie"]["received_bytes_ps"] == other["received_bytes_ps"]
        assert {process["pid"]: process["memory_bytes"] for process in mine["processes"]} == dict(other["processes"])


def test_gpustat_tells_the_same(simulated: Simulated) -> None:
    ours = simulated.read()["ours"]
    theirs = run(simulated, "gpustat", "--json")
    assert ours["driver"] == theirs["driver_version"]
    assert len(ours["gpus"]) == len(theirs["gpus"]) == 8
    for mine, other in zip(ours["gpus"], theirs["gpus"], strict=True):
        assert {key: of(mine) for key, of in GPUSTAT.items()} == {key: other[key] for key in GPUSTAT}
        held = sorted((process["pid"], process["gpu_memory_usage"]) for process in other["processes"])
        # A process that computes and draws is there twice, with the same memory.
        assert {process["pid"]: process["memory_bytes"] // MIB for process in mine["processes"]} == dict(held)


def test_a_lost_gpu_is_lost_to_gpustat_too(driver: Path, tmp_path: Path) -> None:
    control = tmp_path / "control"
    control.write_text("2 lost\n")
    simulated = Simulated(driver, control)
    theirs = run(simulated, "gpustat", "--json")["gpus"]
    for mine, other in zip(simulated.read()["ours"]["gpus"], theirs, strict=True):
        lost = mine["index"] == 2
        assert mine["lost"] is lost
        assert ("Error" in other["name"] or "lost" in other["name"].lower()) is lost
        if not lost:
            assert {key: of(mine) for key, of in GPUSTAT.items()} == {key: other[key] for key in GPUSTAT}
