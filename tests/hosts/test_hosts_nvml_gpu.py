"""One GPU by a hand-made driver: every getter failing alone in every way, older drivers, nonsense."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts.nvml_session import GpuTable, NvmlSession
from quarterdeck.model.gpu import GpuProcess, GpuView

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
}
VALUES = (*GETTERS, "memory_total_bytes")
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
    assert NvmlSession(clock, nvml).read() == GpuTable((healthy(0), healthy(1)), "")


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda e: str(e)[:20])
@pytest.mark.parametrize("field", GETTERS)
def test_one_getter_fails_alone(nvml: Any, healthy: Healthy, field: str, error: object, words: str) -> None:
    what, functions = GETTERS[field]
    if error == "garbage":
        error = [] if field in ("name", "uuid") else {} if field == "processes" else "garbage"
    for function in functions:
        nvml.spoil[function, 1] = error
    first, second = NvmlSession(lambda: 0.0, nvml).read().gpus
    assert first == healthy(0)
    lacking = {field, "memory_total_bytes"} if field == "memory_used_bytes" else {field}
    assert values(second) == {n: None if n in lacking else v for n, v in values(healthy(1)).items()}
    (problem,) = second.problems
    assert problem.startswith(f"{what}: ")
    assert words in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    ("newest", "field", "expected"),
    [
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


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**70), max_value=2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(lambda a, b: SimpleNamespace(gpu=a, used=a, total=b, pid=a, usedGpuMemory=b), inner, inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(f for _, fs in GETTERS.values() for f in fs)), _anything))
def test_whatever_a_driver_answers_is_a_reading(new_nvml: Any, answers: dict[str, object]) -> None:
    driver = new_nvml()
    driver.spoil = {name: (lambda value=value: value) for name, value in answers.items()}
    table = NvmlSession(lambda: 0.0, driver).read()
    assert len(table.gpus) == 2
    for view in table.gpus:
        assert view.utilization is None or 0 <= view.utilization <= 1
        assert view.power_w is None or 0 <= view.power_w < 1e5
        assert view.temperature_c is None or -100 <= view.temperature_c <= 300
        if view.memory_used_bytes is not None:
            assert 0 <= view.memory_used_bytes <= (view.memory_total_bytes or 0)
        for process in view.processes or ():
            assert process.pid >= 0
            assert process.memory_bytes is None or process.memory_bytes >= 0
        for text in (view.name or "x", view.uuid or "x", *view.problems):
            assert text.isprintable()
        assert sum(getattr(view, name) is None for name in GETTERS) == len(view.problems)
