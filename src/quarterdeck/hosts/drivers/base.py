"""What every driver is: it starts a server, stops it, says how it is, and where its log is read."""

from __future__ import annotations

from collections.abc import Callable, Collection
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

Say = Callable[[str], None]
"""Told, in words, what a driver is doing ("waiting for 3 processes to end")."""


class Running(StrEnum):
    """Whether what a deployment runs is running."""

    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    """It ended by itself, with an error."""
    UNKNOWN = "unknown"


class Status(NamedTuple):
    """How a deployment is, as its driver sees it (whether it serves is for its endpoint to say)."""

    running: Running
    words: str = ""
    """ "exit code 1", "killed by SIGKILL", "unit is masked", "no such container"."""
    pid: int | None = None
    """Its first process, where that is known here."""
    since: float | None = None
    """Unix seconds when it began."""


class Kin(NamedTuple):
    """A process of a server that was started from here."""

    pid: int
    title: str
    """ "VLLM::EngineCore"; its command line without secrets, cut."""


class DriverError(Exception):
    """A driver's tool is missing, refuses or fails; the message is in words, for a person."""


class Driver(Protocol):
    """Starts and stops one deployment. Every method blocks, for seconds at most but for `stop`; all raise DriverError."""

    def start(self, say: Say) -> None:
        """Start it, so that it outlives us; returns when it was started, not when it serves. An error if it runs already."""
        ...

    def stop(self, grace: float, say: Say) -> str:
        """Ask it to end, wait up to ``grace`` seconds, end what is left of it, and look for survivors; how it went, in words.

        Raises DriverError naming what is still there. Doing it to what is stopped is no error.
        """
        ...

    def status(self) -> Status:
        """How it is now."""
        ...

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """The argument list of a program that prints the log's last lines (and goes on where ``follow``); () = there is no log.

        ``since``: nothing older than that (Unix seconds), where a log has what came before a start and its tool can tell.
        """
        ...


@runtime_checkable
class Kept(Protocol):
    """A driver that knows the processes of what it started. Both methods block for seconds at most, and raise DriverError."""

    def family(self) -> tuple[Kin, ...]:
        """Every process of it that runs; () where none does."""
        ...

    def gone(self, pids: Collection[int], own: Collection[int]) -> frozenset[int]:
        """Those of ``pids`` that surely belong to no living process of its machine (a zombie is none).

        ``own`` were processes of what it started. Of others that can only be told where the whole machine is seen: in a
        container the driver of a GPU may speak of processes that have other numbers here.
        """
        ...
