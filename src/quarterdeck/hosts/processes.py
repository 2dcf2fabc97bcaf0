"""What is known of the processes that hold GPU memory on this machine: title, user, container, the server above them.

Reading /proc of a process that is stuck in the driver can block, so it happens in a thread that nobody waits for.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from quarterdeck.format import printable
from quarterdeck.hosts.ollama.store import names_of
from quarterdeck.hosts.reapers import takes_orphans
from quarterdeck.model import commandlines
from quarterdeck.model.commandlines import NOTHING_TOLD, CommandLine
from quarterdeck.model.gpu import GpuProcess, GpuView

RECHECK_S = 5.0
"""The same processes are looked at again this often: so soon an orphan is named."""
PORTS_AGAIN_S = 10.0
"""A server that doesn't listen yet is asked again this often."""
_LONGEST_CHAIN = 16
_CONTAINER = re.compile(r"(?:^|[/:-])([0-9a-f]{64})(?:\.scope)?(?:/|$)")
_NAMED_CONTAINER = re.compile(r"/(?:lxc(?:\.payload)?[./]|machine\.slice/machine-)([^/]+?)(?:\.scope)?(?:/|$)")


@dataclass(slots=True)
class _Known:
    """What doesn't change while a process lives, and where it listens once it does."""

    pid: int
    started: float
    argv: list[str] = field(default_factory=list)
    name: str = ""
    told: CommandLine = NOTHING_TOLD
    user: str | None = None
    container: str | None = None
    serves: tuple[str, ...] = ()
    inner_pid: int | None = None
    """Its pid in the innermost container that it is in."""
    ports: tuple[int, ...] | None = None
    ports_at: float = -math.inf
    server: tuple[int, float] | None = None
    """Pid and start of the server it was first seen working for …"""
    served: tuple[str, ...] = ()
    """… and the model names that one told of."""


@dataclass(slots=True)
class ProcessTable:
    """Looks processes up by pid. Blocking; used from one thread at a time."""

    monotonic: Callable[[], float]
    psutil: Any = None
    proc: Path = field(default_factory=lambda: Path("/proc"))
    _known: dict[int, _Known] = field(default_factory=dict)

    def details(self, pids: Iterable[int]) -> dict[int, GpuProcess]:
        """What is known of each; one that can't be seen (another namespace, gone) is left out. Never raises."""
        seen: dict[int, tuple[_Known, int]] = {}
        found = {}
        # Only where the whole machine is seen, and not a container, the kernel's threads are.
        machines = self._read(2, "comm").strip() == "kthreadd"
        for pid in pids:
            chain = self._chain(pid, seen)
            if chain:
                found[pid] = self._process(chain, machines=machines)
        for gone in self._known.keys() - seen.keys():
            del self._known[gone]
        return found

    def _chain(self, pid: int, seen: dict[int, tuple[_Known, int]]) -> list[_Known]:
        """The process and those above it, as far as they can be seen. ``seen``: those looked at already, with their parents."""
        chain: list[_Known] = []
        while pid > 0 and len(chain) < _LONGEST_CHAIN and all(known.pid != pid for known in chain):
            try:
                if pid not in seen:
                    process = self._module().Process(pid)
                    seen[pid] = self._looked_up(process), int(_or(process.ppid, 0))
                known, pid = seen[pid]
                chain.append(known)
            except Exception:  # noqa: BLE001  (gone, not permitted, half of /proc missing: the chain ends here)
                break
        return chain

    def _module(self) -> Any:
        if self.psutil is None:
            import psutil

            self.psutil = psutil
        return self.psutil

    def _looked_up(self, process: Any) -> _Known:
        started = float(process.create_time())
        known = self._known.get(process.pid)
        if known is not None and known.started == started:
            if _may_retitle(known):
                self._title(known, process)
            return known
        known = self._known[process.pid] = _Known(process.pid, started)
        known.name = printable(str(_or(process.name, "")), 40)
        known.user = printable(str(_or(process.username, "")), 40) or None
        known.container = container_of(self._read(process.pid, "cgroup"))
        inner = re.search(r"^NSpid:.*?(\d+)$", self._read(process.pid, "status"), re.MULTILINE)
        known.inner_pid = int(inner[1]) if inner else None
        self._title(known, process)
        return known

    def _title(self, known: _Known, process: Any) -> None:
        argv = [str(arg) for arg in _or(process.cmdline, []) if arg] or known.argv or [known.name]
        if argv != known.argv:
            known.argv = argv
            known.told = commandlines.read(argv)
            known.serves = names_of(known.told.blob) if known.told.blob is not None else known.told.serves

    def _read(self, pid: int, name: str) -> str:
        try:
            with (self.proc / str(pid) / name).open("rb") as file:
                return file.read(65_536).decode("utf-8", "replace")
        except OSError:
            return ""

    def _process(self, chain: list[_Known], *, machines: bool) -> GpuProcess:
        first = chain[0]
        server = next((known for known in chain if not known.told.worker), None)
        orphaned = _orphaned(chain, server, self._lives, machines=machines)
        above = chain[chain.index(server) + 1] if server is not None and server is not chain[-1] else None
        part_of = [known for known in chain[: chain.index(server) + 1 if server else None] if known.told.engine]
        ports = None if server is None or orphaned else self._ports(server, above)
        first.served = next((known.serves for known in part_of if known.serves), first.served)
        return GpuProcess(
            first.pid,
            name=commandlines.shown(first.argv) or None,
            user=first.user,
            container=first.container,
            started=first.started,
            engine=part_of[0].told.engine if part_of else None,
            ports=ports,
            told_port=server.told.port if server is not None and not orphaned and not server.container else None,
            serves=tuple(printable(name, 200) for name in first.served[:16]),
            orphaned=orphaned,
        )

    def _lives(self, who: tuple[int, float]) -> bool:
        try:
            return float(self._module().Process(who[0]).create_time()) == who[1]
        except Exception:  # noqa: BLE001  (gone, or not to be seen: then it isn't its server either)
            return False

    def _ports(self, server: _Known, above: _Known | None) -> tuple[int, ...] | None:
        """Where a server listens, and the process that started it; ``None`` where that can't be seen, or it doesn't listen yet.

        The sockets of a container with a network of its own can't be seen: one that seems to listen nowhere is unknown.
        """
        own = self._seen(server)
        if own is None or (not own and (server.container or server.told.port is not None)):
            return None
        parents = self._seen(above) if above is not None and above.pid > 1 else None
        return tuple(dict.fromkeys((*own, *(parents or ()))))

    def _seen(self, known: _Known) -> tuple[int, ...] | None:
        now = self.monotonic()
        if not known.ports and now - known.ports_at >= PORTS_AGAIN_S:
            known.ports_at = now
            known.ports = _or(lambda: self._listening(known.pid), None)
        return known.ports

    def _listening(self, pid: int) -> tuple[int, ...]:
        psutil = self._module()
        sockets = psutil.Process(pid).net_connections(kind="tcp")
        return tuple(
            sorted({int(each.laddr[1]) for each in sockets if each.status == psutil.CONN_LISTEN and each.laddr})
        )


class Processes:
    """`ProcessTable` for an event loop: looked at in a thread, at most one at a time, remembered between readings."""

    def __init__(self, monotonic: Callable[[], float], table: ProcessTable | None = None) -> None:
        """Reads nothing yet."""
        self._monotonic = monotonic
        self._table = table or ProcessTable(monotonic)
        self._details: dict[int, GpuProcess] = {}
        self._pids: frozenset[int] = frozenset()
        self._at = -math.inf
        self._looking: asyncio.Future[dict[int, GpuProcess]] | None = None

    async def describe(self, gpus: tuple[GpuView, ...], timeout: float) -> tuple[GpuView, ...]:  # noqa: ASYNC109  (bounds the wait)
        """``gpus`` with what is known of their processes; what isn't found within ``timeout`` seconds comes next time."""
        pids = frozenset(process.pid for gpu in gpus for process in gpu.processes or ())
        if not pids:
            return gpus
        if pids != self._pids or self._monotonic() - self._at >= RECHECK_S or self._looking is not None:
            await self._look(pids, timeout)
        return tuple(_described(gpu, self._details) for gpu in gpus)

    async def _look(self, pids: frozenset[int], timeout: float) -> None:  # noqa: ASYNC109
        loop = asyncio.get_running_loop()
        if self._looking is None or self._looking.get_loop() is not loop:
            self._pids = pids
            self._looking = loop.run_in_executor(None, self._table.details, sorted(pids))
        await asyncio.wait({self._looking}, timeout=max(0.0, timeout))
        if self._looking.done():
            self._details = {} if self._looking.exception() is not None else self._looking.result()
            self._at = self._monotonic()
            self._looking = None


def container_of(cgroup: str) -> str | None:
    """The container's short id or name out of /proc/PID/cgroup (Docker, Podman, Kubernetes, LXC, nspawn)."""
    found = _CONTAINER.findall(cgroup.replace("\n", "/"))
    if found:
        return str(found[-1][:12])
    named = _NAMED_CONTAINER.search(cgroup)
    return printable(named[1], 40) or None if named else None


def _described(gpu: GpuView, details: dict[int, GpuProcess]) -> GpuView:
    if not gpu.processes:
        return gpu
    held = tuple(
        replace(details[process.pid], memory_bytes=process.memory_bytes) if process.pid in details else process
        for process in gpu.processes
    )
    return replace(gpu, processes=held)


def _may_retitle(known: _Known) -> bool:
    """Whether it may yet give itself a title: what a Python process is shows only some seconds after its start."""
    return known.told.engine is None or commandlines.is_python(known.argv)


def _orphaned(
    chain: list[_Known], server: _Known | None, lives: Callable[[tuple[int, float]], bool], *, machines: bool
) -> bool:
    """Whether the first of ``chain`` is a worker whose server is gone: who takes in orphans now stands in its place."""
    worker = chain[0]
    if not worker.told.worker or worker.told.engine is None or server is None:
        return False
    first = 1 in (server.pid, server.inner_pid)
    if takes_orphans(server.argv, server.name, first=first, machines=machines and server.pid == 1):
        return True
    here = (server.pid, server.started)
    if worker.server is None:
        worker.server = here
    return worker.server != here and not lives(worker.server)  # taken in by somebody that we don't know by name


def _or(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except Exception:  # noqa: BLE001  (not permitted, gone, not on this system)
        return otherwise
