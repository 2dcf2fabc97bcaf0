"""Questions put straight to the driver: what the binding answers, and the binding where that can't be."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from fake_nvml import FakeNvml
from quarterdeck.hosts.nvml import direct
from quarterdeck.hosts.nvml.ask import call
from simulated_gpus import Simulated

BOTH = """
import json, os, pathlib
import pynvml as nv
from quarterdeck.hosts.nvml import direct
from quarterdeck.hosts.nvml.values import process_list

nv.nvmlInit()
handles = {gpu: nv.nvmlDeviceGetHandleByIndex(gpu) for gpu in (0, 5)}
pathlib.Path(os.environ["FAKE_NVML_FILE"]).write_text(SPOILT)

def plain(value):
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, (list, dict)):
        return sorted(process_list(value).items())
    if isinstance(value, (tuple, nv.Array)):
        return [(each.fieldId, each.scopeId, each.valueType, each.nvmlReturn, each.value.ullVal) for each in value]
    return {name: getattr(value, name) for name, _ in value._fields_}

def said(way):
    try:
        return plain(way())
    except nv.NVMLError as error:
        return [type(error).__name__, error.value]

found = {}
numbers = sorted(direct._NUMBERS | direct._LONG_NUMBERS)
more = {"nvmlDeviceGetClockInfo": (1,), "nvmlDeviceGetMaxClockInfo": (2,), "nvmlDeviceGetTemperatureThreshold": (1,),
        "nvmlDeviceGetPcieThroughput": (0,), "nvmlDeviceGetNvLinkState": (3,), "nvmlDeviceGetTotalEccErrors": (0, 0),
        "nvmlDeviceGetTemperatureV": (0,)}
for gpu, handle in handles.items():
    for name in (*numbers, *sorted(direct._PROCESSES), "nvmlDeviceGetUtilizationRates", "nvmlDeviceGetTemperatureV"):
        arguments = (handle, *more.get(name, ()))
        way = direct.straight(nv, name, arguments, {})
        found[f"{name} {gpu}"] = [said(way), said(way), said(lambda: getattr(nv, name)(*arguments))]
    way = direct.straight(nv, "nvmlDeviceGetMemoryInfo", (handle,), {"version": nv.nvmlMemory_v2})
    found[f"memory {gpu}"] = [said(way), said(way), said(lambda: nv.nvmlDeviceGetMemoryInfo(handle, nv.nvmlMemory_v2))]
    ids = [82, 91, (161, 2), 9999]
    way = direct.fields(nv, handle, ids)
    found[f"fields {gpu}"] = [said(way), said(way), said(lambda: nv.nvmlDeviceGetFieldValues(handle, ids))]
print(json.dumps(found))
"""
MANY = "".join(f"* proc {pid} {pid - 4000} C\n" for pid in range(4001, 4041))


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        MANY,
        "5 lost\n",
        *(f"* fail {name} {{}}\n" for name in ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetMemoryInfo_v2")),
        "* fail nvmlDeviceGetComputeRunningProcesses_v3 {}\n* fail nvmlDeviceGetFieldValues {}\n",
        "* fail nvmlDeviceGetTemperatureV {}\n* fail nvmlDeviceGetUtilizationRates {}\n",
    ],
    ids=["well", "many processes", "lost", "power", "memory", "processes and fields", "temperature and utilization"],
)
@pytest.mark.parametrize("code", [3, 999])
def test_the_answers_and_errors_are_the_bindings(simulated: Simulated, spoilt: str, code: int) -> None:
    found = simulated.python(BOTH.replace("SPOILT", repr(spoilt.replace("{}", str(code)))))
    assert len(found) == 2 * 21
    for what, (ours, again, bindings) in found.items():
        assert ours == again == bindings, what


CHANGES = """
import json, os, pathlib
import pynvml as nv
from quarterdeck.hosts.nvml import direct

control = pathlib.Path(os.environ["FAKE_NVML_FILE"])
nv.nvmlInit()
way = direct.straight(nv, "nvmlDeviceGetComputeRunningProcesses_v3", (nv.nvmlDeviceGetHandleByIndex(0),), {})
found, before = [], None
for text in ("* proc 4001 7 C", "* proc 4001 7 C", "* proc 4001 8 C", "* proc 4001 8 C\\n* proc 4002 9 C"):
    control.write_text(text + "\\n")
    held = way()
    found.append([sorted(held.items()), held is before])
    before = held
print(json.dumps(found))
"""


def test_processes_are_the_same_object_while_nothing_changes(simulated: Simulated) -> None:
    mib = 2**20
    one, more, two = [[4001, 7 * mib]], [[4001, 8 * mib]], [[4001, 8 * mib], [4002, 9 * mib]]
    found = simulated.python(CHANGES)
    assert found == [[one, False], [one, True], [more, False], [two, False]]


class Driver:
    """A driver's function for a list of processes, that tells of ``wanted`` of them, and then of ``later``."""

    def __init__(self, wanted: int, later: int | None = None, code: int = 0) -> None:
        self.wanted, self.later, self.code = wanted, later, code
        self.rooms: list[int] = []

    def __call__(self, _handle: object, count: Any, room: Any) -> int:
        asked, told = count._obj, self.wanted
        self.rooms.append(asked.value)
        if self.later is not None:
            self.wanted = self.later
        if told > asked.value:
            asked.value = told
            return int(pynvml.NVML_ERROR_INSUFFICIENT_SIZE)
        asked.value = told
        for number in range(told):
            room[number].pid = 100 + number
            room[number].usedGpuMemory = pynvml.NVML_VALUE_NOT_AVAILABLE_ulonglong.value if number == 1 else number
        return self.code


def test_there_is_room_for_as_many_processes_as_there_are() -> None:
    driver = Driver(40)
    asked = direct._Processes(pynvml, driver, 0)
    assert len(asked.read()) == 40
    assert len(asked.read()) == 40
    assert driver.rooms == [16, 85, 85]


def test_bytes_that_the_driver_does_not_tell_are_unknown() -> None:
    assert direct._Processes(pynvml, Driver(3), 0).read() == {100: 0, 101: None, 102: 2}


@pytest.mark.parametrize(
    ("driver", "code", "rooms"),
    [
        (Driver(40, later=100), pynvml.NVML_ERROR_INSUFFICIENT_SIZE, [16, 85]),
        (Driver(2**31), pynvml.NVML_ERROR_INSUFFICIENT_SIZE, [16]),
        (Driver(1, code=pynvml.NVML_ERROR_NO_PERMISSION), pynvml.NVML_ERROR_NO_PERMISSION, [16]),
    ],
)
def test_a_list_that_does_not_come_is_an_error(driver: Driver, code: int, rooms: list[int]) -> None:
    with pytest.raises(pynvml.NVMLError) as caught:
        direct._Processes(pynvml, driver, 0).read()
    assert caught.value.value == code
    assert driver.rooms == rooms


def test_a_field_that_the_driver_leaves_out_is_not_what_it_said_before() -> None:
    said = [71]

    def driver(_handle: object, _count: object, room: Any) -> int:
        for value in said:
            room._obj[0].valueType, room._obj[0].value.uiVal = 1, value
        return 0

    way = direct._fields(pynvml, {"nvmlDeviceGetFieldValues": driver}, 0, [82])
    assert [(each.fieldId, each.value.uiVal) for each in way()] == [(82, 71)]
    said.clear()
    assert [(each.fieldId, each.valueType, each.value.uiVal) for each in way()] == [(82, 0, 0)]


def test_what_the_driver_lacks_is_asked_by_the_binding() -> None:
    nvml = SimpleNamespace(nvmlLib=ctypes.CDLL(None), nvmlDeviceGetPowerUsage=lambda handle: handle + 1)
    assert direct.straight(nvml, "nvmlDeviceGetPowerUsage", (1,), {}) is None
    assert call(nvml, "nvmlDeviceGetPowerUsage", 1)() == 2


def test_what_stands_in_for_the_binding_is_asked_itself(nvml: FakeNvml) -> None:
    nvml.running = True
    assert direct.straight(nvml, "nvmlDeviceGetPowerUsage", (1,), {}) is None
    assert [each.value.uiVal for each in direct.fields(nvml, 1, [82])()] == [71]


def test_only_what_is_named_goes_straight() -> None:
    assert direct.straight(pynvml, "nvmlDeviceGetName", (1,), {}) is None
