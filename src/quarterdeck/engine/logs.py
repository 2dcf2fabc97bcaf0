"""Following a log: of a deployment's server, by its driver's own program, or of a job. Bounded, whatever comes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.errors import UsageError
from quarterdeck.format import printable

if TYPE_CHECKING:
    from quarterdeck.config.fleet import FleetConfig

MOST_LINES = 5000
LONGEST_LINE = 2000
_CHUNK = 1 << 16
_ENDS_WITHIN_S = 2.0
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")
"""Colours and the like: what is left of them after their first byte is cut out would read as text."""


class LogSource(NamedTuple):
    """Where a log comes from."""

    title: str
    command: tuple[str, ...]
    """Prints the last lines and goes on."""


def of_endpoint(fleet: FleetConfig, endpoint: str, lines: int = 500) -> LogSource:
    """The log of the server that becomes ``endpoint``. Raises UsageError in words where there is none."""
    spec = next((spec for spec in fleet.deployments if spec.endpoint == endpoint), None)
    if spec is None:
        raise UsageError(
            f"the log of {endpoint} is not known",
            hint="A [[deployment]] in fleet.toml says what starts it, and so where its log is.",
        )
    from platformdirs import user_state_path

    from quarterdeck.hosts.drivers.base import DriverError
    from quarterdeck.hosts.drivers.open import driver_for

    try:
        command = driver_for(spec, state=user_state_path("quarterdeck")).log_command(lines, follow=True)
    except DriverError as error:
        raise UsageError(str(error)) from None
    if not command:
        raise UsageError(f"deployment {spec.name} has no log", hint='Give it one: logs = ["…"] in fleet.toml.')
    return LogSource(f"{spec.name} ({spec.driver})", command)


def of_file(title: str, path: Path, lines: int = 500) -> LogSource:
    """The log in a file."""
    return LogSource(title, ("tail", "-n", str(lines), "-F", "--", str(path)))


class Follower:
    """Runs a log's command and keeps its last lines."""

    def __init__(self, source: LogSource, *, most: int = MOST_LINES, news: Callable[[], None] | None = None) -> None:
        """``news`` is called when something came."""
        self.source = source
        self.lines: deque[str] = deque(maxlen=most)
        self.came = 0
        """Lines that came so far, those that were dropped included."""
        self.ended = ""
        """How the command ended, in words; "" while it runs."""
        self._news = news or (lambda: None)
        self._process: asyncio.subprocess.Process | None = None
        self._rest = b""

    async def run(self) -> None:
        """Follow until the command ends or this is cancelled. Never raises otherwise."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.source.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self._end(printable(f"{self.source.command[0]} can't be run ({why})", LONGEST_LINE))
            return
        try:
            await self._read(self._process)
        finally:
            await self._stop(self._process)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while chunk := await process.stdout.read(_CHUNK):
            self._take(chunk)
            await asyncio.sleep(0)  # a flood must not keep the keys waiting
        if self._rest:
            self._add([self._rest])
        code = await process.wait()
        self._end(
            "the log ends here" if code == 0 else printable(f"{self.source.command[0]} {_how(code)}", LONGEST_LINE)
        )

    def _take(self, chunk: bytes) -> None:
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _CHUNK:  # a line without end
            whole.append(self._rest)
            self._rest = b""
        self._add(whole)
        if whole:
            self._news()

    def _add(self, lines: list[bytes]) -> None:
        self.came += len(lines)
        self.lines.extend(clean(line) for line in lines[-(self.lines.maxlen or MOST_LINES) :])

    def _end(self, words: str) -> None:
        self.ended = words
        self._news()

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """End it and what it started, which may outlive it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ENDS_WITHIN_S):
                while process.stdout is not None and await process.stdout.read(_CHUNK):
                    pass  # its end is not heard before all that it said is
                await process.wait()


def _how(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def clean(line: bytes) -> str:
    """A line as it may be shown: no escapes, of a progress bar that overwrites itself its last state."""
    text = line[: LONGEST_LINE * 8].decode("utf-8", "replace").rstrip("\r\n")
    text = _ESCAPES.sub("", text.rpartition("\r")[2])
    return printable(text.expandtabs(4), LONGEST_LINE)
