"""What of a GPU is worth asking for only every few seconds: limits, fan, errors, links, instances. Blocking calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from quarterdeck.hosts.nvml.ask import Getter, Problem, Questions, call
from quarterdeck.hosts.nvml.links import THROUGHPUT_EVERY_S, NvLinks, Pcie
from quarterdeck.hosts.nvml.mig import Mig
from quarterdeck.hosts.nvml.values import (
    all_of,
    celsius,
    coder,
    count,
    fan,
    field_value,
    member,
    performance_state,
    watts,
)
from quarterdeck.hosts.nvml.words import NOT_SUPPORTED
from quarterdeck.hosts.throttling import BY_MARGIN
from quarterdeck.model.gpu import Ecc

SLOW_EVERY_S = 15.0
_SLOWDOWN = 1
_CORE = 0
_SLOWDOWN_MARGIN = (194,)
_MARGIN = Problem("slowdown temperature", BY_MARGIN)
_CORRECTED, _UNCORRECTED = 0, 1
_SINCE_LOADED = 0
_PARTS = (2, 7)
"""Where `nvmlDeviceGetMemoryErrorCounter` looks: device memory, SRAM."""


class SlowPart:
    """Reads the slow values of one GPU and keeps them until the next time."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        """Asks nothing yet."""
        self.pcie = Pcie(nvml, handle)
        self.mig = Mig(nvml, handle)
        self.values: dict[str, Any] = {}
        """Fields of `GpuView`."""
        self._problems: tuple[Problem, ...] = ()
        self._at = -math.inf
        self._shape: dict[str, int | None] = {}
        self._single = _single_values(nvml, handle)
        self._margin = Getter("slowdown margin", celsius, lambda: _by_margin(nvml, handle))
        self._nvlinks = NvLinks(nvml, handle)
        self._corrected = _errors(nvml, handle, "corrected errors", _CORRECTED)
        self._uncorrected = _errors(nvml, handle, "uncorrected errors", _UNCORRECTED)
        self._remapped = Getter("remapped rows", _rows, call(nvml, "nvmlDeviceGetRemappedRows", handle))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is missing."""
        return self._problems + self.pcie.problems

    def due(self, now: float) -> bool:
        """Whether it is time to ask."""
        return now - self._at >= SLOW_EVERY_S

    @property
    def due_at(self) -> float:
        """Monotonic seconds when ``refresh`` or ``measure`` has something to ask again."""
        return min(self._at + SLOW_EVERY_S, self.pcie.measured_at + THROUGHPUT_EVERY_S)

    def refresh(self, now: float) -> None:
        """Ask for everything but what takes long. Raises Gone."""
        self._at = now
        questions = Questions(now)
        self.values = dict(zip(self._single, questions.ask_all(self._single.values()), strict=True))
        self._ask_margin(questions)
        self._shape = self.pcie.read(questions)
        self.values["pcie"] = self.pcie.link(self._shape)
        self.values["nvlinks"] = self._nvlinks.read(questions)
        self.values["ecc"] = self._ecc(questions)
        self.mig.find(questions)
        self._problems = tuple(questions.problems)

    def _ask_margin(self, questions: Questions) -> None:
        """Where the core slows down, on GPUs that don't tell it plainly."""
        plain = self._single["slowdown_c"]
        if self.values["slowdown_c"] is not None or plain.code != NOT_SUPPORTED:
            return
        found = self.values["slowdown_c"] = questions.ask(self._margin)
        questions.problems.remove(self._margin.problem if found is None else plain.problem)
        if found is not None:
            questions.problems.append(_MARGIN)

    def measure(self, now: float, go_on: Callable[[], bool]) -> None:
        """What runs over PCIe; blocks 20 ms for each direction. Raises Gone."""
        self.pcie.measure(now, go_on)
        self.values["pcie"] = self.pcie.link(self._shape)

    def _ecc(self, questions: Questions) -> Ecc | None:
        corrected, uncorrected = questions.ask(self._corrected), questions.ask(self._uncorrected)
        rows = questions.ask(self._remapped)
        if rows is not None:
            return Ecc(corrected, uncorrected, rows[0] + rows[1], bool(rows[2]), bool(rows[3]))
        return Ecc(corrected, uncorrected) if corrected is not None or uncorrected is not None else None


def _single_values(nvml: Any, handle: Any) -> dict[str, Getter[Any]]:
    """Field of `GpuView` → how to ask for it."""
    return {
        "power_limit_w": Getter(
            "power limit",
            watts,
            call(nvml, "nvmlDeviceGetEnforcedPowerLimit", handle),
            call(nvml, "nvmlDeviceGetPowerManagementLimit", handle),
        ),
        "slowdown_c": Getter(
            "slowdown temperature",
            celsius,
            call(nvml, "nvmlDeviceGetTemperatureThreshold", handle, _SLOWDOWN),
        ),
        "fan": Getter("fan", fan, call(nvml, "nvmlDeviceGetFanSpeed", handle)),
        "performance_state": Getter(
            "performance state", performance_state, call(nvml, "nvmlDeviceGetPerformanceState", handle)
        ),
        "encoder": Getter("encoder", coder, call(nvml, "nvmlDeviceGetEncoderUtilization", handle)),
        "decoder": Getter("decoder", coder, call(nvml, "nvmlDeviceGetDecoderUtilization", handle)),
    }


def _by_margin(nvml: Any, handle: Any) -> float | None:
    """Where the core slows down, on GPUs that tell only how far it is from its limit. Raises NVMLError."""
    field = nvml.nvmlDeviceGetFieldValues(handle, _SLOWDOWN_MARGIN)[0]
    if failed := member(field, "nvmlReturn"):
        raise nvml.NVMLError(failed)
    at, margin = celsius(field_value(field)), celsius(nvml.nvmlDeviceGetMarginTemperature(handle))
    core = celsius(nvml.nvmlDeviceGetTemperatureV(handle, _CORE))
    if at is None or margin is None or core is None:
        raise nvml.NVMLError(NOT_SUPPORTED)
    return core + margin - at


def _errors(nvml: Any, handle: Any, what: str, kind: int) -> Getter[int]:
    """Memory errors since the driver was loaded."""

    def by_part() -> int:
        return sum(nvml.nvmlDeviceGetMemoryErrorCounter(handle, kind, _SINCE_LOADED, part) for part in _PARTS)

    return Getter(what, count, call(nvml, "nvmlDeviceGetTotalEccErrors", handle, kind, _SINCE_LOADED), by_part)


def _rows(value: object) -> tuple[int, ...] | None:
    """Rows remapped for corrected and for uncorrected errors, whether more wait for a reset, whether that failed."""
    return all_of(count, value, 4)
