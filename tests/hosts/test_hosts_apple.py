"""A Mac's GPU without root: the text of its tools, and the tools themselves (stood in for by scripts)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts import apple
from quarterdeck.hosts.other_gpus import OtherGpus
from quarterdeck.model.gpu import GpuView

Text = Callable[[str], str]
GIB = 2**30
NOTHING = apple.MacmonSample()


@pytest.fixture
def text() -> Text:
    folder = Path(__file__).parent.parent / "data" / "hosts" / "apple"
    return lambda name: (folder / name).read_text()


def test_the_gpu_of_ioreg(text: Text) -> None:
    found = apple.ioreg_gpu(text("ioreg_m2_max.txt"))
    assert found == apple.IoRegGpu("Apple M2 Max", 38, 0.87, 38654705664)
    assert apple.ioreg_gpu("") is None
    assert apple.ioreg_gpu('"model" = "Apple M2 Max"') is None


def test_half_of_ioreg() -> None:
    assert apple.ioreg_gpu('"PerformanceStatistics" = {}') == apple.IoRegGpu()
    odd = '"PerformanceStatistics" = {"Device Utilization %"=187,"In use system memory"=x} "gpu-core-count" = 0'
    assert apple.ioreg_gpu(odd) == apple.IoRegGpu()


def test_the_budget_that_nobody_set_is_an_estimate(text: Text) -> None:
    values = apple.sysctl_values(text("sysctl_m2_max.txt"))
    found, words = apple.budget(values)
    assert found == 48 * GIB
    assert words.startswith("memory total: ~ three quarters of the machine's memory")
    assert apple.memory_pressure(values) == "warning"
    small = {"hw.memsize": str(16 * GIB), "iogpu.wired_limit_mb": "0"}
    assert apple.budget(small)[0] == int(16 * GIB * 2 / 3)
    assert "two thirds" in apple.budget(small)[1]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hw.memsize": str(64 * GIB), "iogpu.wired_limit_mb": "57344"}, (56 * GIB, "")),
        ({"hw.memsize": str(8 * GIB), "iogpu.wired_limit_mb": "57344"}, (8 * GIB, "")),
        ({"iogpu.wired_limit_mb": "1024"}, (GIB, "")),
        ({}, (None, "")),
        ({"hw.memsize": "nonsense"}, (None, "")),
    ],
)
def test_the_budget(values: dict[str, str], expected: tuple[int | None, str]) -> None:
    assert apple.budget(values) == expected


def test_macmon_of_two_versions(text: Text) -> None:
    assert apple.macmon_sample(text("macmon_0.8.json")) == apple.MacmonSample(31.84, 61.07, 1398.0)
    assert apple.macmon_sample(text("macmon_0.6.json")) == apple.MacmonSample(0.017451683, 36.95167, 461.0)
    for nonsense in ("", "error: not supported", "{", "[]", '{"gpu_power":"x","temp":[],"gpu_usage":7}'):
        assert apple.macmon_sample(nonsense) == NOTHING


def test_the_row(text: Text) -> None:
    found = apple.ioreg_gpu(text("ioreg_m2_max.txt"))
    assert found is not None
    values = apple.sysctl_values(text("sysctl_m2_max.txt"))
    row = apple.apple_gpu(found, values, apple.macmon_sample(text("macmon_0.8.json")), macmon=True)
    assert row == GpuView(
        0,
        name="Apple M2 Max, 38 cores",
        utilization=0.87,
        memory_used_bytes=38654705664,
        memory_total_bytes=48 * GIB,
        power_w=31.84,
        temperature_c=61.07,
        sm_mhz=1398.0,
        unified=True,
        problems=(apple.budget(values)[1],),
    )
    without = apple.apple_gpu(found, values, NOTHING, macmon=False)
    assert without.power_w is None
    assert "brew install macmon" in without.problems[-1]


@given(st.text(max_size=300))
def test_whatever_the_tools_print(text: str) -> None:
    for source in (text, f'"PerformanceStatistics" = {{"Device Utilization %"={text}'):
        found = apple.ioreg_gpu(source)
        assert found is None or found.utilization is None or 0 <= found.utilization <= 1
    apple.budget(apple.sysctl_values(f"hw.memsize: {text}"))
    apple.macmon_sample("{" + text)


class Mac:
    """A machine whose tools are scripts."""

    def __init__(self, folder: Path, text: Text) -> None:
        self.folder = folder
        self.text = text

    def tool(self, name: str, says: str, then: str = "exit 0") -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{says}END\n{then}\n")
        path.chmod(0o755)


@pytest.fixture
def mac(tmp_path: Path, text: Text, monkeypatch: pytest.MonkeyPatch) -> Mac:
    made = Mac(tmp_path, text)
    made.tool("ioreg", text("ioreg_m2_max.txt"))
    made.tool("sysctl", text("sysctl_m2_max.txt"), "exit 1")  # it doesn't know one of the keys
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return made


async def test_a_mac_is_asked(mac: Mac, clock: Any) -> None:
    gpus = OtherGpus(clock, platform="darwin")
    table = await gpus.read(10)
    assert table is not None
    assert (table.source, table.reason, table.memory_pressure) == ("apple", "", "warning")
    assert [gpu.utilization for gpu in table.gpus] == [0.87]
    assert table.gpus[0].power_w is None
    await gpus.close()


async def test_power_comes_a_reading_later(mac: Mac, clock: Any) -> None:
    mac.tool("macmon", mac.text("macmon_0.8.json"))
    gpus = OtherGpus(clock, platform="darwin")
    first = await gpus.read(10)
    assert first is not None
    assert first.gpus[0].problems[-1] == "power: macmon tells none"
    assert gpus._power is not None
    await gpus._power
    second = await gpus.read(10)
    assert second is not None
    assert (second.gpus[0].power_w, second.gpus[0].temperature_c) == (31.84, 61.07)
    mac.tool("macmon", "", "exit 1")
    clock.now += 16
    await gpus.read(10)
    await gpus._power
    third = await gpus.read(10)
    assert third is not None
    assert third.gpus[0].power_w is None, "too old by now"
    await gpus.close()


async def test_tools_that_hang_are_ended(mac: Mac, clock: Any) -> None:
    mac.tool("ioreg", "", "exec sleep 1000")
    mac.tool("macmon", "", "exec sleep 1000")
    gpus = OtherGpus(clock, platform="darwin")
    assert await gpus.read(0.1) is None
    mac.tool("ioreg", mac.text("ioreg_m2_max.txt"))
    assert await gpus.read(10) is None, "not asked again so soon"
    clock.now += 60
    assert await gpus.read(10) is not None
    await asyncio.sleep(0)
    await gpus.close()
    assert psutil.Process().children(recursive=True) == []


async def test_a_tool_that_hangs_later_leaves_the_last_values(mac: Mac, clock: Any) -> None:
    gpus = OtherGpus(clock, platform="darwin")
    assert await gpus.read(10) is not None
    mac.tool("ioreg", "", "exec sleep 1000")
    table = await gpus.read(0.2)
    assert table is not None
    assert (table.reason, [gpu.utilization for gpu in table.gpus]) == ("ioreg does not answer", [0.87])
    await gpus.close()


async def test_elsewhere_there_is_no_apple_gpu(clock: Any) -> None:
    assert await OtherGpus(clock, platform="win32").read(1) is None
    assert await OtherGpus(clock, platform="darwin").read(10) is None, "no ioreg on this machine"
