"""Another machine over ssh, with nothing installed on it: ``nvidia-smi``, /proc, df and ps, asked through one kept connection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading
from quarterdeck.hosts.cpu import BusyShare
from quarterdeck.hosts.ssh import procfs
from quarterdeck.hosts.ssh.gpus import SmiMemory
from quarterdeck.hosts.ssh.pool import SshPool
from quarterdeck.hosts.ssh.script import Answer, ask_gpus, ask_processes, ask_system
from quarterdeck.wire.failure import Failure, timed_out

SOURCE = "ssh"
_GPU_SHARE = 0.9
"""The part of the deadline that the GPUs may use up; what comes later is shown at the next reading."""
_SLOW_EVERY_S = 60.0
_PROCESSES_EVERY_S = 10.0
_SILENT_AFTER_S = 10.0
"""`nvidia-smi` takes seconds where the driver isn't kept loaded; what takes longer is worth a word."""


@dataclass(slots=True)
class _Question:
    """A request under way; there is at most one of each kind."""

    number: int
    asked_at: float


class SshHost:
    """Reads one machine. Every reading asks for all of it; the connection is the pool's, shared with tunnels."""

    def __init__(
        self, spec: HostSpec, monotonic: Callable[[], float], pool: SshPool, wall: Callable[[], float] = time.time
    ) -> None:
        """Opens nothing yet."""
        self._spec = spec
        self._monotonic = monotonic
        self._wall = wall
        self._pool = pool
        self._connection = pool.take(spec.ssh or spec.name)
        self._connection.listeners.append(self._take)
        self._connection.watchers.append(self._lost)
        self._generation = -1
        self._under_way: dict[str, _Question] = {}
        self._system: tuple[float, Answer] | None = None
        self._share = BusyShare()
        self._gpus = SmiMemory()
        self._gpus_due = float("-inf")
        self._slow_due = float("-inf")
        self._processes_due = float("-inf")
        self._asked_for: tuple[int, ...] = ()
        self._news = asyncio.Event()

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._spec

    async def read(self) -> HostReading:
        """Ask for everything once, within ``spec.timeout`` seconds. Never raises, cancellation excepted."""
        reason = ""
        began = self._monotonic()
        try:
            async with asyncio.timeout(self._spec.timeout):
                await self._connection.ready()
                self._ask()
                await self._until_gone("system")
                with contextlib.suppress(TimeoutError):
                    left = self._spec.timeout * _GPU_SHARE - (self._monotonic() - began)
                    async with asyncio.timeout(max(0.0, left)):
                        await self._until_gone("gpus")
        except Failure as failure:
            reason = failure.reason
            self._system = None
        except TimeoutError:
            words = timed_out(self._spec.timeout).reason if self._connection.up else "still connecting"
            reason = f"{SOURCE} {self._connection.destination}: {words}"
        return self._reading(reason, began)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._take in self._connection.listeners:
            self._connection.listeners.remove(self._take)
            self._connection.watchers.remove(self._lost)
        await self._pool.leave(self._connection)

    def _ask(self) -> None:
        """Ask for what isn't asked for already. A new connection knows nothing of the questions of the last one."""
        if self._generation != self._connection.generation:
            self._generation = self._connection.generation
            self._under_way.clear()
            self._gpus.reconnected()
            self._gpus_due = self._slow_due = self._processes_due = float("-inf")
        now = self._monotonic()
        if "system" not in self._under_way:
            self._send("system", ask_system)
        if "gpus" not in self._under_way and now >= self._gpus_due:
            everything = now >= self._slow_due and self._gpus.known
            self._send_gpus(everything=everything)
        self._ask_processes(now)

    def _ask_processes(self, now: float) -> None:
        pids = self._gpus.pids
        due = now >= self._processes_due or pids != self._asked_for
        if pids and due and "processes" not in self._under_way:
            self._asked_for = pids  # one that can't be seen (in a container) isn't asked for at every reading
            self._processes_due = now + _PROCESSES_EVERY_S
            self._send("processes", lambda number: ask_processes(number, pids))

    def _send_gpus(self, *, everything: bool) -> None:
        fields, split = self._gpus.fields, self._gpus.split
        self._send("gpus", lambda number: ask_gpus(number, fields, everything=everything, split=split))

    def _send(self, kind: str, request: Callable[[int], bytes]) -> None:
        number = next(self._connection.numbers)
        self._under_way[kind] = _Question(number, self._monotonic())
        self._connection.send(request(number))

    async def _until_gone(self, kind: str) -> None:
        """Until no such question is under way, or the connection is lost."""
        while kind in self._under_way:
            if not self._connection.up or self._generation != self._connection.generation:
                await self._connection.ready()  # says why it was lost
                return
            self._news.clear()
            await self._news.wait()

    def _lost(self) -> None:
        self._news.set()

    def _take(self, answer: Answer) -> None:
        """An answer came."""
        kind = next((kind for kind, question in self._under_way.items() if question.number == answer.number), None)
        if kind is None:
            return
        question = self._under_way.pop(kind)
        now = self._monotonic()
        if kind == "system":
            self._system = (now, answer)
        elif kind == "processes":
            self._gpus.take_processes(procfs.processes(answer.lines("processes")), self._wall())
        elif self._gpus.take(answer, now):
            self._send_gpus(everything=False)
        else:
            self._gpus_due = now + (now - question.asked_at)  # a slow one must not run more than half of the time
            self._slow_due = now + _SLOW_EVERY_S if "version" in answer.sections else self._slow_due
            self._ask_processes(now)
        self._news.set()

    def _reading(self, reason: str, began: float) -> HostReading:
        taken, self._system = self._system, None
        if taken is None:
            return HostReading(self._monotonic(), SOURCE, reason=reason or "the connection was lost; it is open again")
        at, system = taken
        seconds = procfs.cpu_seconds(system.lines("stat"))
        used, total = procfs.memory(system.lines("memory"))
        disk_used, disk_total = procfs.disk(system.lines("disk"))
        return HostReading(
            at,
            SOURCE,
            cpu=self._share.update({"all": (seconds[0] / 100, seconds[1] / 100)}) if seconds else None,
            memory_used_bytes=used,
            memory_total_bytes=total,
            gpus=self._gpus.views(began, total),
            reason=self._gpu_reason(self._monotonic()),
            driver=self._gpus.driver,
            cuda=self._gpus.cuda,
            disk_used_bytes=disk_used,
            disk_total_bytes=disk_total,
            notes=self._notes(known=total is not None),
        )

    def _notes(self, *, known: bool) -> tuple[str, ...]:
        """What isn't read of such a machine. ``known``: whether its memory is."""
        system, notes = self._connection.system, []
        if not known and system not in ("", "Linux"):
            notes.append(f"processor and memory are read over ssh from Linux alone, and that is {system}")
        if self._gpus.absent:
            notes.append(
                "GPUs that aren't NVIDIA's are not read over ssh: an exporter there (all-smi) can tell of them"
            )
        return tuple(notes)

    def _gpu_reason(self, now: float) -> str:
        question = self._under_way.get("gpus")
        if question is not None and now - question.asked_at >= _SILENT_AFTER_S:
            return f"nvidia-smi there does not answer ({now - question.asked_at:.0f} s)"
        return self._gpus.reason
