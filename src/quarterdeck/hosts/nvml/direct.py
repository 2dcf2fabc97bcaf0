"""Questions put straight to the driver's library, where the binding's own work takes longer than the driver does.

At every call the binding looks its function up, makes room for the answer and wraps what comes. Here that is done once per question:
the structures and errors are the binding's, and so is every question that isn't named here. The room for an answer belongs to one
thread, and what is in it holds until the question is asked again.
"""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from quarterdeck.hosts.nvml.values import Held, process_list

_NUMBERS = frozenset(
    (
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetClockInfo",
        "nvmlDeviceGetMaxClockInfo",
        "nvmlDeviceGetEnforcedPowerLimit",
        "nvmlDeviceGetTemperatureThreshold",
        "nvmlDeviceGetFanSpeed",
        "nvmlDeviceGetPerformanceState",
        "nvmlDeviceGetCurrPcieLinkGeneration",
        "nvmlDeviceGetMaxPcieLinkGeneration",
        "nvmlDeviceGetCurrPcieLinkWidth",
        "nvmlDeviceGetMaxPcieLinkWidth",
        "nvmlDeviceGetPcieThroughput",
        "nvmlDeviceGetNvLinkState",
    )
)
"""They write one `unsigned int` to their last argument …"""
_LONG_NUMBERS = frozenset(("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetTotalEccErrors"))
"""… and these an `unsigned long long`."""
_PROCESSES = frozenset(("nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetGraphicsRunningProcesses_v3"))
_ROOM = 16
_MOST_ROOM = 65_536
_LACKING = (AttributeError, TypeError, ValueError)
"""A driver or a binding that hasn't got it, or has it otherwise: then the binding is asked, and knows what to say."""
_plain = object.__getattribute__

Way = Callable[[], Any]


def straight(nvml: Any, function: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Way | None:
    """``function`` of ``nvml`` without the binding in between; ``None`` where that can't be or isn't worth it.

    It answers and raises what the binding would, except for processes: those come as `Held`, the same object while nothing changes.
    """
    make = _maker(function, options)
    library = getattr(nvml, "nvmlLib", None)
    if make is None or not isinstance(library, ctypes.CDLL):
        return None
    try:
        return make(nvml, library, arguments)
    except _LACKING:
        return None


def fields(nvml: Any, handle: Any, wanted: Sequence[int | tuple[int, int]]) -> Callable[[], Sequence[Any]]:
    """Asks for the field values ``wanted``, numbers or pairs of number and scope: an `nvmlFieldValue_t` for each."""
    library = getattr(nvml, "nvmlLib", None)
    if isinstance(library, ctypes.CDLL) and wanted:
        with contextlib.suppress(*_LACKING):
            return _fields(nvml, library, handle, wanted)
    return lambda: nvml.nvmlDeviceGetFieldValues(handle, wanted)


def _maker(function: str, options: dict[str, Any]) -> Callable[[Any, Any, tuple[Any, ...]], Way] | None:
    if function == "nvmlDeviceGetMemoryInfo" and options:
        return partial(_memory, options["version"])
    if options:
        return None
    if function in _NUMBERS:
        return partial(_number, function, ctypes.c_uint)
    if function in _LONG_NUMBERS:
        return partial(_number, function, ctypes.c_ulonglong)
    if function in _PROCESSES:
        return partial(_processes, function)
    return {"nvmlDeviceGetUtilizationRates": _utilization, "nvmlDeviceGetTemperatureV": _temperature}.get(function)


def _number(function: str, kind: Any, nvml: Any, library: Any, arguments: tuple[Any, ...]) -> Way:
    room = kind()
    ask, failure = partial(library[function], *arguments, ctypes.byref(room)), nvml.NVMLError

    def way() -> Any:
        if code := ask():
            raise failure(code)
        return room.value

    return way


def _utilization(nvml: Any, library: Any, arguments: tuple[Any, ...]) -> Way:
    room = nvml.c_nvmlUtilization_t()
    ask, failure = partial(library["nvmlDeviceGetUtilizationRates"], *arguments, ctypes.byref(room)), nvml.NVMLError

    def way() -> Any:
        if code := ask():
            raise failure(code)
        return room

    return way


def _memory(version: int, nvml: Any, library: Any, arguments: tuple[Any, ...]) -> Way:
    room = nvml.c_nvmlMemory_v2_t()
    room.version = version
    ask, failure = partial(library["nvmlDeviceGetMemoryInfo_v2"], *arguments, ctypes.byref(room)), nvml.NVMLError

    def way() -> Any:
        if code := ask():
            room.version = version
            raise failure(code)
        return room

    return way


def _temperature(nvml: Any, library: Any, arguments: tuple[Any, ...]) -> Way:
    handle, sensor = arguments
    version = nvml.nvmlTemperature_v1
    room = nvml.c_nvmlTemperature_v1_t(version, sensor)
    ask, failure = partial(library["nvmlDeviceGetTemperatureV"], handle, ctypes.byref(room)), nvml.NVMLError

    def way() -> Any:
        if code := ask():
            room.version, room.sensorType = version, sensor
            raise failure(code)
        return _plain(room, "temperature")

    return way


def _fields(
    nvml: Any, library: Any, handle: Any, wanted: Sequence[int | tuple[int, int]]
) -> Callable[[], Sequence[Any]]:
    room = (nvml.c_nvmlFieldValue_t * len(wanted))()
    for value, which in zip(room, wanted, strict=True):
        value.fieldId, value.scopeId = which if isinstance(which, tuple) else (which, 0)
    answers = tuple(room)  # they look into the room
    blank, size = bytes(room), ctypes.sizeof(room)  # what a driver leaves out must not be what it said before
    failure = nvml.NVMLError
    ask = partial(library["nvmlDeviceGetFieldValues"], handle, ctypes.c_int32(len(wanted)), ctypes.byref(room))

    def way() -> Sequence[Any]:
        ctypes.memmove(room, blank, size)
        if code := ask():
            raise failure(code)
        return answers

    return way


def _processes(function: str, nvml: Any, library: Any, arguments: tuple[Any, ...]) -> Way:
    return _Processes(nvml, library[function], arguments[0]).read


class _Processes:
    """A list of processes: the driver is asked again only where there are more of them than fit in."""

    __slots__ = ("_answer", "_ask", "_count", "_nvml", "_raw", "_room", "_size", "_view")

    def __init__(self, nvml: Any, function: Any, handle: Any) -> None:
        self._nvml = nvml
        self._count = ctypes.c_uint()
        self._ask = partial(function, handle, ctypes.byref(self._count))
        self._size: int = ctypes.sizeof(nvml.c_nvmlProcessInfo_v3_t)
        self._raw: bytes | None = None
        self._answer = Held()
        self._make_room(_ROOM)

    def _make_room(self, count: int) -> None:
        self._room = (self._nvml.c_nvmlProcessInfo_v3_t * count)()
        self._view = memoryview(self._room).cast("B")

    def read(self) -> Held:
        """The list as it is now; the same object while nothing changes. Raises NVMLError."""
        count = self._count
        count.value = len(self._room)
        code = self._ask(self._room)
        if code == self._nvml.NVML_ERROR_INSUFFICIENT_SIZE and count.value < _MOST_ROOM:
            self._make_room(2 * count.value + 5)
            count.value = len(self._room)
            code = self._ask(self._room)
        if code:
            raise self._nvml.NVMLError(code)
        found = min(count.value, len(self._room))
        raw = bytes(self._view[: found * self._size])
        if raw != self._raw:
            self._raw, self._answer = raw, process_list(self._room[:found]) or Held()
        return self._answer
