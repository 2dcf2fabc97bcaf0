"""AMD GPUs by sysfs: a made-up /sys, whole and in pieces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.amd import amd_driver, amd_gpus
from quarterdeck.hosts.local import LocalHost
from quarterdeck.hosts.nvml.thread import NvmlThread
from quarterdeck.hosts.other_gpus import OtherGpus
from quarterdeck.hosts.this_machine import ThisMachine
from quarterdeck.model.gpu import GpuView, PcieLink

GIB = 2**30
RADEON = {
    "vendor": "0x1002",
    "device": "0x744c",
    "unique_id": "c1b2a3d4e5f60718",
    "uevent": "DRIVER=amdgpu\nPCI_ID=1002:744C\nPCI_SLOT_NAME=0000:03:00.0",
    "gpu_busy_percent": "97",
    "mem_busy_percent": "41",
    "mem_info_vram_total": str(24 * GIB),
    "mem_info_vram_used": str(20 * GIB),
    "mem_info_gtt_total": str(32 * GIB),
    "mem_info_gtt_used": str(GIB),
    "pp_dpm_sclk": "0: 500Mhz\n1: 2371Mhz *\n2: 2526Mhz",
    "pp_dpm_mclk": "0: 96Mhz\n1: 1249Mhz *",
    "current_link_speed": "16.0 GT/s PCIe",
    "max_link_speed": "16.0 GT/s PCIe",
    "current_link_width": "16",
    "max_link_width": "16",
    "hwmon/hwmon3/power1_average": "289000000",
    "hwmon/hwmon3/power1_cap": "303000000",
    "hwmon/hwmon3/temp1_label": "edge",
    "hwmon/hwmon3/temp1_input": "64000",
    "hwmon/hwmon3/temp1_crit": "100000",
    "hwmon/hwmon3/temp2_label": "junction",
    "hwmon/hwmon3/temp2_input": "81000",
    "hwmon/hwmon3/temp3_label": "mem",
    "hwmon/hwmon3/temp3_input": "78000",
    "hwmon/hwmon3/pwm1": "102",
    "hwmon/hwmon3/pwm1_max": "255",
    "hwmon/hwmon3/freq1_input": "2371000000",
    "hwmon/hwmon3/freq2_input": "1249000000",
}
PCI_IDS = """8086  Intel Corporation
	744c  Not this one
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	744b  Navi 31 [Radeon Pro W7900D]
	744c  Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]
		1002 0e3b  Subsystem
1003  ULSI Systems
"""


def plug(sys: Path, card: str, files: dict[str, str]) -> Path:
    """A card below /sys/class/drm."""
    device = sys / "class" / "drm" / card / "device"
    for name, text in files.items():
        path = device / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return device


@pytest.fixture
def ids(tmp_path: Path) -> tuple[Path, ...]:
    path = tmp_path / "pci.ids"
    path.write_text(PCI_IDS)
    return (tmp_path / "missing", path)


def test_a_radeon(tmp_path: Path, ids: tuple[Path, ...]) -> None:
    plug(tmp_path, "card1", RADEON)
    plug(tmp_path, "card1-DP-1", {"status": "connected"})
    plug(tmp_path, "card0", {"vendor": "0x8086", "gpu_busy_percent": "3"})
    assert amd_gpus(tmp_path, ids) == (
        GpuView(
            0,
            "c1b2a3d4e5f60718",
            "AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M",
            utilization=0.97,
            memory_utilization=0.41,
            memory_used_bytes=20 * GIB,
            memory_total_bytes=24 * GIB,
            power_w=289.0,
            power_limit_w=303.0,
            temperature_c=64.0,
            memory_temperature_c=78.0,
            slowdown_c=100.0,
            fan=0.4,
            sm_mhz=2371.0,
            sm_max_mhz=2526.0,
            memory_mhz=1249.0,
            memory_max_mhz=1249.0,
            pcie=PcieLink(4, 4, 16, 16),
            problems=("processes: not told by the amdgpu driver",),
        ),
    )


def test_a_card_that_sleeps_is_not_woken(tmp_path: Path, ids: tuple[Path, ...]) -> None:
    """Reading its load, clocks or sensors would switch it on, every two seconds."""
    device = plug(tmp_path, "card1", {**RADEON, "power/runtime_status": "suspended"})
    woken = ("gpu_busy_percent", "mem_busy_percent", "pp_dpm_sclk", "hwmon/hwmon3/temp1_input", "current_link_speed")
    for name in woken:  # whoever opens one of them waits for ever
        (device / name).unlink()
        os.mkfifo(device / name)
    (gpu,) = amd_gpus(tmp_path, ids)
    assert (gpu.name, gpu.memory_used_bytes, gpu.memory_total_bytes) == (
        "AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M",
        20 * GIB,
        24 * GIB,
    )
    assert (gpu.utilization, gpu.temperature_c, gpu.pcie) == (None, None, None)
    why = "it is switched off to save power, and asking would wake it"
    assert gpu.problems == (f"utilization, power, power limit, temperature, processes: {why}",)


def test_an_accelerator_has_no_edge(tmp_path: Path) -> None:
    files = {name: text for name, text in RADEON.items() if "temp1" not in name}
    plug(tmp_path, "card0", {**files, "hwmon/hwmon3/temp2_crit": "110000"})
    (gpu,) = amd_gpus(tmp_path, ())
    assert (gpu.temperature_c, gpu.slowdown_c, gpu.memory_temperature_c) == (81.0, 110.0, 78.0)


def test_an_apu_may_use_the_machines_memory_too(tmp_path: Path) -> None:
    strix = {**RADEON, "device": "0x1586", "hwmon/hwmon3/in1_label": "vddnb", "mem_info_vram_total": str(GIB // 2)}
    strix |= {
        "mem_info_vram_used": str(GIB // 4),
        "mem_info_gtt_total": str(96 * GIB),
        "mem_info_gtt_used": str(60 * GIB),
    }
    plug(tmp_path, "card0", strix)
    (gpu,) = amd_gpus(tmp_path, ())
    assert (gpu.unified, gpu.name) == (True, "AMD GPU 0x1586")
    assert gpu.memory_total_bytes == 96 * GIB + GIB // 2
    assert gpu.memory_used_bytes == 60 * GIB + GIB // 4


def test_cards_are_in_order_and_have_keys(tmp_path: Path) -> None:
    for number in (10, 2):
        plug(
            tmp_path,
            f"card{number}",
            {"vendor": "0x1002", "device": f"0x{number}", "uevent": f"PCI_SLOT_NAME=0000:{number}:00.0"},
        )
    assert [(gpu.index, gpu.uuid) for gpu in amd_gpus(tmp_path, ())] == [(0, "0000:2:00.0"), (1, "0000:10:00.0")]


def test_a_card_that_tells_nothing(tmp_path: Path) -> None:
    plug(tmp_path, "card0", {"vendor": "0x1002"})
    (gpu,) = amd_gpus(tmp_path, ())
    assert gpu == GpuView(
        0,
        name="AMD GPU",
        problems=(
            "utilization, memory used, memory total, power, power limit, temperature, processes: "
            "not told by the amdgpu driver",
        ),
    )


@pytest.mark.parametrize("nonsense", ["", "-5", "1e99", "999999999999999999999", "\x1b[2J", "97\n98", "∞"])
def test_nonsense_costs_only_its_value(tmp_path: Path, nonsense: str) -> None:
    plug(tmp_path, "card0", dict.fromkeys(RADEON, nonsense) | {"vendor": "0x1002"})
    (gpu,) = amd_gpus(tmp_path, ())
    assert (gpu.utilization, gpu.memory_total_bytes, gpu.power_w, gpu.fan, gpu.pcie) == (None, None, None, None, None)
    assert (gpu.name or "").isprintable()


def test_a_card_that_sleeps_answers_with_errors(tmp_path: Path) -> None:
    device = plug(tmp_path, "card0", RADEON)
    (device / "gpu_busy_percent").unlink()
    (device / "gpu_busy_percent").mkdir()  # reading it fails
    (gpu,) = amd_gpus(tmp_path, ())
    assert (gpu.utilization, gpu.memory_used_bytes) == (None, 20 * GIB)


async def test_this_machine_is_asked_in_a_thread(tmp_path: Path, clock: Any) -> None:
    gpus = OtherGpus(clock, platform="linux", sys=tmp_path)
    assert await gpus.read(10) is None
    plug(tmp_path, "card0", RADEON)
    assert await gpus.read(10) is None, "not looked for again so soon"
    (tmp_path / "module" / "amdgpu").mkdir(parents=True)
    (tmp_path / "module" / "amdgpu" / "version").write_text("6.12.12\n")
    clock.now += 60
    table = await gpus.read(10)
    assert table is not None
    assert (table.source, table.reason, table.driver, len(table.gpus)) == ("amdgpu", "", "6.12.12", 1)
    assert amd_driver(tmp_path / "nowhere") is None


async def test_a_driver_that_hangs_leaves_the_last_values(
    tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    gate = threading.Event()
    plug(tmp_path, "card0", RADEON)
    gpus = OtherGpus(clock, platform="linux", sys=tmp_path)
    first = await gpus.read(10)
    assert first is not None
    monkeypatch.setattr("quarterdeck.hosts.other_gpus.amd_gpus", lambda _: gate.wait() and ())
    hung = await gpus.read(0.01)
    gate.set()
    assert hung is not None
    assert (hung.gpus, hung.reason) == (first.gpus, "the amdgpu driver does not answer")
    assert gpus._amd is not None
    await gpus._amd


async def test_a_machine_without_nvidia_shows_what_it_has(tmp_path: Path, clock: Any, nvml: Any) -> None:
    plug(tmp_path, "card0", RADEON)
    local = LocalHost(HostSpec("here", timeout=20), clock, NvmlThread(clock, nvml))
    host = ThisMachine(local, OtherGpus(clock, platform="linux", sys=tmp_path), clock)
    nvml.spoil["nvmlInit"] = 12
    reading = await host.read()
    assert (reading.source, len(reading.gpus), reading.reason) == ("amdgpu", 1, "")
    assert reading.memory_total_bytes is not None
    await host.close()


async def test_nvidias_library_alone_hides_no_other_gpu(tmp_path: Path, clock: Any, nvml: Any) -> None:
    plug(tmp_path, "card0", RADEON)
    local = LocalHost(HostSpec("here", timeout=20), clock, NvmlThread(clock, nvml))
    host = ThisMachine(local, OtherGpus(clock, platform="linux", sys=tmp_path), clock)
    nvml.spoil["nvmlInit"] = 9
    reading = await host.read()
    assert (reading.source, len(reading.gpus), reading.reason) == ("amdgpu", 1, "NVIDIA driver not loaded")
    await host.close()


async def test_a_machine_with_neither_says_so(tmp_path: Path, clock: Any, nvml: Any) -> None:
    nvml.spoil["nvmlInit"] = 12
    local = LocalHost(HostSpec("here", timeout=20), clock, NvmlThread(clock, nvml))
    host = ThisMachine(local, OtherGpus(clock, platform="linux", sys=tmp_path), clock)
    reading = await host.read()
    assert (reading.source, reading.gpus, reading.reason) == ("local", (), "no NVIDIA driver on this machine")
    await host.close()


async def test_nvidias_gpus_come_first(tmp_path: Path, clock: Any, nvml: Any) -> None:
    plug(tmp_path, "card0", RADEON)
    local = LocalHost(HostSpec("here", timeout=20), clock, NvmlThread(clock, nvml))
    host = ThisMachine(local, OtherGpus(clock, platform="linux", sys=tmp_path), clock)
    assert (await host.read()).source == "nvml"
    await host.close()
