"""NVML by a hand-made driver: every getter failing in every way, GPUs that are lost, drivers that are not there."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.hosts.nvml_session import LAST_RETRY_S, GpuTable, NvmlSession
from quarterdeck.model.fleet import GpuProcess, GpuView

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


def healthy(gpu: int) -> GpuView:
    """What the fake driver says of a GPU, in our units."""
    return GpuView(
        gpu,
        f"GPU-{gpu}",
        f"NVIDIA Test {gpu}",
        utilization=(50 + gpu) / 100,
        memory_used_bytes=(300 + gpu) * 2**20,
        memory_total_bytes=1000 * 2**20,
        power_w=(312_500 + gpu) / 1000,
        power_limit_w=700.0,
        temperature_c=61.0 + gpu,
        processes=(GpuProcess(42, 2**30),),
    )


def values(view: GpuView) -> dict[str, object]:
    return {name: getattr(view, name) for name in VALUES}


def test_every_value_in_its_unit(nvml: Any, clock: Any) -> None:
    assert NvmlSession(clock, nvml).read() == GpuTable((healthy(0), healthy(1)), "")


@pytest.mark.parametrize(("error", "words"), ERRORS, ids=lambda e: str(e)[:20])
@pytest.mark.parametrize("field", GETTERS)
def test_one_getter_fails_alone(nvml: Any, clock: Any, field: str, error: object, words: str) -> None:
    what, functions = GETTERS[field]
    if error == "garbage":
        error = [] if field in ("name", "uuid") else {} if field == "processes" else "garbage"
    for function in functions:
        nvml.spoil[function, 1] = error
    first, second = NvmlSession(clock, nvml).read().gpus
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


def test_a_missing_driver_is_looked_for_less_and_less_often(nvml: Any, clock: Any) -> None:
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
    assert session.read() == GpuTable((healthy(0), healthy(1)), "")


def test_a_driver_without_gpus_says_so(nvml: Any, clock: Any) -> None:
    nvml.gpus = 0
    assert NvmlSession(clock, nvml).read() == GpuTable((), "driver loaded, no GPU")


@pytest.mark.parametrize("count", [-1, 10**9, "8", None, 2.5, True])
def test_a_senseless_count_is_a_reason(nvml: Any, clock: Any, count: object) -> None:
    nvml.spoil["nvmlDeviceGetCount"] = lambda: count
    table = NvmlSession(clock, nvml).read()
    assert table == GpuTable((), "the NVIDIA driver can't be asked (ValueError)")


@pytest.mark.parametrize(
    ("code", "words"), [(15, "lost (fell off the bus); reset it or reboot"), (16, "needs a reset")]
)
def test_a_lost_gpu_keeps_its_row_and_harms_no_other(nvml: Any, clock: Any, code: int, words: str) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["nvmlDeviceGetPowerUsage", 1] = code
    table = session.read()
    assert table.gpus == (healthy(0), GpuView(1, "GPU-1", "NVIDIA Test 1", problems=(words,)))
    assert table.reason == f"GPU 1: {words}"


def test_a_lost_gpu_is_asked_once_a_reading(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    nvml.calls.clear()
    session.read()
    assert nvml.calls.count("nvmlDeviceGetUtilizationRates") == 2  # on a sick GPU each call can take seconds
    assert nvml.calls.count("nvmlDeviceGetPowerUsage") == 1


def test_nvml_is_started_again_for_a_lost_gpu_but_not_often(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 1] = 15
    for _ in range(60):
        clock.now += 1
        table = session.read()
        # Lost from the start of the new session on, it still has the name it had.
        assert table.gpus[1] == GpuView(
            1, "GPU-1", "NVIDIA Test 1", problems=("lost (fell off the bus); reset it or reboot",)
        )
        assert table.gpus[0] == healthy(0)
    assert nvml.calls.count("nvmlInit") == 1 + 4  # 2, 4, 8, 16 s after another; the next is due 32 s later
    del nvml.spoil["*", 1]
    clock.now += LAST_RETRY_S
    assert session.read() == GpuTable((healthy(0), healthy(1)), "")
    nvml.calls.clear()
    clock.now += 10
    assert session.read().reason == ""
    assert "nvmlInit" not in nvml.calls


def test_many_lost_gpus_are_summed_up(nvml: Any, clock: Any) -> None:
    nvml.gpus = 6
    nvml.spoil |= {("*", gpu): 15 for gpu in range(6)}
    table = NvmlSession(clock, nvml).read()
    assert [view.index for view in table.gpus] == list(range(6))
    assert table.reason.startswith("GPU 0: lost")
    assert table.reason.endswith("; and 2 more")


@pytest.mark.parametrize("code", [1, 9, 18])
@pytest.mark.parametrize("function", ["nvmlDeviceGetUtilizationRates", "nvmlDeviceGetComputeRunningProcesses_v3"])
def test_a_reloaded_driver_is_read_in_the_same_reading(nvml: Any, clock: Any, code: int, function: str) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    start = nvml.nvmlInit
    nvml.spoil[function] = code

    def restart() -> None:
        nvml.spoil.clear()
        start()

    nvml.nvmlInit = restart
    assert session.read() == GpuTable((healthy(0), healthy(1)), "")


def test_a_driver_that_was_unloaded_is_waited_for(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil |= {"nvmlDeviceGetUtilizationRates": 1, "nvmlInit": 9}
    assert session.read() == GpuTable((), "NVIDIA driver not loaded")
    calls = len(nvml.calls)
    assert session.read() == GpuTable((), "NVIDIA driver not loaded")
    assert len(nvml.calls) == calls
    nvml.spoil.clear()
    clock.now += 2
    assert session.read() == GpuTable((healthy(0), healthy(1)), "")


def test_a_driver_that_dies_at_every_question_is_left_alone_for_a_while(nvml: Any, clock: Any) -> None:
    nvml.spoil["nvmlDeviceGetUtilizationRates"] = 9
    session = NvmlSession(clock, nvml)
    assert session.read() == GpuTable((), "NVIDIA driver not loaded")
    assert nvml.calls.count("nvmlInit") == 2
    session.read()
    assert nvml.calls.count("nvmlInit") == 2


def test_a_gpu_that_only_fails_for_unknown_reasons_starts_nvml_again(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.spoil["*", 0] = 999
    table = session.read()
    assert table.reason == "GPU 0: the driver fails for a reason it doesn't name"
    assert len(table.gpus[0].problems) == 6
    assert table.gpus[1] == healthy(1)
    nvml.spoil.clear()
    clock.now += 2
    assert session.read() == GpuTable((healthy(0), healthy(1)), "")
    assert nvml.calls.count("nvmlInit") == 2


def test_what_rarely_changes_is_rarely_asked_for(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.limit_mw = 400_000
    clock.now += 59
    assert session.read().gpus[0].power_limit_w == 700.0
    assert nvml.calls.count("nvmlDeviceGetName") == 2
    clock.now += 1
    assert session.read().gpus[0].power_limit_w == 400.0
    assert nvml.calls.count("nvmlInit") == 1


def test_a_gpu_that_comes_or_goes_is_noticed(nvml: Any, clock: Any) -> None:
    session = NvmlSession(clock, nvml)
    session.read()
    nvml.gpus = 3
    clock.now += 60
    assert [view.index for view in session.read().gpus] == [0, 1, 2]
    nvml.gpus = 1
    clock.now += 60
    assert session.read() == GpuTable((healthy(0),), "")


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
