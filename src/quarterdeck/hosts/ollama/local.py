"""An Ollama from its own machine: what its processes, its connections and its access log tell. psutil is imported when there is one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from quarterdeck.config.boundary import default_boundary
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.hosts.ollama import processes
from quarterdeck.hosts.ollama.sockets import Sockets, sockets_of_this_machine
from quarterdeck.hosts.ollama.sources import Journal, LogFile, Source, has_journal
from quarterdeck.model.fleet import Boundary
from quarterdeck.model.ollama import Connections, Runner, Sight
from quarterdeck.model.reading import AccessLog

T = TypeVar("T")
JOURNAL = "journal:"
SCAN_EVERY_S = 30.0
"""How often all processes are looked through for a server that was not among them, if its socket is still the same."""
CHILDREN_EVERY_S = 5.0
"""How often the server's children are listed anew, unless one has gone or other models are loaded."""
MAC_LOG = "~/.ollama/logs/server.log"
NO_LOG = "set access_log in fleet.toml to the file that Ollama's output goes to"
BUSY = "this machine's processes have not been read yet"
ELSEWHERE = "it runs on another machine: run quarterdeck on that one"
STRANGER = (
    "its port is not held by an `ollama serve` that this user can see here (a container, a tunnel or a proxy?): "
    "run quarterdeck where Ollama runs"
)
DEFAULT_PORTS = {"http": 80, "https": 443}


class _Server(NamedTuple):
    """The process that listens on the port, or ``None`` and why it isn't known."""

    process: Any | None
    key: Hashable | None
    at: float
    reason: str = ""
    began: float | None = None


class OllamaLocal:
    """Looks at one Ollama of this machine, in threads, one look at a time. Never raises."""

    def __init__(
        self,
        port: int | None,
        access_log: str | None,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        *,
        psutil: Any = None,
        sockets: Sockets | None = None,
    ) -> None:
        """Reads nothing yet. ``port``: ``None`` where the server is elsewhere and only its log is here.

        ``access_log``: "journal:UNIT", "none", a file's path, or ``None``: the journal of the unit it runs in.
        """
        self._port = port
        self._monotonic = monotonic
        self._wall = wall
        self._psutil = psutil
        self._sockets = sockets
        self._log = self._named_log(access_log)
        self._may_guess = access_log is None
        self._server = _Server(None, None, float("-inf"))
        self._children: tuple[Any, ...] = ()
        self._runners: tuple[Runner, ...] = ()
        self._names: tuple[str, ...] = ()
        self._models: dict[str, str | None] = {}
        self._children_due = float("-inf")
        self._under_way: asyncio.Future[Any] | None = None

    async def look(self, names: Sequence[str], loaded: int) -> Sight:
        """Its runners and its access log. ``names``: the models that it has, of which the first ``loaded`` are in memory."""
        return await self._in_thread(lambda: self._look(tuple(names), loaded), Sight(reason=BUSY, log_reason=BUSY))

    async def connections(self) -> Connections:
        """How many are connected to its port: more than that can't be in flight."""
        return await self._in_thread(self._connections, Connections(reason=BUSY))

    async def _in_thread(self, work: Callable[[], T], otherwise: T) -> T:
        """``otherwise`` while an earlier look hangs (a dead network drive with a log on it): threads must not pile up."""
        if self._under_way is not None and not self._under_way.done():
            return otherwise
        self._under_way = asyncio.get_running_loop().run_in_executor(None, work)
        return await asyncio.shield(self._under_way)

    def _look(self, names: tuple[str, ...], loaded: int) -> Sight:
        runners: tuple[Runner, ...] | None = None
        reason = ""
        try:
            reason = self._find_server()
            runners = self._found_runners(names, loaded) if self._server.process is not None else None
        except Exception as error:  # noqa: BLE001  (a failure is a reading)
            reason = self._words(error)
        log, log_reason = self._read_log()
        return Sight(runners, reason, self._server.began, log, log_reason)

    def _connections(self) -> Connections:
        try:
            reason = self._find_server()
            if self._port is None or self._server.process is None:
                return Connections(reason=reason)
            return Connections(self._tables().established(self._port, self._server.process))
        except Exception as error:  # noqa: BLE001
            return Connections(reason=self._words(error))

    def _module(self) -> Any:
        if self._psutil is None:
            import psutil

            self._psutil = psutil
        return self._psutil

    def _tables(self) -> Sockets:
        if self._sockets is None:
            self._sockets = sockets_of_this_machine(self._module)
        return self._sockets

    def _find_server(self) -> str:
        """Knows the server afterwards, or why not (returned). All processes are looked through only where its socket is another."""
        if self._port is None:
            return ELSEWHERE
        sockets = self._tables()
        key, now, known = sockets.key(self._port), self._monotonic(), self._server
        if key == known.key:
            if known.process is not None and known.process.is_running():
                return ""
            if known.process is None and now < known.at + SCAN_EVERY_S:
                return known.reason
        self._children_due = float("-inf")
        try:
            process = sockets.listener(self._port, processes.servers(self._module))
            began = float(process.create_time()) if process is not None else None
            self._server = _Server(process, key, now, "" if process is not None else STRANGER, began)
        except Exception as error:  # noqa: BLE001
            self._server = _Server(None, key, now, self._words(error))
        return self._server.reason

    def _found_runners(self, names: tuple[str, ...], loaded: int) -> tuple[Runner, ...]:
        psutil, now = self._module(), self._monotonic()
        changed = names != self._names or len(self._runners) < loaded
        if changed or now >= self._children_due or not all(child.is_running() for child in self._children):
            self._children = tuple(processes.children(self._server.process, psutil))
            found = [found for child in self._children if (found := processes.runner_of(child, psutil)) is not None]
            if names != self._names:
                self._models = {}
            known = self._models
            self._models = {f: known[f] if f in known else processes.named(f, names) for _, f in found}
            self._runners = tuple(replace(runner, model=self._models[file]) for runner, file in found)
            self._names, self._children_due = names, now + CHILDREN_EVERY_S
        return self._runners

    def _named_log(self, access_log: str | None) -> Source | None:
        if access_log is None or access_log == "none":
            return None
        if access_log.startswith(JOURNAL):
            return Journal(access_log.removeprefix(JOURNAL), self._wall, self._monotonic)
        return LogFile(access_log, self._wall)

    def _read_log(self) -> tuple[AccessLog | None, str]:
        if self._log is None and self._may_guess and self._server.process is not None:
            self._log = self._guessed_log(self._server.process.pid)
            self._may_guess = self._log is None and sys.platform == "darwin"
        if self._log is None:
            return None, NO_LOG
        try:
            return self._log.read()
        except Exception as error:  # noqa: BLE001
            return None, self._words(error)

    def _guessed_log(self, pid: int) -> Source | None:
        """The journal of the service that the server runs in; on a Mac the file that Ollama's app writes."""
        unit = processes.unit_of(pid)
        if unit is not None and has_journal():
            return Journal(unit[0], self._wall, self._monotonic, of_user=unit[1])
        log = Path(MAC_LOG).expanduser()
        return LogFile(str(log), self._wall) if sys.platform == "darwin" and log.exists() else None

    def _words(self, error: Exception) -> str:
        if isinstance(error, ImportError):
            return "the Python package psutil is missing"
        if isinstance(error, PermissionError) or type(error).__name__ == "AccessDenied":
            return "this user may not see its processes: run quarterdeck as the user that Ollama runs as, or as root"
        return f"its processes can't be read ({type(error).__name__})"


def open_local(spec: EndpointSpec, monotonic: Callable[[], float], wall: Callable[[], float]) -> OllamaLocal | None:
    """What this machine can tell of an endpoint that may be an Ollama; ``None`` where it is elsewhere and no log is named."""
    here = default_boundary(spec.url) is Boundary.LOCAL and spec.proxy is None
    if not here and spec.access_log is None:
        return None
    parts = urlsplit(spec.url)
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return OllamaLocal(port if here else None, spec.access_log, monotonic, wall)
