"""Who holds GPU memory, by every way that a machine is read."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pynvml
import pytest

import fake_nvidia_smi
import fake_ssh
from fake_nvml import FakeNvml, healthy
from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.holding import Holding, holdings
from quarterdeck.hosts.nvml.session import NvmlSession
from quarterdeck.hosts.ssh.gpus import SmiMemory
from quarterdeck.hosts.ssh.host import SshHost
from quarterdeck.hosts.ssh.pool import SshPool
from quarterdeck.hosts.ssh.script import Answer, Section
from quarterdeck.model.gpu import GpuProcess, GpuView


def read(nvml: FakeNvml) -> HostReading:
    """One reading of that driver."""
    table = NvmlSession(lambda: 0.0, nvml).read()
    return HostReading(0.0, "nvml", gpus=table.gpus, reason=table.reason)


def test_every_process_of_every_gpu_is_told(nvml: FakeNvml) -> None:
    assert holdings(read(nvml)) == (Holding(0, 42, 2**30, None), Holding(1, 42, 2**30, None))


@pytest.mark.parametrize("code", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED])
def test_without_a_driver_there_is_nobody(nvml: FakeNvml, code: int) -> None:
    nvml.spoil["nvmlInit"] = code
    assert holdings(read(nvml)) == ()


def test_without_a_gpu_there_is_nobody() -> None:
    assert holdings(read(FakeNvml(gpus=0))) == ()
    assert holdings(HostReading(0.0, "local")) == ()


@pytest.mark.parametrize("other", ["the amdgpu driver does not answer", "other GPUs can't be asked for (OSError)"])
def test_no_gpu_of_one_maker_says_nothing_of_another_s(other: str) -> None:
    for reason in (f"{other}; NVIDIA driver not loaded", f"no NVIDIA driver on this machine; {other}"):
        assert holdings(HostReading(0.0, "local", reason=reason)) == other


@pytest.mark.parametrize(
    "section", [Section(127, ("sh: nvidia-smi: not found",)), Section(6, ("No devices were found",)), Section(0)]
)
def test_without_nvidia_smi_or_gpus_there_is_nobody(section: Section) -> None:
    memory = SmiMemory()
    memory.take(Answer(1, {"gpus": section}), 0.0)
    assert memory.reason
    assert holdings(HostReading(0.0, "ssh", reason=memory.reason)) == ()


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("", (Holding(0, 4711, 4198 * 2**20, "VLLM::EngineCore"), Holding(1, 7, None, None))),
        ("none", ()),
        ("broken", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."),
    ],
)
async def test_over_ssh_the_first_reading_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, told: object
) -> None:
    smi = fake_nvidia_smi.install(tmp_path / "smi")
    (smi.parent / "mode").write_text(mode)
    (smi.parent / "apps").write_text(
        "4711, GPU-fa4e-0000, 4198, VLLM::EngineCore\n7, GPU-fa4e-0001, [N/A], [Not Found]\n"
    )
    monkeypatch.setenv("PATH", f"{smi.parent}:{os.environ['PATH']}")
    pool = SshPool(time.monotonic, str(fake_ssh.install(tmp_path / "bin", "shell")))
    host = SshHost(HostSpec("gpu-1", "ssh", timeout=20.0), time.monotonic, pool)
    try:
        found = holdings(await host.read())
    finally:
        await host.close()
    if isinstance(found, tuple):
        found = tuple(each._replace(name=None) if each.pid == 7 else each for each in found)
    assert found == told


def test_a_driver_that_fails_is_unknown(nvml: FakeNvml) -> None:
    nvml.spoil["nvmlInit"] = pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH
    assert holdings(read(nvml)) == "NVIDIA driver and library versions differ: reboot or reload the driver"


def test_processes_that_are_not_told_are_unknown(nvml: FakeNvml) -> None:
    for version in ("v2", "v3"):
        nvml.spoil[f"nvmlDeviceGetComputeRunningProcesses_{version}", 1] = pynvml.NVML_ERROR_NO_PERMISSION
    assert holdings(read(nvml)) == "GPU 1 doesn't tell its processes: no permission"


def test_what_was_measured_before_is_unknown() -> None:
    stale = replace(healthy(0), at=1.0)
    assert holdings(HostReading(9.0, "nvml", gpus=(stale,), reason="the NVIDIA driver does not answer (3 s)")) == (
        "the NVIDIA driver does not answer (3 s)"
    )
    assert holdings(HostReading(9.0, "nvml", gpus=(replace(healthy(2), lost=True),))) == "GPU 2 doesn't answer"


def test_a_kind_of_gpu_that_never_tells_is_no_news() -> None:
    gpus = (GpuView(0, name="Apple M4"), GpuView(1, processes=(GpuProcess(7, 5),)))
    assert holdings(HostReading(0.0, "apple", gpus=gpus)) == (Holding(1, 7, 5, None),)
