"""What is remembered of another machine's GPUs between answers of nvidia-smi. Without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from quarterdeck.format import printable
from quarterdeck.hosts.ssh import smi_csv, smi_text
from quarterdeck.hosts.ssh.processes import described
from quarterdeck.hosts.ssh.procfs import PsRow
from quarterdeck.hosts.ssh.script import Answer
from quarterdeck.hosts.ssh.smi_csv import SmiTable
from quarterdeck.hosts.ssh.smi_text import MigRow, Slowdown
from quarterdeck.hosts.throttling import BY_MARGIN
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, MigInstance

_NOT_FOUND = 127
_ABSENT = "no nvidia-smi on that machine"
_NOT_ALLOWED = 126
_TIMED_OUT = (124, 137)
_LONGEST = 160
_MOST_REFUSALS = 40


class SmiMemory:
    """The last values, what changes seldom, and which fields this driver knows."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.fields: tuple[str, ...] = smi_csv.FIELDS
        self.driver: str | None = None
        self.cuda: str | None = None
        self.reason = ""
        """Why there are no GPUs, or not all; "" when all is well."""
        self._gpus: tuple[GpuView, ...] = ()
        self._buses: Mapping[str, str] = {}
        self._at = float("-inf")
        self._processes: dict[str, tuple[GpuProcess, ...]] | None = None
        self._rows: dict[int, PsRow] = {}
        self._rows_at = 0.0
        self._remapped: dict[str, Ecc] = {}
        self._slowdown: dict[str, Slowdown] = {}
        self._mig: dict[str, tuple[int, tuple[MigInstance, ...]]] = {}
        self._mig_rows: dict[tuple[int, int], MigRow] = {}
        self.split = False
        """Whether some GPU is split into MIG instances."""
        self._refusals = 0

    @property
    def known(self) -> bool:
        """Whether there are GPUs."""
        return bool(self._gpus)

    @property
    def absent(self) -> bool:
        """Whether there is no nvidia-smi at all."""
        return self.reason == _ABSENT

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the processes that hold GPU memory."""
        held = (self._processes or {}).values()
        return tuple(sorted({process.pid for of_gpu in held for process in of_gpu}))

    def reconnected(self) -> None:
        """It may be another driver now."""
        self.fields = smi_csv.FIELDS
        self._refusals = 0

    def take(self, answer: Answer, at: float) -> bool:
        """Note an answer that came at ``at`` (monotonic seconds). True: it should be asked again, for other fields."""
        section = answer.sections.get("gpus")
        if section is None:
            self.reason = "the answer of nvidia-smi there makes no sense"
            return False
        if section.status and self._refusals < _MOST_REFUSALS:
            fields = smi_csv.fields_after(self.fields, section.lines)
            if fields:
                self.fields = fields
                self._refusals += 1
                return True
        table = smi_csv.with_lost(smi_csv.smi_gpus(section.lines, self.fields), self._gpus, self._buses)
        self.reason = _words(section.status, table)
        if section.status in (_NOT_FOUND, _NOT_ALLOWED) or (not section.status and not table.gpus):
            self._gpus = ()
        elif table.gpus:
            self._gpus, self._at = table.gpus, at
            self._buses = {**self._buses, **table.buses}
            self.driver = table.driver or self.driver
            self.split = bool(table.split)
            self._note_rest(answer)
        return False

    def _note_rest(self, answer: Answer) -> None:
        apps = answer.sections.get("apps")
        if apps is not None:
            self._processes = None if apps.status else _held(answer.lines("apps"))
        self._mig_rows = smi_text.mig_table(answer.lines("instances"))
        if "version" in answer.sections:
            self.cuda = smi_text.cuda_version(answer.lines("version")) or self.cuda
            self._remapped = smi_csv.remapped_rows(answer.lines("rows"))
            self._slowdown = smi_text.slowdown_temperatures(answer.lines("temperatures"))
            self._mig = smi_text.mig_devices(answer.lines("devices"))

    def take_processes(self, rows: dict[int, PsRow], wall: float) -> None:
        """Note what `ps` printed."""
        self._rows, self._rows_at = rows, wall

    def views(self, since: float, machines_bytes: int | None) -> tuple[GpuView, ...]:
        """The GPUs; those that weren't measured after ``since`` say when they were.

        ``machines_bytes``: the machine's memory, which is that of a GPU without its own (GB10, Jetson).
        """
        at = self._at if self._at < since else None
        views = (self._view(gpu, at) for gpu in self._gpus)
        return tuple(replace(view, memory_total_bytes=machines_bytes) if view.unified else view for view in views)

    def _view(self, gpu: GpuView, at: float | None) -> GpuView:
        uuid = gpu.uuid or ""
        rows = self._remapped.get(uuid)
        ecc = gpu.ecc or Ecc()
        if rows is not None:
            ecc = replace(
                ecc,
                remapped_rows=rows.remapped_rows,
                remap_pending=rows.remap_pending,
                remap_failed=rows.remap_failed,
            )
        index, devices = self._mig.get(uuid, (gpu.index, ()))
        slowdown = self._slowdown.get(self._buses.get(gpu.key, ""))
        held = self._held(uuid, devices)
        problems = gpu.problems if held is not None else (*gpu.problems, "processes: nvidia-smi there doesn't tell")
        if slowdown is not None and slowdown.by_margin:
            problems = (*problems, f"slowdown temperature: {BY_MARGIN}")
        return replace(
            gpu,
            at=at,
            processes=held,
            ecc=ecc if gpu.ecc is not None or rows is not None else None,
            slowdown_c=slowdown.celsius if slowdown is not None else None,
            mig=tuple(smi_text.with_memory(device, index, self._mig_rows) for device in devices),
            problems=problems,
        )

    def _held(self, uuid: str, devices: tuple[MigInstance, ...]) -> tuple[GpuProcess, ...] | None:
        """The processes of a GPU, those that are told of its MIG devices among them, each pid once."""
        if self._processes is None:
            return None
        keys = (uuid, *(device.uuid or "" for device in devices))
        found = {process.pid: process for key in reversed(keys) for process in self._processes.get(key, ())}
        return tuple(described(found[pid], self._rows, self._rows_at) for pid in sorted(found))


def _held(lines: tuple[str, ...]) -> dict[str, tuple[GpuProcess, ...]]:
    return {
        uuid: tuple(smi_csv.process_of(*process) for process in processes)
        for uuid, processes in smi_csv.smi_processes(lines).items()
    }


def _words(status: int, table: SmiTable) -> str:
    """Why there are no GPUs, or not all."""
    if status == _NOT_FOUND:
        return _ABSENT
    if status == _NOT_ALLOWED:
        return "nvidia-smi can't be run there"
    if status in _TIMED_OUT:
        return "nvidia-smi there does not answer; it was ended after 10 s"
    if not status and table.gpus:
        return ""
    said = " ".join(table.words)
    return printable(said, _LONGEST) or (
        "no GPU on that machine" if not status else f"nvidia-smi there fails ({status})"
    )
