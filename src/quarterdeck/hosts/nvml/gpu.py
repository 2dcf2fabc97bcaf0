"""One GPU by NVML: what moves is asked for at every reading, the rest rarely. Blocking calls."""

from __future__ import annotations

from typing import Any

from quarterdeck.hosts.nvml.ask import Getter, Problem, Questions, call, told
from quarterdeck.hosts.nvml.direct import fields
from quarterdeck.hosts.nvml.slow import SlowPart
from quarterdeck.hosts.nvml.values import (
    MEMORY_V2,
    busy,
    celsius,
    field_value,
    held_by,
    megahertz,
    member,
    memory,
    merged,
    process_list,
    text,
    watts,
)
from quarterdeck.hosts.nvml.words import NOT_SUPPORTED
from quarterdeck.hosts.throttling import SETTINGS, throttle_words
from quarterdeck.model.gpu import GpuProcess, GpuView, Xid
from quarterdeck.wire.body import whole

_SM, _MEMORY = 1, 2
"""NVML's clocks."""
_CORE = 0
_MEMORY_TEMPERATURE = (82,)
_SHARED = Problem("memory used", "the GPU shares the machine's; this is what its processes hold")
_SHARED_UNKNOWN = Problem("memory used", "the GPU shares the machine's, and its processes don't tell what they hold")


class GpuReader:
    """Reads one GPU, and remembers what it doesn't support."""

    def __init__(self, nvml: Any, index: int, handle: Any) -> None:
        """``nvml`` is pynvml or something like it, ``handle`` NVML's for this GPU. Asks nothing yet."""
        self.index = index
        self.handle = handle
        self.uuid: str | None = None
        self.slow = SlowPart(nvml, handle)
        self.failing = False
        """Whether the last ``read`` got nothing but failures that the driver has no name for."""
        self._name: str | None = None
        self._sm_max: float | None = None
        self._memory_max: float | None = None
        self._held: tuple[dict[int, int | None], dict[int, int | None]] = ({}, {})
        self._processes: tuple[GpuProcess, ...] = ()
        self._identity_problems: tuple[Problem, ...] = ()
        self._rarely = _identity(nvml, handle)
        self._memory = Getter(
            "memory",
            memory,
            # The first interface counts what the driver keeps for itself as used.
            call(nvml, "nvmlDeviceGetMemoryInfo", handle, version=MEMORY_V2),
            call(nvml, "nvmlDeviceGetMemoryInfo", handle),
        )
        self._compute = _processes(nvml, handle, "processes", "Compute")
        self._often: tuple[Getter[Any], ...] = (
            Getter("utilization", busy, call(nvml, "nvmlDeviceGetUtilizationRates", handle)),
            self._memory,
            self._compute,
            _processes(nvml, handle, "graphics processes", "Graphics"),
            *_often(nvml, handle),
        )

    @property
    def key(self) -> str:
        """`GpuView.key`."""
        return self.uuid or f"#{self.index}"

    def identify(self, now: float) -> None:
        """Ask for what hardly ever changes. Raises Gone."""
        questions = Questions(now)
        self._name, self.uuid, self._sm_max, self._memory_max = questions.ask_all(self._rarely)
        self._identity_problems = tuple(questions.problems)

    def read(self, now: float, xids: tuple[Xid, ...] = (), problems: tuple[Problem, ...] = ()) -> GpuView:
        """Every value now. Raises Gone; any other failure is a ``None`` with a problem in words.

        What is slow is asked for only the first time, later by ``slow.refresh``. ``xids`` and ``problems`` come on top.
        """
        if not self.slow.values:
            self.slow.refresh(now)
        questions = Questions(now)
        shares, held, compute, graphics, power, core, stacks, sm, memory_clock, throttle = questions.ask_all(
            self._often
        )
        if compute is None:
            compute = self._of_instances(questions)
        processes = None if compute is None else self._merged(compute, graphics or {})
        used, total, reserved = held or (None, None, None)
        mig = self.slow.mig.read(questions)
        unified = held is None and self._memory.code == NOT_SUPPORTED and not mig
        if unified:
            used = self._shared(questions, processes)
        self.failing = questions.unknown_failure and not questions.answered
        lacking = (*self._identity_problems, *questions.problems, *self.slow.problems, *problems)
        return GpuView(
            self.index,
            self.uuid,
            self._name,
            utilization=shares[0] if shares else None,
            memory_utilization=shares[1] if shares else None,
            memory_used_bytes=used,
            memory_total_bytes=total,
            memory_reserved_bytes=reserved,
            unified=unified,
            power_w=power,
            temperature_c=core,
            memory_temperature_c=stacks,
            sm_mhz=sm,
            sm_max_mhz=self._sm_max,
            memory_mhz=memory_clock,
            memory_max_mhz=self._memory_max,
            throttle=throttle,
            processes=processes,
            problems=told(lacking) if lacking else (),
            mig=mig,
            xids=xids,
            **self.slow.values,
        )

    def _merged(self, compute: dict[int, int | None], graphics: dict[int, int | None]) -> tuple[GpuProcess, ...]:
        """The processes of both lists; the same tuple while nothing changes."""
        if (compute, graphics) != self._held:
            self._held = compute, graphics
            self._processes = merged(compute, graphics)
        return self._processes

    def _of_instances(self, questions: Questions) -> dict[int, int | None] | None:
        """pid → bytes of its MIG instances: a GPU that is split tells of itself only to root."""
        held = self.slow.mig.processes(questions)
        if held is not None:
            questions.problems.remove(self._compute.problem)
        return held

    def _shared(self, questions: Questions, processes: tuple[GpuProcess, ...] | None) -> int | None:
        """Bytes of the machine's memory that the GPU uses (GB10, Jetson); how much there is, is asked elsewhere."""
        used = held_by(processes)
        questions.problems.remove(self._memory.problem)
        questions.problems.append(_SHARED if used is not None else _SHARED_UNKNOWN)
        return used


def _identity(nvml: Any, handle: Any) -> tuple[Getter[Any], ...]:
    """Name, UUID, and how fast the clocks of the SMs and of the memory may be."""
    return (
        Getter("name", text, call(nvml, "nvmlDeviceGetName", handle)),
        Getter("UUID", text, call(nvml, "nvmlDeviceGetUUID", handle)),
        Getter("SM clock possible", megahertz, call(nvml, "nvmlDeviceGetMaxClockInfo", handle, _SM)),
        Getter("memory clock possible", megahertz, call(nvml, "nvmlDeviceGetMaxClockInfo", handle, _MEMORY)),
    )


def _often(nvml: Any, handle: Any) -> tuple[Getter[Any], ...]:
    """Power, temperature of the core and of the memory, clocks of the SMs and of the memory, what holds them back."""

    ask = fields(nvml, handle, _MEMORY_TEMPERATURE)

    def memory_temperature() -> object:
        field = ask()[0]
        failed = member(field, "nvmlReturn")
        if not failed and (degrees := field_value(field)) != 0:
            return degrees
        raise nvml.NVMLError(failed or NOT_SUPPORTED)  # 0: no sensor

    return (
        Getter("power", watts, call(nvml, "nvmlDeviceGetPowerUsage", handle)),
        Getter(
            "temperature",
            celsius,
            call(nvml, "nvmlDeviceGetTemperatureV", handle, _CORE),
            call(nvml, "nvmlDeviceGetTemperature", handle, _CORE),
        ),
        Getter("memory temperature", celsius, memory_temperature),
        Getter("SM clock", megahertz, call(nvml, "nvmlDeviceGetClockInfo", handle, _SM)),
        Getter("memory clock", megahertz, call(nvml, "nvmlDeviceGetClockInfo", handle, _MEMORY)),
        Getter(
            "throttle reasons",
            _throttle,
            call(nvml, "nvmlDeviceGetCurrentClocksEventReasons", handle),
            call(nvml, "nvmlDeviceGetCurrentClocksThrottleReasons", handle),
        ),
    )


def _processes(nvml: Any, handle: Any, what: str, kind: str) -> Getter[dict[int, int | None]]:
    name = f"nvmlDeviceGet{kind}RunningProcesses"
    return Getter(what, process_list, call(nvml, f"{name}_v3", handle), call(nvml, f"{name}_v2", handle))


def _throttle(mask: object) -> tuple[str, ...] | None:
    if type(mask) is int and not mask & ~SETTINGS:  # as nearly always
        return ()
    return throttle_words(whole(mask))
