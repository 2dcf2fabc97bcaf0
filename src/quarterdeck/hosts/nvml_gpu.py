"""One GPU by NVML: every value asked for alone, so that one that is missing takes no other with it. Blocking calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from quarterdeck.format import printable
from quarterdeck.hosts.nvml_words import (
    DRIVER_NOT_LOADED,
    GPU_IS_LOST,
    NONSENSE,
    RESET_REQUIRED,
    UNINITIALIZED,
    UNKNOWN,
    VERSION_MISMATCH,
    code_of,
    getter_words,
)
from quarterdeck.model.gpu import GpuProcess, GpuView
from quarterdeck.wire.body import fraction, number, whole

T = TypeVar("T")

DRIVER_GONE = frozenset({UNINITIALIZED, DRIVER_NOT_LOADED, VERSION_MISMATCH})
"""After one of these no call works until NVML is started again."""
_GPU_GONE = frozenset({GPU_IS_LOST, RESET_REQUIRED})
_LONGEST_NAME = 80
_MOST_PROCESSES = 4096


class Gone(Exception):  # noqa: N818  (not our error: it says what the driver answered)
    """The GPU, or the whole driver, has stopped answering."""

    def __init__(self, code: int, error: Exception) -> None:
        """``error``: what NVML raised, ``code`` its return code."""
        super().__init__(code)
        self.code = code
        self.error = error


class _Questions:
    """Asks for values one by one and notes what is missing."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.answered = False
        self.unknown_failure = False

    def ask(self, what: str, check: Callable[[object], T | None], *ways: Callable[[], object]) -> T | None:
        """The first usable answer of ``ways`` (newest interface first). Raises Gone where asking on makes no sense."""
        words = ""
        for way in ways:
            try:
                value = check(way())
            except Exception as error:  # noqa: BLE001  (a failure is a reading, whatever a driver answers)
                code = code_of(error)
                if code is not None and code in DRIVER_GONE | _GPU_GONE:
                    raise Gone(code, error) from None
                self.unknown_failure = self.unknown_failure or code == UNKNOWN
                words = getter_words(error)
                continue
            if value is not None:
                self.answered = True
                return value
            words = NONSENSE
        self.problems.append(f"{what}: {words}")
        return None


class GpuReader:
    """Reads one GPU. What rarely changes (name, UUID, power limit) is asked for by ``identify`` only."""

    def __init__(self, nvml: Any, index: int, handle: Any) -> None:
        """``nvml`` is pynvml or something like it, ``handle`` NVML's for this GPU. Asks nothing yet."""
        self._nvml = nvml
        self._handle = handle
        self.identity = GpuView(index)
        self.failing = False
        """Whether the last ``read`` got nothing but failures that the driver has no name for."""

    def identify(self) -> None:
        """Ask for what rarely changes. Raises Gone."""
        nvml, handle, questions = self._nvml, self._handle, _Questions()
        name = questions.ask("name", _text, lambda: nvml.nvmlDeviceGetName(handle))
        uuid = questions.ask("UUID", _text, lambda: nvml.nvmlDeviceGetUUID(handle))
        limit = questions.ask(
            "power limit",
            _watts,
            lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle),
            lambda: nvml.nvmlDeviceGetPowerManagementLimit(handle),
        )
        index, problems = self.identity.index, tuple(questions.problems)
        self.identity = GpuView(index, uuid, name, power_limit_w=limit, problems=problems)

    def read(self) -> GpuView:
        """Every value now. Raises Gone; any other failure is a ``None`` with a problem in words."""
        nvml, handle, questions = self._nvml, self._handle, _Questions()
        ask = questions.ask
        utilization = ask("utilization", _share, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        used, total = ask(
            "memory",
            _memory,
            # The first interface counts what the driver keeps for itself as used.
            lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2),
            lambda: nvml.nvmlDeviceGetMemoryInfo(handle),
        ) or (None, None)
        power = ask("power", _watts, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        temperature = ask(
            "temperature",
            _celsius,
            lambda: nvml.nvmlDeviceGetTemperatureV(handle, nvml.NVML_TEMPERATURE_GPU),
            lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        )
        processes = self._processes(ask)
        self.failing = questions.unknown_failure and not questions.answered
        known = self.identity
        return GpuView(
            known.index,
            known.uuid,
            known.name,
            utilization=utilization,
            memory_used_bytes=used,
            memory_total_bytes=total,
            power_w=power,
            power_limit_w=known.power_limit_w,
            temperature_c=temperature,
            processes=processes,
            problems=known.problems + tuple(questions.problems),
        )

    def _processes(self, ask: Callable[..., dict[int, int | None] | None]) -> tuple[GpuProcess, ...] | None:
        """Both kinds by pid; ``None`` where the compute ones, those that matter here, aren't told."""
        nvml, handle = self._nvml, self._handle
        compute = ask(
            "processes",
            _process_list,
            lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v3(handle),
            lambda: nvml.nvmlDeviceGetComputeRunningProcesses_v2(handle),
        )
        graphics = ask(
            "graphics processes",
            _process_list,
            lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses_v3(handle),
            lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses_v2(handle),
        )
        if compute is None:
            return None
        return merged(compute, graphics or {})


def merged(compute: dict[int, int | None], graphics: dict[int, int | None]) -> tuple[GpuProcess, ...]:
    """Both lists by pid. A process that is in both holds its memory once."""
    found = []
    for pid in sorted(compute.keys() | graphics.keys()):
        known = [held for held in (compute.get(pid), graphics.get(pid)) if held is not None]
        found.append(GpuProcess(pid, max(known) if known else None))
    return tuple(found)


def lost(identity: GpuView, error: Exception) -> GpuView:
    """The row of a GPU that doesn't answer any more: who it was, and why."""
    return GpuView(identity.index, identity.uuid, identity.name, problems=(getter_words(error),))


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return printable(value, _LONGEST_NAME).strip() or None if isinstance(value, str) else None


def _share(value: object) -> float | None:
    percent = number(getattr(value, "gpu", None))
    return fraction(percent / 100) if percent is not None else None


def _watts(value: object) -> float | None:
    """mW as W."""
    milliwatts = number(value)
    return milliwatts / 1000 if milliwatts is not None and 0 <= milliwatts < 1e8 else None


def _celsius(value: object) -> float | None:
    degrees = number(value)
    return degrees if degrees is not None and -100 <= degrees <= 300 else None


def _memory(value: object) -> tuple[int, int] | None:
    """Used and total bytes."""
    used, total = whole(getattr(value, "used", None)), whole(getattr(value, "total", None))
    return (used, total) if used is not None and total and used <= total else None


def _process_list(value: object) -> dict[int, int | None] | None:
    """pid → bytes; ``None`` bytes where the driver won't tell. A pid is there once for each MIG instance it uses."""
    if not isinstance(value, list):
        return None
    held: dict[int, int | None] = {}
    for process in value[:_MOST_PROCESSES]:
        pid = whole(getattr(process, "pid", None))
        memory = whole(getattr(process, "usedGpuMemory", None))
        if pid is not None:
            before = held.get(pid)
            held[pid] = memory if before is None else before + (memory or 0)
    return held
