"""A container that exists already: ``docker start`` and ``docker stop``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import duration, printable
from quarterdeck.hosts.drivers.base import DriverError, Running, Say, Status
from quarterdeck.hosts.drivers.tool import ask, handle
from quarterdeck.hosts.drivers.words import exit_words

_START_S = 60.0
_MORE_S = 30.0
_RUNNING = frozenset(("running", "restarting", "paused", "removing", "stopping"))


class DockerDriver:
    """Starts and stops ``spec.container``, on the docker that the environment names (DOCKER_HOST, the context)."""

    def __init__(self, spec: DeploymentSpec) -> None:
        self._spec = spec

    def start(self, say: Say) -> None:
        """Start it."""
        if self.status().running is Running.RUNNING:
            raise DriverError(f"the container {self._name} runs already")
        ask(("docker", "start", "--", self._name), within=_START_S)
        say(f"docker started {self._name}")

    def stop(self, grace: float, say: Say) -> str:
        """SIGTERM to its first process, SIGKILL to all of it after ``grace``: docker does both."""
        if self.status().running is not Running.RUNNING:
            return "it doesn't run"
        say(f"docker stops {self._name}; it gets up to {duration(grace)}")
        ask(("docker", "stop", "-t", str(math.ceil(max(0.0, grace))), "--", self._name), within=grace + _MORE_S)
        status = self.status()
        if status.running is Running.RUNNING:
            raise DriverError(f"the container {self._name} still runs (process {status.pid or 'unknown'})")
        return f"stopped{f', {status.words}' if status.words else ''}"

    def status(self) -> Status:
        """What ``docker inspect`` says of its state."""
        try:
            out = ask(("docker", "inspect", "--type=container", "--format={{json .State}}", "--", self._name))
        except DriverError as error:
            if "no such container" in str(error).lower():
                return Status(Running.UNKNOWN, "no such container")
            raise
        try:
            state = json.loads(out)
        except (ValueError, RecursionError):
            state = None
        if not isinstance(state, dict):
            raise DriverError("docker inspect answered something else than a state")
        return _status(state)

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """``docker logs``."""
        more = (*((f"--since={since:.0f}",) if since is not None else ()), *(("--follow",) if follow else ()))
        return ("docker", "logs", f"--tail={max(0, lines)}", *more, "--", self._name)

    @property
    def _name(self) -> str:
        return handle(self._spec.container, "a container")


def _status(state: Mapping[str, Any]) -> Status:
    word, code = str(state.get("Status", "")), state.get("ExitCode")
    if word in _RUNNING:
        pid = state.get("Pid")
        started = _moment(state.get("StartedAt"))
        return Status(
            Running.RUNNING,
            "" if word == "running" else word,
            pid if isinstance(pid, int) and pid > 0 else None,
            started,
        )
    if word == "created":
        return Status(Running.STOPPED, "never started")
    words = printable(str(state.get("Error") or "")) or (exit_words(code) if isinstance(code, int) else word)
    if state.get("OOMKilled") is True:
        words = f"out of memory: the kernel ended it ({words})"
    if word not in ("exited", "dead"):
        return Status(Running.UNKNOWN, printable(word) or "docker doesn't say")
    # 137 and 143 are what `docker stop` leaves: killed, ended.
    well = code in (0, 137, 143) and not state.get("OOMKilled") and not state.get("Error")
    return Status(Running.STOPPED if well else Running.FAILED, words)


def _moment(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(str(text)[:19] + "+00:00")
    except ValueError:
        return None
    return moment.timestamp() if moment.year > 1 else None
