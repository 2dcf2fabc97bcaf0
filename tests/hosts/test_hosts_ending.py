"""Ending an orphan where the process changes, refuses or hides while we look. psutil is made up: nothing is ended."""

from __future__ import annotations

from typing import Any

import psutil

from quarterdeck.hosts.ending import Ending, end_worker
from quarterdeck.hosts.processes import ProcessTable

WORKER = ["VLLM::Worker_TP1"]
CORE = ["VLLM::EngineCore"]


class Proc:
    """One made-up process: ``fails`` maps a method to what it raises."""

    def __init__(self, machine: Machine, pid: int, parent: int, argv: list[str], started: float = 5.0) -> None:
        self.machine, self.pid, self.above, self.argv, self.started = machine, pid, parent, argv, started
        self.fails: dict[str, Exception] = {}
        self.deaf = False
        self.signals: list[str] = []

    def _did(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]
        if self.pid not in self.machine.alive:
            raise psutil.NoSuchProcess(self.pid)

    def create_time(self) -> float:
        self._did("create_time")
        return self.started

    def cmdline(self) -> list[str]:
        self._did("cmdline")
        return self.argv

    def name(self) -> str:
        return self.argv[0][:15]

    def username(self) -> str:
        return "ml"

    def ppid(self) -> int:
        self._did("ppid")
        return self.above

    def parent(self) -> Proc | None:
        self._did("parent")
        return self.machine.alive.get(self.above)

    def children(self, *, recursive: bool) -> list[Proc]:
        assert recursive
        self._did("children")
        own = [proc for proc in self.machine.alive.values() if proc.above == self.pid]
        return own + [far for near in own for far in near.children(recursive=True)]

    def terminate(self) -> None:
        self._did("terminate")
        self.signals.append("TERM")
        if not self.deaf:
            for proc in [self, *self.children(recursive=True)]:
                self.machine.alive.pop(proc.pid, None)

    def kill(self) -> None:
        self._did("kill")
        self.signals.append("KILL")
        del self.machine.alive[self.pid]


class Machine:
    """Stands in for psutil."""

    NoSuchProcess, AccessDenied, Error = psutil.NoSuchProcess, psutil.AccessDenied, psutil.Error
    CONN_LISTEN = psutil.CONN_LISTEN

    def __init__(self) -> None:
        self.alive: dict[int, Proc] = {}
        self.add(1, 0, ["/sbin/init"])

    def add(self, pid: int, parent: int, argv: list[str], started: float = 5.0) -> Proc:
        made = self.alive[pid] = Proc(self, pid, parent, argv, started)
        return made

    def Process(self, pid: int) -> Proc:  # noqa: N802  (psutil's name)
        if pid not in self.alive:
            raise psutil.NoSuchProcess(pid)
        return self.alive[pid]

    def wait_procs(self, procs: list[Any], timeout: float) -> tuple[list[Any], list[Any]]:
        assert timeout > 0
        return [p for p in procs if p.pid not in self.alive], [p for p in procs if p.pid in self.alive]


def end(machine: Machine, pid: int, started: float | None = 5.0, table: ProcessTable | None = None) -> Ending:
    return end_worker(pid, started, psutil=machine, table=table or ProcessTable(lambda: 0.0, machine))


def orphan(machine: Machine, pid: int = 50) -> Proc:
    return machine.add(pid, 1, CORE)


def test_an_orphan_ends_with_what_it_started() -> None:
    machine = Machine()
    core, worker = orphan(machine), machine.add(51, 50, WORKER)
    assert end(machine, 51) == ("ended", "process 51 has ended with 1 more of the same server after SIGTERM")
    assert (core.signals, worker.signals, list(machine.alive)) == (["TERM"], [], [1])


class Reused(ProcessTable):
    """The pid is given to another process right after this one looked."""

    def details(self, pids: Any) -> Any:
        found = super().details(pids)
        self.psutil.add(50, 1, ["/usr/bin/postgres"], 9.0)
        return found


def test_a_pid_that_was_given_to_another_process_meanwhile_is_left_alone() -> None:
    machine = Machine()
    orphan(machine)
    assert end(machine, 50, table=Reused(lambda: 0.0, machine)) == ("ended", "process 50 has ended")
    assert machine.alive[50].signals == []


def test_a_pid_that_was_another_process_before() -> None:
    machine = Machine()
    orphan(machine).started = 8.0
    assert end(machine, 50).result == "refused"
    assert end(machine, 50, None).result == "refused"
    assert end(machine, 49).result == "gone"
    assert machine.alive[50].signals == []


def test_another_users_orphan_is_denied() -> None:
    machine = Machine()
    orphan(machine).fails["terminate"] = psutil.AccessDenied(50)
    assert end(machine, 50) == ("denied", "process 50 belongs to ml: not permitted")


def test_who_stands_above_may_be_hidden_or_vanish() -> None:
    """Its own line can't be read any more: that says nothing of the worker, which is ended all the same."""
    for failure in (psutil.AccessDenied(40), psutil.NoSuchProcess(40), psutil.ZombieProcess(40)):
        machine = Machine()
        keeper = machine.add(40, 1, ["/usr/lib/systemd/systemd", "--user"])
        worker = machine.add(50, 40, CORE)
        table = ProcessTable(lambda: 0.0, machine)
        assert table.details([50])[50].orphaned
        keeper.fails["cmdline"] = failure
        assert end(machine, 50, table=table).result == "ended"
        assert (keeper.signals, worker.signals) == ([], ["TERM"])


def test_a_parent_that_ends_as_it_is_asked_to_takes_nobody_s_word() -> None:
    """The worker above went by itself in between; this one is still there and is ended."""
    machine = Machine()
    core, worker = orphan(machine), machine.add(51, 50, WORKER)
    core.fails["terminate"] = psutil.NoSuchProcess(50)
    core.deaf = True
    assert end(machine, 51).result == "killed"
    assert worker.signals == ["KILL"]


def test_what_it_started_may_be_another_users() -> None:
    machine = Machine()
    core = orphan(machine)
    core.deaf = True
    helper = machine.add(60, 50, ["sudo", "x"])
    helper.fails["kill"] = psutil.AccessDenied(60)
    assert end(machine, 50) == ("denied", "process 60 belongs to somebody else: not permitted")
    assert (core.signals, 50 in machine.alive) == (["TERM", "KILL"], False)


def test_one_that_no_signal_ends_is_stuck() -> None:
    machine = Machine()
    core = orphan(machine)
    core.deaf = True
    core.fails["kill"] = psutil.NoSuchProcess(50)  # a zombie to be
    assert end(machine, 50).result == "stuck"
