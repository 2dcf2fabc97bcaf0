"""Runs another program by its argument list, never through a shell, within a deadline; what goes wrong is told in words."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple

from quarterdeck.format import printable
from quarterdeck.hosts.drivers.base import DriverError

ASK_S = 20.0
"""For what only asks."""
_MOST_OUTPUT = 4 * 2**20
_LONGEST_WORDS = 300
Pause = Callable[[float], None]


class Ran(NamedTuple):
    """How a program ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Its reason, where it failed: the last line of its errors, else of its output, else its exit status."""
        for text in (self.err, self.out):
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            if lines:
                return printable(lines[-1], _LONGEST_WORDS)
        return f"exit status {self.status}"


def run(
    argv: Sequence[str], *, within: float, given: str = "", env: Mapping[str, str] | None = None, log: int | None = None
) -> Ran:
    """Run ``argv`` in a session of its own with ``given`` as its input; ``env`` is added to ours. Blocks up to ``within`` seconds.

    ``log``: a file's descriptor that gets all output, in place of the answer. Output goes to files, so that what it leaves running in the background keeps nobody waiting. Raises DriverError where it is not
    installed, can't be started, or takes longer (then it is ended, with its group).
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as source:
        source.write(given.encode())
        source.seek(0)
        try:
            child = subprocess.Popen(
                tuple(argv),
                stdin=source,
                stdout=out if log is None else log,
                stderr=err if log is None else log,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except FileNotFoundError:
            raise DriverError(f"{printable(argv[0])} is not installed here") from None
        except (OSError, ValueError) as error:
            words = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise DriverError(f"{printable(argv[0])} can't be started: {words.lower()}") from None
        try:
            status = child.wait(within)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise DriverError(f"{printable(argv[0])} took longer than {within:g} s and was ended") from None
            raise
        return Ran(status, _text(out), _text(err))


def _text(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read(_MOST_OUTPUT).decode("utf-8", "replace")


def ask(argv: Sequence[str], *, within: float = ASK_S) -> str:
    """What a tool prints, in plain English. Raises DriverError with its own words where it fails."""
    ran = run(argv, within=within, env={"LC_ALL": "C"})
    if ran.status != 0:
        raise DriverError(f"{argv[0]}: {ran.words}")
    return ran.out


def handle(name: str | None, what: str) -> str:
    """A name that a tool can't take for an option. Raises DriverError."""
    if not name or name.startswith("-") or not name.isprintable():
        raise DriverError(f"{printable(repr(name or ''))} is no name of {what}")
    return name


def wait_for(done: Callable[[], bool], within: float, *, every: float, pause: Pause) -> bool:
    """Whether ``done`` came true; asked at once, then every ``every`` seconds for ``within`` seconds, and once more at the end."""
    left = within
    while not done():
        if left <= 0:
            return False
        step = min(every, left)
        pause(step)
        left -= step
    return True
