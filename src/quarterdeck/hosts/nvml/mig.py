"""The MIG instances that a GPU is split into, each with memory of its own. Blocking calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from quarterdeck.hosts.nvml.ask import Getter, Questions, call
from quarterdeck.hosts.nvml.values import MEMORY_V2, Memory, memory, process_list, small, text
from quarterdeck.hosts.nvml.words import NOT_SUPPORTED, code_of
from quarterdeck.model.gpu import MigInstance

_MOST = 64


@dataclass(slots=True)
class _Instance:
    number: int
    uuid: str | None
    name: str | None
    gpu_instance: int | None
    compute_instance: int | None
    memory: Getter[Memory]
    processes: Getter[dict[int, int | None]]


class Mig:
    """The instances of one GPU: found rarely, their memory read each time."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        """Asks nothing yet."""
        self._nvml, self._handle = nvml, handle
        self._mode = Getter("MIG", _mode, self._current)
        self._instances: list[_Instance] = []

    def find(self, questions: Questions) -> None:
        """Look which instances there are. Raises Gone."""
        if questions.ask(self._mode) != 1:
            self._instances = []
            return
        nvml = self._nvml
        most = questions.ask(Getter("MIG instances", small, call(nvml, "nvmlDeviceGetMaxMigDeviceCount", self._handle)))
        found = [self._instance(number, questions) for number in range(min(most or 0, _MOST))]
        self._instances = [instance for instance in found if instance is not None]

    def read(self, questions: Questions) -> tuple[MigInstance, ...]:
        """Every instance with its memory now. Raises Gone."""
        if not self._instances:
            return ()
        return tuple([_view(instance, questions.ask(instance.memory)) for instance in self._instances])

    def processes(self, questions: Questions) -> dict[int, int | None] | None:
        """Those of all instances, where the GPU itself doesn't tell; ``None`` where there is none. Raises Gone."""
        lists = [questions.ask(instance.processes) for instance in self._instances]
        if not lists or any(held is None for held in lists):
            return None
        together: dict[int, int | None] = {}
        for held in lists:
            for pid, used in (held or {}).items():
                before = together.get(pid)
                together[pid] = used if before is None else before + (used or 0)
        return together

    def _current(self) -> object:
        """The mode now; 0 on a GPU that can't be split."""
        try:
            return self._nvml.nvmlDeviceGetMigMode(self._handle)[0]
        except Exception as error:
            if code_of(error) == NOT_SUPPORTED:
                return 0
            raise

    def _instance(self, number: int, questions: Questions) -> _Instance | None:
        """One that exists; the numbers have gaps."""
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(self._handle, number)
        except Exception:  # noqa: BLE001  (no instance has this number; a lost GPU is noticed by the next question)
            return None

        def ask(what: str, check: Callable[[object], Any], way: Callable[[], object]) -> Any:
            return questions.ask(Getter(f"MIG {what}", check, way))

        return _Instance(
            number,
            uuid=ask("UUID", text, call(nvml, "nvmlDeviceGetUUID", handle)),
            name=_profile(ask("name", text, call(nvml, "nvmlDeviceGetName", handle))),
            gpu_instance=ask("instance", small, call(nvml, "nvmlDeviceGetGpuInstanceId", handle)),
            compute_instance=ask("compute instance", small, call(nvml, "nvmlDeviceGetComputeInstanceId", handle)),
            memory=Getter(
                "MIG memory",
                memory,
                call(nvml, "nvmlDeviceGetMemoryInfo", handle, version=MEMORY_V2),
                call(nvml, "nvmlDeviceGetMemoryInfo", handle),
            ),
            processes=Getter(
                "MIG processes",
                process_list,
                call(nvml, "nvmlDeviceGetComputeRunningProcesses_v3", handle),
                call(nvml, "nvmlDeviceGetComputeRunningProcesses_v2", handle),
            ),
        )


def _view(instance: _Instance, held: Memory | None) -> MigInstance:
    return MigInstance(
        instance.number,
        instance.uuid,
        instance.name,
        instance.gpu_instance,
        instance.compute_instance,
        held[0] if held else None,
        held[1] if held else None,
    )


def _mode(value: object) -> int | None:
    found = small(value)
    return found if found in (0, 1) else None


def _profile(name: str | None) -> str | None:
    """ "NVIDIA H100 80GB HBM3 MIG 3g.40gb" as "3g.40gb"."""
    return name.rpartition("MIG ")[2] or None if name else None
