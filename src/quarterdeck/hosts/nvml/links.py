"""A GPU's links by NVML: PCIe with what runs over it, and NVLink with its errors. Blocking calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quarterdeck.hosts.nvml.ask import Getter, Problem, Questions, call
from quarterdeck.hosts.nvml.direct import fields
from quarterdeck.hosts.nvml.values import count, field_value, member, small
from quarterdeck.hosts.nvml.words import NOT_SUPPORTED, code_of
from quarterdeck.model.gpu import NvLink, PcieLink

THROUGHPUT_EVERY_S = 10.0
"""Each call measures for 20 ms and blocks as long."""
_SENT, _RECEIVED = 0, 1
_MOST_LINKS = 64
_LINK_COUNT = 91
_REPLAY, _RECOVERY, _CRC = 161, 162, 163
"""Field numbers: errors of one link, which is the field's scope."""
_OLDER_ERRORS = (0, 1, 2, 3)
"""Counters of `nvmlDeviceGetNvLinkErrorCounter`: replay, recovery, CRC of control and of data."""
_KIB = 1024


@dataclass(slots=True)
class _Direction:
    """What went one way over PCIe at the last measurement."""

    getter: Getter[int]
    at: float = -math.inf
    bytes_ps: float | None = None
    problems: tuple[Problem, ...] = ()


class Pcie:
    """The PCIe link of one GPU."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        """Asks nothing yet."""
        self._shape = {
            "generation": Getter("PCIe generation", small, call(nvml, "nvmlDeviceGetCurrPcieLinkGeneration", handle)),
            "generation_max": Getter(
                "PCIe generation possible", small, call(nvml, "nvmlDeviceGetMaxPcieLinkGeneration", handle)
            ),
            "width": Getter("PCIe width", small, call(nvml, "nvmlDeviceGetCurrPcieLinkWidth", handle)),
            "width_max": Getter("PCIe width possible", small, call(nvml, "nvmlDeviceGetMaxPcieLinkWidth", handle)),
        }
        self._sent = _Direction(Getter("PCIe sent", count, call(nvml, "nvmlDeviceGetPcieThroughput", handle, _SENT)))
        self._received = _Direction(
            Getter("PCIe received", count, call(nvml, "nvmlDeviceGetPcieThroughput", handle, _RECEIVED))
        )

    def read(self, questions: Questions) -> dict[str, int | None]:
        """Generation and width, and what they could be. Fields of `PcieLink`."""
        return dict(zip(self._shape, questions.ask_all(self._shape.values()), strict=True))

    def link(self, shape: dict[str, int | None]) -> PcieLink | None:
        """All that is known; ``None`` where nothing is."""
        sent, received = self._sent.bytes_ps, self._received.bytes_ps
        if sent is None and received is None and not any(shape.values()):
            return None
        return PcieLink(**shape, sent_bytes_ps=sent, received_bytes_ps=received)

    @property
    def measured_at(self) -> float:
        """Monotonic seconds since when nothing that ran over it was measured."""
        return min(self._sent.at, self._received.at)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why what runs over it isn't known."""
        return self._sent.problems + self._received.problems

    def measure(self, now: float, go_on: Callable[[], bool]) -> None:
        """Take 20 ms for each direction that is due. The counter is in KiB a second (as nvitop reads it). Raises Gone."""
        for direction in (self._sent, self._received):
            if now - direction.at >= THROUGHPUT_EVERY_S and go_on():
                direction.at = now
                questions = Questions(now)
                kib = questions.ask(direction.getter)
                direction.bytes_ps = kib * float(_KIB) if kib is not None else None
                direction.problems = tuple(questions.problems)


class NvLinks:
    """The NVLinks of one GPU."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        """Asks nothing yet."""
        self._nvml, self._handle = nvml, handle
        self._count = Getter("NVLink", small, self._how_many)
        self._states: list[Getter[int]] = []
        self._errors = Getter("NVLink errors", _list, self._fields, self._older)
        self._ask_count = fields(nvml, handle, [_LINK_COUNT])
        self._ask_errors = fields(nvml, handle, [])

    def read(self, questions: Questions) -> tuple[NvLink, ...] | None:
        """Each link; () on a GPU without any, ``None`` where that can't be told."""
        number = questions.ask(self._count)
        if number is None:
            return None
        number = min(number, _MOST_LINKS)
        if len(self._states) != number:
            self._states = [self._state(link) for link in range(number)]
            ids = [(kind, link) for link in range(number) for kind in (_REPLAY, _RECOVERY, _CRC)]
            self._ask_errors = fields(self._nvml, self._handle, ids)
        active = questions.ask_all(self._states)
        errors = (questions.ask(self._errors) if number else None) or [None] * number
        return tuple(
            NvLink(link, None if active[link] is None else active[link] == 1, errors[link]) for link in range(number)
        )

    def _state(self, link: int) -> Getter[int]:
        return Getter("NVLink state", _flag, call(self._nvml, "nvmlDeviceGetNvLinkState", self._handle, link))

    def _how_many(self) -> object:
        """By field value; 0 where the driver knows no NVLink on this GPU."""
        try:
            (field,) = self._ask_count()
        except Exception as error:
            if code_of(error) == NOT_SUPPORTED:
                return 0
            raise
        if field.nvmlReturn == NOT_SUPPORTED:
            return 0
        if field.nvmlReturn:
            raise self._nvml.NVMLError(field.nvmlReturn)
        return field_value(field)

    def _fields(self) -> list[int | None]:
        """Errors of every link in one call (newer GPUs). Raises NVMLError where no link tells."""
        found = self._ask_errors()
        told = [None if member(field, "nvmlReturn") else count(field_value(field)) for field in found]
        if all(value is None for value in told):
            raise self._nvml.NVMLError(found[0].nvmlReturn or NOT_SUPPORTED)
        return [_sum(told[3 * link : 3 * link + 3]) for link in range(len(self._states))]

    def _older(self) -> list[int | None]:
        """Errors counted by the interface that older GPUs have. Raises NVMLError."""
        return [
            _sum(
                [count(self._nvml.nvmlDeviceGetNvLinkErrorCounter(self._handle, link, kind)) for kind in _OLDER_ERRORS]
            )
            for link in range(len(self._states))
        ]


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _flag(value: object) -> int | None:
    found = count(value)
    return found if found in (0, 1) else None


def _list(value: list[int | None]) -> list[int | None] | None:
    return value or None
