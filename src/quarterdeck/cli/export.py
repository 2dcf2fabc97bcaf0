"""`quarterdeck export`: the fleet as Prometheus metrics, on a port or in a file, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from quarterdeck.cli.fleets import Chosen, chosen, searched
from quarterdeck.cli.serving import Answer, PageServer, wants
from quarterdeck.engine.engine import Engine
from quarterdeck.engine.jobs.board import JobBoard
from quarterdeck.errors import ConfigError, QuarterdeckError, UsageError
from quarterdeck.format import printable
from quarterdeck.model.job import Job
from quarterdeck.model.verdict import judged
from quarterdeck.report.prometheus import OPENMETRICS, TEXT, Seen, render

DEFAULT_LISTEN = "127.0.0.1:9788"
FRESH_S = 0.2
"""Scrapers that come closer together than this get the same page."""
_REMOVE_S = 0.3
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_INDEX = b"""\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>quarterdeck</title></head>
<body><h1>quarterdeck</h1><p>The fleet as Prometheus metrics: <a href="/metrics">/metrics</a></p></body></html>
"""
_WHY = {
    errno.EADDRINUSE: ("something listens there already", "Another exporter? Choose another port with --listen."),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "--listen takes an address of this machine."),
    errno.EACCES: ("not allowed", "Ports below 1024 are the system's; choose a higher one with --listen."),
}


def run(arguments: argparse.Namespace) -> int:
    """Export until a signal comes; 0 then."""
    file = TextFile(Path(arguments.textfile)) if arguments.textfile else None
    where = None if file else address(arguments.listen or DEFAULT_LISTEN)
    choice = chosen(arguments)
    if choice.problems and not choice.fleet.endpoints:
        raise ConfigError(choice.problems)
    for problem in choice.problems:
        _say(f"{problem} (everything else in the file is used)")
    if getattr(arguments, "interval", None) is not None:
        console = replace(choice.fleet.console, poll=arguments.interval)
        choice = choice._replace(fleet=replace(choice.fleet, console=console))
    asyncio.run(_export(choice, where, file))
    return 0


async def _export(choice: Chosen, where: tuple[str | None, int] | None, file: TextFile | None) -> None:
    board = Board()
    engine = Engine(choice.fleet, board=board)
    pages = Pages(lambda: look(engine, jobs_known=board.was_shown), engine.clock.monotonic)
    server = PageServer({"/": _index, "/metrics": pages.answer})
    try:
        with _told_to_stop() as stop:
            if where is not None:
                await _listen(server, *where)
            await _unless(stop, _work(engine, choice, pages, file))
    finally:
        await asyncio.gather(server.stop(), engine.stop())
        if file is not None:
            file.remove()


async def _work(engine: Engine, choice: Chosen, pages: Pages, file: TextFile | None) -> None:
    """Poll for ever, and write each interval."""
    if file is not None:
        file.begin(pages.body())
    fleet, puzzles = await searched(choice)
    for puzzle in puzzles:
        _say(puzzle)
    if choice.discover and not fleet.endpoints:
        _say("no model server found on this machine: only the machine itself is watched")
    engine.add(fleet.endpoints, fleet.hosts)
    await engine.start()
    while True:
        await asyncio.sleep(engine.interval)
        if file is not None:
            await asyncio.to_thread(file.write, pages.body())


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do it until it is time to stop; raises what it raises."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    for task in (working, stopping):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


@contextlib.contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in _ENDING:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)


# ---- what is told


class Board:
    """The jobs, and whether the engine has them already."""

    def __init__(self, board: JobBoard | None = None) -> None:
        """Reads nothing yet."""
        self._board = board or JobBoard()
        self._read = False
        self.was_shown = False

    def read(self) -> tuple[Job, ...]:
        """As `JobBoard`'s."""
        self.was_shown = self._read  # who asks again has taken in what was read before
        self._read = True
        return self._board.read()


def look(engine: Engine, *, jobs_known: bool) -> Seen:
    """What the engine knows now; asks nobody."""
    snapshot = engine.snapshot()
    return Seen(snapshot, judged(snapshot, engine.fleet.limits), engine.missed, jobs_known)


class Pages:
    """The page of metrics in both formats, made anew where the last one isn't fresh."""

    def __init__(self, seen: Callable[[], Seen], now: Callable[[], float]) -> None:
        """``now``: monotonic seconds."""
        self._seen = seen
        self._now = now
        self._made: dict[bool, tuple[float, bytes]] = {}

    def answer(self, accept: str) -> Answer:
        """For a scraper that says ``accept``."""
        openmetrics = wants(accept, OPENMETRICS.partition(";")[0], TEXT.partition(";")[0])
        return Answer(
            self.body(openmetrics=openmetrics), OPENMETRICS if openmetrics else TEXT, headers=(("Vary", "Accept"),)
        )

    def body(self, *, openmetrics: bool = False) -> bytes:
        """The page."""
        now = self._now()
        made = self._made.get(openmetrics)
        if made is None or not 0 <= now - made[0] < FRESH_S:
            made = self._made[openmetrics] = now, render(self._seen(), openmetrics=openmetrics)
        return made[1]


def _index(_: str) -> Answer:
    return Answer(_INDEX, "text/html; charset=utf-8")


# ---- where


class TextFile:
    """A file for node_exporter's textfile collector: always whole, readable by all, gone when nobody keeps it current."""

    def __init__(self, path: Path) -> None:
        """Nothing is written yet. Raises UsageError for a name that the collector doesn't read."""
        if path.suffix != ".prom":  # and no other file is overwritten by mistake
            raise UsageError(
                f"--textfile: {printable(str(path))} doesn't end in .prom", hint="node_exporter reads no other files."
            )
        self._path = path
        self._failed = ""
        self._lock = threading.Lock()
        self._state = "new"

    def begin(self, body: bytes) -> None:
        """Write it the first time. Raises QuarterdeckError where that can't be done."""
        try:
            self._replace(body)
        except OSError as error:
            raise QuarterdeckError(
                f"can't write {printable(str(self._path))}: {error.strerror or error}",
                hint="--textfile takes a file in a folder that is there and may be written to.",
            ) from error

    def write(self, body: bytes) -> None:
        """Write it again; why it can't be, and that it can be again, is said once."""
        failed = ""
        try:
            self._replace(body)
        except OSError as error:
            failed = f"can't write {printable(str(self._path))}: {error.strerror or error}"
        if failed != self._failed:
            _say(failed or f"{printable(str(self._path))} is written again")
        self._failed = failed

    def remove(self) -> None:
        """Take it away, if it was written; a write that is on its way comes to nothing."""
        if not self._lock.acquire(timeout=_REMOVE_S):  # the disk hangs, and so would we
            return
        with contextlib.suppress(OSError):
            if self._state == "written":
                self._path.unlink(missing_ok=True)
        self._state = "removed"
        self._lock.release()

    def _replace(self, body: bytes) -> None:
        with self._lock:
            if self._state == "removed":
                return
            # The collector reads *.prom: it must never see this one.
            beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
            try:
                beside.write_bytes(body)
                beside.chmod(0o644)
                beside.replace(self._path)
            except OSError:
                with contextlib.suppress(OSError):
                    beside.unlink(missing_ok=True)
                raise
            self._state = "written"


async def _listen(server: PageServer, host: str | None, port: int) -> None:
    try:
        await server.start(host, port)
    except OSError as error:
        text, hint = _WHY.get(error.errno or 0, (error.strerror or "no such address", ""))
        raise QuarterdeckError(f"can't listen on {_shown(host or '', port)}: {text}", hint=hint) from error
    for at in server.addresses:
        _say(f"listening on http://{_shown(*at)}/metrics")
    if not all(ipaddress.ip_address(at[0].partition("%")[0]).is_loopback for at in server.addresses):
        _say(
            "warning: whoever can reach this port can read it, there is no password; 127.0.0.1 is for this machine only"
        )


def address(text: str) -> tuple[str | None, int]:
    """ "127.0.0.1:9788", "[::1]:9788", ":9788" (every address: ``None``), or "9788" (this machine only).

    Raises UsageError where it is none of them.
    """
    host, colon, port = text.strip().rpartition(":")
    inner = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535) or (
        ":" in host and inner is host
    ):
        raise UsageError(
            f"--listen: {printable(text, 60)} is no address", hint="It takes one such as 127.0.0.1:9788 or :9788."
        )
    return ("127.0.0.1" if not colon else inner or None), int(port)


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _say(text: str) -> None:
    sys.stderr.write(f"quarterdeck export: {printable(text, 400)}\n")
    sys.stderr.flush()
