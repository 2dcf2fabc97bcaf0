"""NVML started, lost, started again: drivers that are not there, GPUs that fall off the bus."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from quarterdeck.hosts.nvml.session import LAST_RETRY_S, GpuTable, NvmlSession
from quarterdeck.model.gpu import GpuView

Healthy = Callable[[int], GpuView]
LOST = "lost (fell off the bus); reset it or reboot"


def table(*gpus: GpuView, reason: str = "") -> GpuTable:
    """What a driver that answers says."""
    return GpuTable(gpus, reason, "570.133.20", "12.8")


def lost(view: GpuView, words: str = LOST, at: float = 1000.0) -> GpuView:
    """A row that was measured at ``at`` and has lost its GPU since."""
    return replace(view, lost=True, at=at, problems=(words,))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (9, "NVIDIA driver not loaded"),
        (12, "no NVIDIA driver on this machine"),
        (18, "NVIDIA driver and library versions differ: reboot or reload the driver"),
        (4, "no permission to use the NVIDIA driver"),
        (13, "NVIDIA driver too old"),
        (999, "the NVIDIA driver fails for a reason it doesn't name (does nvidia-smi work?)"),
        (1234, "the NVIDIA driver fails with NVML error 1234"),
        (ImportError("x"), "the Python package nvidia-ml-py is missing"),
        (OSError("/secret"), "the NVIDIA driver can't be asked (OSError)"),
    ],
)
@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_no_driver_in_words(nvml: Any, clock: Any, function: str, error: object, words: str) -> None:
    nvml.spoil[function] = error
    assert NvmlSession(clock, nvml).read() == GpuTable((), words)
    assert nvml.running is False


def test_a_missing_driver_is_looked_for_less_and_less_often(nvml: Any, clock: Any, healthy: Healthy) -> None:
    nvml.spoil["nvmlInit"] = 12
    session = NvmlSession(clock, nvml)
    tried: list[float] = []
    for _ in range(600):
        before = len(nvml.calls)
        assert session.read().reason == "no NVIDIA driver on this machine"
        tried += [clock.now - 1000.0] * (len(nvml.calls) - before)
        clock.now += 1
    assert tried[:6] == [0, 2, 6, 14, 30, 62]
    assert {later - earlier for earlier, later in pairwise(tried[5:])} == {LAST_RETRY_S}
    del nvml.spoil["nvmlInit"]
    clock.now += LAST_RETRY_S
    assert session.read() == table(healthy(0), healthy(1))


def test_a_driver_without_gpus_says_so(nvml: Any, clock: Any) -> None:
    nvml.gpus = 0
    assert NvmlSession(clock, nvml).read() == table(reason="driver loaded, no GPU")


@pytest.mark.parametrize("count", [-1, 10**9, "8", None, 2.5, True])
def test_a_senseless_count_is_a_reason(nvml: Any, clock: Any, count: object) -> None:
    nvml.spoil["nvmlDeviceGetCount"] = lambda: count
    assert NvmlSession(clock, nvml).read() == GpuTable((), "the NVIDIA driver can't be asked (ValueError)")


@pytest.mark.parametrize(
    ("code", "words"), [(15, "lost (fell off the bus); reset it or reboot"), (16, "needs a reset")]
)
def test_a_lost_gpu_keeps_its_row_and_harms_no_other(
    nvml: Any, clock: Any, healthy: Healthy, code: int, words: str
) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["nvmlDeviceGetPowerUsage", 1] = code
    clock.now += 1
    found = session.read()
    assert found == table(healthy(0), lost(healthy(1), words), reason=f"GPU 1: {words}")


def test_a_lost_gpu_is_asked_once_a_reading(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    nvml.calls.clear()
    session.read()
    assert nvml.calls.count("nvmlDeviceGetUtilizationRates") == 2  # on a sick GPU each call can take seconds
    assert nvml.calls.count("nvmlDeviceGetPowerUsage") == 1


def test_nvml_is_started_again_for_a_lost_gpu_but_not_often(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    for _ in range(60):
        clock.now += 1
        # Lost from the start of the new session on, it still has the values it had.
        assert session.read() == table(healthy(0), lost(healthy(1)), reason=f"GPU 1: {LOST}")
    assert nvml.calls.count("nvmlInit") == 1 + 4  # 2, 4, 8, 16 s after another; the next is due 32 s later
    del nvml.spoil["*", 1]
    clock.now += LAST_RETRY_S
    assert session.read() == table(healthy(0), healthy(1))
    nvml.calls.clear()
    clock.now += 10
    assert session.read().reason == ""
    assert "nvmlInit" not in nvml.calls
    nvml.spoil["*", 1] = 15
    session.read()
    clock.now += 2  # all was well in between: no longer than at first
    session.read()
    assert nvml.calls.count("nvmlInit") == 1


def test_many_lost_gpus_are_summed_up(nvml: Any, clock: Any) -> None:
    nvml.gpus = 6
    nvml.spoil |= {("*", gpu): 15 for gpu in range(6)}
    found = NvmlSession(clock, nvml).read()
    assert found.gpus == tuple(GpuView(index, lost=True, problems=(LOST,)) for index in range(6))
    assert found.reason.startswith("GPU 0: lost")
    assert found.reason.endswith("; and 2 more")


@pytest.mark.parametrize("code", [1, 9, 18])
@pytest.mark.parametrize("function", ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetComputeRunningProcesses_v3"])
def test_a_reloaded_driver_is_read_in_the_same_reading(
    nvml: Any, clock: Any, healthy: Healthy, code: int, function: str
) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    start = nvml.nvmlInit
    nvml.spoil[function] = code

    def restart() -> None:
        nvml.spoil.clear()
        start()

    nvml.nvmlInit = restart
    assert session.read() == table(healthy(0), healthy(1))


def test_a_driver_that_was_unloaded_is_waited_for(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil |= {"nvmlDeviceGetUtilizationRates": 1, "nvmlInit": 9}
    gone = tuple(lost(healthy(gpu), "NVIDIA driver not loaded") for gpu in (0, 1))
    assert session.read() == GpuTable(gone, "NVIDIA driver not loaded")
    calls = len(nvml.calls)
    assert session.read() == GpuTable(gone, "NVIDIA driver not loaded")
    assert len(nvml.calls) == calls
    nvml.spoil.clear()
    clock.now += 2
    assert session.read() == table(healthy(0), healthy(1))


def test_a_driver_that_dies_at_every_question_is_left_alone_for_a_while(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetUtilizationRates"] = 9
    session = NvmlSession(clock, nvml)
    assert session.read() == GpuTable((), "NVIDIA driver not loaded")
    assert nvml.calls.count("nvmlInit") == 2
    session.read()
    assert nvml.calls.count("nvmlInit") == 2


def test_a_gpu_that_only_fails_for_unknown_reasons_starts_nvml_again(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 0] = 999
    found = session.read()
    assert found.reason == "GPU 0: the driver fails for a reason it doesn't name"
    (problem,) = found.gpus[0].problems
    assert problem.startswith("utilization, memory, processes, graphics processes, power, temperature, ")
    assert problem.endswith(": the driver fails for a reason it doesn't name")
    assert found.gpus[1] == healthy(1)
    nvml.spoil.clear()
    clock.now += 2
    assert session.read() == table(healthy(0), healthy(1))
    assert nvml.calls.count("nvmlInit") == 2


def test_what_rarely_changes_is_rarely_asked_for(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.limit_mw = 400_000
    clock.now += 59
    assert session.read().gpus[0].power_limit_w == 700.0
    assert nvml.calls.count("nvmlDeviceGetName") == 2
    clock.now += 1
    nvml.spoil["nvmlDeviceGetName"] = "NVIDIA Other"
    assert session.read().gpus[0].name == "NVIDIA Other"
    assert nvml.calls.count("nvmlInit") == 1


def test_a_gpu_that_comes_or_goes_is_noticed(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.gpus = 3
    clock.now += 60
    assert [view.index for view in session.read().gpus] == [0, 1, 2]
    nvml.gpus = 1
    clock.now += 60
    assert session.read() == table(healthy(0))


def test_a_lost_gpu_that_the_driver_stops_counting_keeps_its_row(nvml: Any, clock: Any, healthy: Healthy) -> None:
    nvml.gpus = 3
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    session.read()
    nvml.spoil.clear()
    # The driver was started again without it: what was GPU 2 is GPU 1 now.
    nvml.gpus = 2
    nvml.spoil["nvmlDeviceGetUUID", 1] = "GPU-2"
    clock.now += 2
    words = "lost; the driver doesn't list it any more"
    expected = table(healthy(0), replace(healthy(1), uuid="GPU-2"), lost(healthy(1), words), reason=f"GPU 1: {words}")
    assert session.read() == expected
    nvml.gpus = 3
    nvml.spoil.clear()
    clock.now += LAST_RETRY_S
    assert session.read() == table(healthy(0), healthy(1), healthy(2))


def test_a_gpu_at_a_lost_ones_index_is_not_taken_for_it(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil |= {("nvmlDeviceGetUUID", 0): "GPU-1", ("nvmlDeviceGetHandleByIndex", 1): 15}
    clock.now += 60
    first, second = session.read().gpus
    assert first == replace(healthy(0), uuid="GPU-1")
    assert second == GpuView(1, lost=True, problems=(LOST,))


def test_versions_fail_alone(nvml: Any, clock: Any, healthy: Healthy) -> None:
    nvml.spoil["nvmlSystemGetDriverVersion"] = 13
    assert NvmlSession(clock, nvml).read() == replace(table(healthy(0), healthy(1)), driver=None)
    nvml.spoil = {"nvmlSystemGetCudaDriverVersion_v2": "12.8"}
    assert NvmlSession(clock, nvml).read() == replace(table(healthy(0), healthy(1)), cuda=None)
