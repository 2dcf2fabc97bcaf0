"""Programs of the user's that start, stop and look after a server."""

from __future__ import annotations

import os
import time
from pathlib import Path

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import duration, printable
from quarterdeck.hosts.drivers.base import DriverError, Running, Say, Status
from quarterdeck.hosts.drivers.logfile import fresh_log, last_line, log_in, tail
from quarterdeck.hosts.drivers.tool import ASK_S, Pause, Ran, run, wait_for
from quarterdeck.hosts.drivers.words import exit_words

_START_S = 120.0
_MORE_S = 30.0
_EVERY_S = 1.0


class CommandDriver:
    """Runs ``spec.start``, ``spec.stop`` and ``spec.status`` as they stand, without a shell."""

    def __init__(self, spec: DeploymentSpec, state: Path, *, pause: Pause = time.sleep) -> None:
        """``state``: the folder for what the start command prints; ``pause``: how it waits between two looks."""
        self._spec = spec
        self._log = log_in(state, spec.name)
        self._pause = pause

    def start(self, say: Say) -> None:
        """Run the start command, which must return. What it leaves running may go on printing into our log."""
        if self.status().running is Running.RUNNING:
            raise DriverError("it runs already")
        log = fresh_log(self._log)
        try:
            ran = _run(self._spec.start, "start", _START_S, log)
        finally:
            os.close(log)
        if ran.status != 0:
            said = last_line(self._log)
            raise DriverError(f"the start command failed ({exit_words(ran.status)}){': ' if said else ''}{said}")
        say(f"{printable(self._spec.start[0])} returned")

    def stop(self, grace: float, say: Say) -> str:
        """Run the stop command, then look until the status command says that it is gone."""
        if self.status().running is Running.STOPPED:
            return "it doesn't run"
        say(f"{printable(self._spec.stop[0]) if self._spec.stop else ''} gets up to {duration(grace)}")
        ran = _run(self._spec.stop, "stop", grace + _MORE_S)
        if ran.status != 0:
            raise DriverError(f"the stop command failed ({exit_words(ran.status)}): {ran.words}")
        if not self._spec.status:
            return "the stop command returned; whether it is gone isn't known, as there is no status command"
        if wait_for(lambda: self.status().running is not Running.RUNNING, grace, every=_EVERY_S, pause=self._pause):
            return "stopped"
        raise DriverError(f"it still runs {duration(grace)} after the stop command, by its status command")

    def status(self) -> Status:
        """By the exit code of the status command."""
        if not self._spec.status:
            return Status(Running.UNKNOWN, "there is no status command")
        ran = _run(self._spec.status, "status", ASK_S)
        if ran.status == 0:
            return Status(Running.RUNNING)
        return Status(Running.STOPPED, ran.words)

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """The logs command as it stands (how many lines, and whether it goes on, it decides itself), else what start printed."""
        return self._spec.logs or tail(self._log, lines, follow=follow)


def _run(argv: tuple[str, ...], what: str, within: float, log: int | None = None) -> Ran:
    if not argv:
        raise DriverError(f"there is no {what} command")
    return run(argv, within=within, log=log)
