"""What is asked for between two readings: limits, fan, links, errors, MIG instances, what runs over PCIe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fake_nvml import MIB, FakeNvml
from quarterdeck.hosts.nvml.links import THROUGHPUT_EVERY_S
from quarterdeck.hosts.nvml.session import NvmlSession
from quarterdeck.hosts.nvml.slow import SLOW_EVERY_S
from quarterdeck.hosts.throttling import BY_MARGIN
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, MigInstance, NvLink, PcieLink

Healthy = Callable[[int], GpuView]
NOT_SUPPORTED = 3


def always() -> bool:
    return True


def never() -> bool:
    return False


def test_a_reading_asks_for_what_is_slow_only_the_first_time(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.calls.clear()
    clock.now += SLOW_EVERY_S
    session.read()
    assert {*nvml.calls} == {
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetMemoryInfo_v2",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetGraphicsRunningProcesses_v3",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperatureV",
        "nvmlDeviceGetFieldValues",
        "nvmlDeviceGetClockInfo",
        "nvmlDeviceGetCurrentClocksEventReasons",
    }


def test_slow_values_are_renewed_in_between_when_they_are_due(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.limit_mw = 400_000
    clock.now += SLOW_EVERY_S - 1
    session.tidy(always)
    assert session.read().gpus[0].power_limit_w == 700.0
    clock.now += 1
    session.tidy(never)
    assert session.read().gpus[0].power_limit_w == 700.0
    session.tidy(always)
    assert [gpu.power_limit_w for gpu in session.read().gpus] == [400.0, 400.0]


def test_what_runs_over_pcie_is_measured_in_between(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    assert session.read().gpus[0] == healthy(0)
    session.tidy(always)
    expected = replace(healthy(1), pcie=PcieLink(4, 5, 8, 16, 101 * 1024.0, 201 * 1024.0))
    assert session.read().gpus[1] == expected
    nvml.calls.clear()
    clock.now += THROUGHPUT_EVERY_S - 1
    session.tidy(always)
    assert nvml.calls == []
    clock.now += 1
    session.tidy(always)
    assert nvml.calls == ["nvmlDeviceGetPcieThroughput"] * 4


def test_measuring_ends_when_a_question_comes_and_goes_on_where_it_ended(nvml: Any, clock: Any) -> None:
    nvml.gpus = 4
    session = NvmlSession(clock, nvml)
    session.read()
    for _ in range(4):
        allowed = iter([True, True, True, False, False])  # before each GPU and before each of its directions
        clock.now += 0.5
        session.tidy(lambda: next(allowed))  # noqa: B023
    assert nvml.calls.count("nvmlDeviceGetPcieThroughput") == 8
    assert all(gpu.pcie and gpu.pcie.received_bytes_ps for gpu in session.read().gpus)


def test_no_throughput_is_a_problem_of_its_own(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetPcieThroughput", 1] = NOT_SUPPORTED
    session = NvmlSession(clock, nvml)
    session.read()
    session.tidy(always)
    first, second = session.read().gpus
    assert first.problems == ()
    assert second.problems == ("PCIe sent, PCIe received: not supported by this GPU",)
    assert second.pcie == PcieLink(4, 5, 8, 16)


def test_a_gpu_that_is_lost_in_between_is_found_by_the_next_reading(nvml: Any, clock: Any, healthy: Healthy) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 0] = 15
    clock.now += SLOW_EVERY_S
    session.tidy(always)
    first, second = session.read().gpus
    assert (first.lost, first.at) == (True, 1000.0)
    assert second == replace(healthy(1), pcie=second.pcie)
    assert second.pcie is not None
    assert second.pcie.sent_bytes_ps is not None  # the lost one kept nobody waiting


def test_no_pcie_at_all(nvml: Any, clock: Any) -> None:
    for what in ("CurrPcieLinkGeneration", "MaxPcieLinkGeneration", "CurrPcieLinkWidth", "MaxPcieLinkWidth"):
        nvml.spoil["nvmlDeviceGet" + what] = NOT_SUPPORTED
    assert NvmlSession(clock, nvml).read().gpus[0].pcie is None


@pytest.mark.parametrize("as_field", [True, False])
def test_a_gpu_without_nvlinks_lacks_nothing(nvml: Any, clock: Any, as_field: bool) -> None:
    def refused() -> list[SimpleNamespace]:
        if as_field:
            return [SimpleNamespace(nvmlReturn=NOT_SUPPORTED, valueType=1, value=None)]
        raise nvml.NVMLError(NOT_SUPPORTED)

    nvml.spoil["nvmlDeviceGetFieldValues"] = refused
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.nvlinks == ()
    assert view.problems == ("memory temperature: not supported by this GPU",)


def test_older_gpus_count_nvlink_errors_elsewhere(nvml: Any, clock: Any) -> None:
    whole = nvml.nvmlDeviceGetFieldValues

    def older(gpu: int, ids: list[Any]) -> list[Any]:
        return [
            SimpleNamespace(nvmlReturn=NOT_SUPPORTED) if isinstance(wanted, tuple) else whole(gpu, [wanted])[0]
            for wanted in ids
        ]

    nvml.nvmlDeviceGetFieldValues = older
    assert NvmlSession(clock, nvml).read().gpus[0].nvlinks == (NvLink(0, True, 4000), NvLink(1, False, 4000))
    nvml.spoil["nvmlDeviceGetNvLinkErrorCounter"] = NOT_SUPPORTED
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.nvlinks == (NvLink(0, True), NvLink(1, False))
    assert view.problems == ("NVLink errors: not supported by this GPU",)


def test_an_nvlink_that_does_not_tell_its_state(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetNvLinkState"] = 999
    view = NvmlSession(clock, nvml).read().gpus[1]
    assert view.nvlinks == (NvLink(0, None, 30), NvLink(1, None, 33))
    assert view.problems == ("NVLink state: the driver fails for a reason it doesn't name",)


@pytest.mark.parametrize("count", [-1, 10**9, "2", None])
def test_a_senseless_number_of_nvlinks_is_unknown(nvml: Any, clock: Any, count: object) -> None:
    nvml.spoil["nvmlDeviceGetFieldValues"] = lambda: [
        SimpleNamespace(nvmlReturn=0, valueType=1, value=SimpleNamespace(uiVal=count))
    ]
    assert NvmlSession(clock, nvml).read().gpus[0].nvlinks is None


def test_memory_errors_fail_one_by_one(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetRemappedRows"] = NOT_SUPPORTED
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.ecc == Ecc(5, 6)
    assert view.problems == ("remapped rows: not supported by this GPU",)
    nvml.spoil |= {"nvmlDeviceGetTotalEccErrors": NOT_SUPPORTED, "nvmlDeviceGetMemoryErrorCounter": NOT_SUPPORTED}
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.ecc is None
    assert view.problems == ("corrected errors, uncorrected errors, remapped rows: not supported by this GPU",)


def slice_view(number: int) -> MigInstance:
    """What the fake driver says of a MIG instance."""
    return MigInstance(number, f"GPU-{100 + number}", f"{number}g.5gb", 10 + number, 0, number * MIB, 200 * MIB)


def test_mig_instances_have_memory_of_their_own(nvml: Any, clock: Any) -> None:
    nvml.slices[1] = [0, 3]
    session = NvmlSession(clock, nvml)
    first, second = session.read().gpus
    assert (first.mig, second.mig) == ((), (slice_view(0), slice_view(3)))
    nvml.spoil["nvmlDeviceGetMemoryInfo_v2", 103] = SimpleNamespace(total=200 * MIB, used=150 * MIB, reserved=0)
    assert session.read().gpus[1].mig[1].memory_used_bytes == 150 * MIB


def test_mig_instances_come_and_go(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    for numbers, expected in (([2], (slice_view(2),)), ([], ())):
        nvml.slices = {0: numbers} if numbers else {}
        clock.now += SLOW_EVERY_S
        session.tidy(always)
        assert session.read().gpus[0].mig == expected


def test_a_gpu_that_cannot_be_split_lacks_nothing(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetMigMode"] = NOT_SUPPORTED
    assert NvmlSession(clock, nvml).read().gpus[0].problems == ()


def test_mig_memory_that_is_refused(nvml: Any, clock: Any) -> None:
    nvml.slices[0] = [1]
    nvml.spoil |= {("nvmlDeviceGetMemoryInfo", 101): 4, ("nvmlDeviceGetMemoryInfo_v2", 101): 4}
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert (view.mig[0].memory_used_bytes, view.mig[0].memory_total_bytes) == (None, None)
    assert view.problems == ("MIG memory: no permission",)
    assert view.memory_used_bytes == 300 * MIB


def test_processes_of_a_split_gpu_are_those_of_its_instances_where_only_root_may_ask(nvml: Any, clock: Any) -> None:
    nvml.slices[0] = [1, 2]
    nvml.spoil |= {("nvmlDeviceGetComputeRunningProcesses_" + version, 0): 4 for version in ("v2", "v3")}
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.processes == (GpuProcess(42, 2 * 2**30),)
    assert view.problems == ()


class ByMargin(FakeNvml):
    """A GPU that tells how far it is from its limit, and at which margins something happens."""

    margin: object = 44
    slowdown = -2

    def nvmlDeviceGetFieldValues(self, handle: int, fields: tuple[Any, ...]) -> object:  # noqa: N802  (NVML's name)
        if fields != (194,):
            return super().__getattr__("nvmlDeviceGetFieldValues")(handle, fields)
        return [SimpleNamespace(nvmlReturn=0, valueType=5, value=SimpleNamespace(siVal=self.slowdown))]

    def nvmlDeviceGetMarginTemperature(self, _: int) -> object:  # noqa: N802
        return self.margin


@pytest.mark.parametrize(
    ("margin", "slowdown", "problem"),
    [(44, 61.0 + 44 + 2, f"slowdown temperature: {BY_MARGIN}"), (None, None, "slowdown temperature: not supported")],
)
def test_where_only_margins_are_told(margin: object, slowdown: float | None, problem: str, clock: Any) -> None:
    nvml = ByMargin()
    nvml.margin = margin
    nvml.spoil["nvmlDeviceGetTemperatureThreshold"] = 3
    session = NvmlSession(clock, nvml)
    for _ in range(2):
        gpu = session.read().gpus[0]
        assert gpu.slowdown_c == slowdown
        assert any(found.startswith(problem) for found in gpu.problems)
        clock.now += 20
    session.end()


def test_a_split_gpu_that_does_not_tell_its_memory_has_not_the_machines(nvml: Any, clock: Any) -> None:
    nvml.slices = {1: [0]}
    nvml.spoil |= {("nvmlDeviceGetMemoryInfo_v2", 1): NOT_SUPPORTED, ("nvmlDeviceGetMemoryInfo", 1): NOT_SUPPORTED}
    session = NvmlSession(clock, nvml)
    gpu = session.read().gpus[1]
    session.end()
    assert [each.name for each in gpu.mig] == ["0g.5gb"]
    assert (gpu.unified, gpu.memory_used_bytes, gpu.memory_total_bytes) == (False, None, None)
    assert "memory: not supported by this GPU" in gpu.problems
