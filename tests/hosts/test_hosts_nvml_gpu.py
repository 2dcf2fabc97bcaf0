"""One GPU by a hand-made driver: every getter failing alone in every way, older drivers, nonsense."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

import pytest

from quarterdeck.hosts.nvml.session import GpuTable, NvmlSession
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView

Healthy = Callable[[int], GpuView]
GETTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "name": ("name", ("nvmlDeviceGetName",)),
    "uuid": ("UUID", ("nvmlDeviceGetUUID",)),
    "power_limit_w": ("power limit", ("nvmlDeviceGetEnforcedPowerLimit", "nvmlDeviceGetPowerManagementLimit")),
    "utilization": ("utilization", ("nvmlDeviceGetUtilizationRates",)),
    "memory_used_bytes": ("memory", ("nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetMemoryInfo")),
    "power_w": ("power", ("nvmlDeviceGetPowerUsage",)),
    "temperature_c": ("temperature", ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature")),
    "processes": (
        "processes",
        ("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetComputeRunningProcesses_v2"),
    ),
    "slowdown_c": ("slowdown temperature", ("nvmlDeviceGetTemperatureThreshold",)),
    "fan": ("fan", ("nvmlDeviceGetFanSpeed",)),
    "throttle": (
        "throttle reasons",
        ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"),
    ),
    "performance_state": ("performance state", ("nvmlDeviceGetPerformanceState",)),
    "encoder": ("encoder", ("nvmlDeviceGetEncoderUtilization",)),
    "decoder": ("decoder", ("nvmlDeviceGetDecoderUtilization",)),
}
TOGETHER = {
    "memory_used_bytes": {"memory_total_bytes", "memory_reserved_bytes"},
    "utilization": {"memory_utilization"},
}
"""Fields that one answer gives."""
VALUES = tuple(field.name for field in fields(GpuView) if field.name != "problems")
ERRORS: tuple[tuple[object, str], ...] = (
    (2, "refused by the driver"),
    (3, "not supported by this GPU"),
    (4, "no permission"),
    (6, "not found"),
    (10, "timed out"),
    (13, "too old"),
    (14, "inforom"),
    (17, "operating system"),
    (19, "in use"),
    (20, "out of memory"),
    (21, "no data"),
    (25, "disagree"),
    (27, "not ready"),
    (999, "doesn't name"),
    (777, "NVML error 777"),
    (RuntimeError("\x1b[31m"), "makes no sense (RuntimeError)"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "makes no sense (UnicodeDecodeError)"),
    (AttributeError, "not known to this version of nvidia-ml-py"),
    ("garbage", "makes no sense"),
)


def values(view: GpuView) -> dict[str, object]:
    return {name: getattr(view, name) for name in VALUES}


def test_every_value_in_its_unit(nvml: Any, clock: Any, healthy: Healthy) -> None:
    assert NvmlSession(clock, nvml).read() == GpuTable((healthy(0), healthy(1)), "", "570.133.20", "12.8")


NO_MEMORY_OF_ITS_OWN = ("memory_used_bytes", 3)
CASES = [(field, *error) for field in GETTERS for error in ERRORS if (field, error[0]) != NO_MEMORY_OF_ITS_OWN]


@pytest.mark.parametrize(("field", "error", "words"), CASES, ids=lambda e: str(e)[:20])
def test_one_getter_fails_alone(nvml: Any, healthy: Healthy, field: str, error: object, words: str) -> None:
    what, functions = GETTERS[field]
    if error == "garbage":
        error = [] if field in ("name", "uuid") else {} if field == "processes" else "garbage"
    for function in functions:
        nvml.spoil[function, 1] = error
    first, second = NvmlSession(lambda: 0.0, nvml).read().gpus
    assert first == healthy(0)
    lacking = {field} | TOGETHER.get(field, set())
    assert values(second) == {n: None if n in lacking else v for n, v in values(healthy(1)).items()}
    (problem,) = second.problems
    assert problem.startswith(f"{what}: ")
    assert words in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("newest", "field", "expected"),
    [
        ("nvmlDeviceGetCurrentClocksEventReasons", "throttle", ("power cap",)),
        ("nvmlDeviceGetTotalEccErrors", "ecc", Ecc(9, 9, 3, remap_pending=True, remap_failed=False)),
        ("nvmlDeviceGetMemoryInfo_v2", "memory_used_bytes", 350 * 2**20),
        ("nvmlDeviceGetTemperatureV", "temperature_c", 60.0),
        ("nvmlDeviceGetEnforcedPowerLimit", "power_limit_w", 650.0),
        ("nvmlDeviceGetComputeRunningProcesses_v3", "processes", (GpuProcess(2, 2),)),
        ("nvmlDeviceGetGraphicsRunningProcesses_v3", "processes", (GpuProcess(3, 3), GpuProcess(42, 2**30))),
    ],
)
def test_older_interface_steps_in_without_a_problem(
    nvml: Any, clock: Any, newest: str, field: str, expected: object
) -> None:
    for error in (13, 25, 3, AttributeError):
        nvml.spoil[newest] = error
        view = NvmlSession(clock, nvml).read().gpus[0]
        assert getattr(view, field) == expected
        assert view.problems == ()


def test_graphics_processes_alone_missing_leave_the_compute_ones(nvml: Any, clock: Any) -> None:
    for version in ("_v3", "_v2"):
        nvml.spoil["nvmlDeviceGetGraphicsRunningProcesses" + version] = 3
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.processes == (GpuProcess(42, 2**30),)
    assert view.problems == ("graphics processes: not supported by this GPU",)


def test_processes_are_merged_by_pid(nvml: Any, clock: Any) -> None:
    def held(pid: int, memory: object) -> SimpleNamespace:
        return SimpleNamespace(pid=pid, usedGpuMemory=memory)

    nvml.processes = {
        # 5 is there once for each of its MIG instances; 9 holds memory the driver won't tell; 8 is in both lists.
        "Compute": [held(5, 100), held(5, 50), held(9, None), held(8, 7), SimpleNamespace(), held(-1, 3)],
        "Graphics": [held(8, 7), held(6, 1), held(9, None)],
    }
    assert NvmlSession(clock, nvml).read().gpus[0].processes == (
        GpuProcess(5, 150),
        GpuProcess(6, 1),
        GpuProcess(8, 7),
        GpuProcess(9, None),
    )


@pytest.mark.parametrize(
    "memory",
    [
        SimpleNamespace(total=10, used=11),
        SimpleNamespace(total=0, used=0),
        SimpleNamespace(total=2**70, used=1),
        SimpleNamespace(total=10),
    ],
)
def test_senseless_memory_is_unknown(nvml: Any, clock: Any, memory: object) -> None:
    nvml.spoil |= {"nvmlDeviceGetMemoryInfo": memory, "nvmlDeviceGetMemoryInfo_v2": memory}
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert (view.memory_used_bytes, view.memory_total_bytes) == (None, None)
    assert view.problems == ("memory: the driver's answer makes no sense",)
    assert not view.unified


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mRTX\x1b[0m\n5090\x07", "RTX 5090"),
        (b"RTX 5090", "RTX 5090"),
        ("\x00\x1b", None),
        ("", None),
    ],
)
def test_hostile_names_are_cleaned(nvml: Any, clock: Any, name: object, shown: str | None) -> None:
    nvml.spoil |= {"nvmlDeviceGetName": name, "nvmlDeviceGetUUID": name}
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert (view.name, view.uuid) == (shown, shown)


def test_endless_names_are_cut(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetName"] = "x" * 10**6
    assert len(NvmlSession(clock, nvml).read().gpus[0].name or "") == 80


def test_missing_values_are_told_by_reason(nvml: Any, clock: Any) -> None:
    nvml.spoil |= {
        "nvmlDeviceGetFanSpeed": 3,
        "nvmlDeviceGetEncoderUtilization": 3,
        "nvmlDeviceGetDecoderUtilization": 4,
        "nvmlDeviceGetPowerUsage": 3,
    }
    assert NvmlSession(clock, nvml).read().gpus[0].problems == (
        "power, fan, encoder: not supported by this GPU",
        "decoder: no permission",
    )


def test_what_is_not_supported_is_asked_for_once_a_minute(nvml: Any, clock: Any) -> None:
    for function in ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"):
        nvml.spoil[function] = 3
    nvml.spoil["nvmlDeviceGetPowerUsage"] = 4
    session = NvmlSession(clock, nvml)
    for _ in range(59):
        session.read()
        clock.now += 1
    assert nvml.calls.count("nvmlDeviceGetTemperatureV") == 2  # once for each GPU
    assert nvml.calls.count("nvmlDeviceGetPowerUsage") == 2 * 59  # permission may be given at any time
    assert session.read().gpus[0].problems == ("power: no permission", "temperature: not supported by this GPU")
    nvml.spoil.clear()
    clock.now += 1
    assert session.read().gpus[0].temperature_c == 61.0


def test_an_older_interface_that_answered_is_asked_first(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetTemperatureV"] = 13
    session = NvmlSession(clock, nvml)
    for _ in range(5):
        session.read()
    assert nvml.calls.count("nvmlDeviceGetTemperatureV") == 2
    nvml.spoil = {"nvmlDeviceGetTemperature": 13}
    assert session.read().gpus[0].temperature_c == 61.0


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (0x0, ()),
        (0x1, ()),
        (0x103, ()),
        (0x5, ("power cap",)),
        (0x68, ("hardware slowdown", "hardware thermal slowdown", "software thermal slowdown")),
        (-1, None),
        ("4", None),
    ],
)
def test_what_holds_the_clocks_back(nvml: Any, clock: Any, mask: object, words: tuple[str, ...] | None) -> None:
    for function in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        nvml.spoil[function] = lambda: mask
    assert NvmlSession(clock, nvml).read().gpus[0].throttle == words


def no_memory(nvml: Any) -> None:
    nvml.spoil |= {"nvmlDeviceGetMemoryInfo": 3, "nvmlDeviceGetMemoryInfo_v2": 3}


def test_a_gpu_without_memory_of_its_own_uses_the_machines(nvml: Any, clock: Any, healthy: Healthy) -> None:
    no_memory(nvml)
    view = NvmlSession(clock, nvml).read().gpus[0]
    expected = replace(healthy(0), memory_used_bytes=2**30, memory_total_bytes=None, memory_reserved_bytes=None)
    told = ("memory used: the GPU shares the machine's; this is what its processes hold",)
    assert view == replace(expected, unified=True, problems=told)


@pytest.mark.parametrize("processes", [[SimpleNamespace(pid=4, usedGpuMemory=None)], "garbage"])
def test_shared_memory_in_use_is_unknown_where_processes_do_not_tell(nvml: Any, clock: Any, processes: object) -> None:
    no_memory(nvml)
    for version in ("_v3", "_v2"):
        nvml.spoil["nvmlDeviceGetComputeRunningProcesses" + version] = lambda: processes
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert (view.memory_used_bytes, view.unified) == (None, True)
    told = "memory used: the GPU shares the machine's, and its processes don't tell what they hold"
    assert told in view.problems


@pytest.mark.parametrize("said", [0, 999])
def test_a_gpu_without_a_memory_sensor(nvml: Any, clock: Any, said: int) -> None:
    def field() -> list[SimpleNamespace]:
        code = 3 if said == 999 else 0
        return [SimpleNamespace(nvmlReturn=code, valueType=1, value=SimpleNamespace(uiVal=said))]

    nvml.spoil["nvmlDeviceGetFieldValues", 0] = field
    view = NvmlSession(clock, nvml).read().gpus[0]
    assert view.memory_temperature_c is None
    assert "memory temperature" in view.problems[0]
    assert view.problems[0].endswith("not supported by this GPU")


def test_processes_that_do_not_change_stay_the_same_object(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    first = session.read().gpus[0].processes
    assert session.read().gpus[0].processes is first
    nvml.processes["Compute"] = [SimpleNamespace(pid=42, usedGpuMemory=2**29)]
    assert session.read().gpus[0].processes == (GpuProcess(42, 2**29),)
