"""A unit of systemd, the system's or the user's own: ``systemctl`` and ``journalctl``."""

from __future__ import annotations

import time

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import duration
from quarterdeck.hosts.drivers.base import DriverError, Running, Say, Status
from quarterdeck.hosts.drivers.tool import Pause, ask, handle, wait_for

_SHOWN = "LoadState,ActiveState,SubState,Result,MainPID,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,UnitFileState"
_EVERY_S = 0.5
_KILLED_S = 10.0
_BY_SIGNAL = ("2", "3")
"""ExecMainCode: CLD_KILLED and CLD_DUMPED of waitid(2)."""
_RUNNING = frozenset(("active", "reloading", "activating", "deactivating", "refreshing", "maintenance"))
_RESULTS = {
    "timeout": "it took too long",
    "oom-kill": "out of memory: the kernel ended it",
    "watchdog": "its watchdog ended it",
    "start-limit-hit": "it failed too often in a short time",
    "core-dump": "it crashed",
    "resources": "something it needs is missing",
    "protocol": "it didn't tell systemd that it is ready",
}


class SystemdDriver:
    """Starts and stops ``spec.unit``."""

    def __init__(self, spec: DeploymentSpec, *, pause: Pause = time.sleep) -> None:
        """``pause``: how it waits between two looks."""
        self._spec = spec
        self._pause = pause

    def start(self, say: Say) -> None:
        """Have it started; a unit that says when it is ready isn't waited for."""
        if self.status().running is Running.RUNNING:
            raise DriverError(f"{self._unit} runs already")
        ask(self._systemctl("start", "--no-block", "--", self._unit))
        say(f"systemd starts {self._unit}")
        status = self.status()
        if status.running is Running.FAILED:
            raise DriverError(f"{self._unit}: {status.words}")

    def stop(self, grace: float, say: Say) -> str:
        """Have it stopped, and killed where that takes longer than ``grace``."""
        if self.status().running is not Running.RUNNING:
            return "it doesn't run"
        ask(self._systemctl("stop", "--no-block", "--", self._unit))
        say(f"systemd stops {self._unit}; it gets up to {duration(grace)}")
        if wait_for(self._gone, grace, every=_EVERY_S, pause=self._pause):
            return "stopped"
        say("SIGKILL to all its processes")
        ask(self._systemctl("kill", "--signal=SIGKILL", "--", self._unit))
        if wait_for(self._gone, _KILLED_S, every=_EVERY_S, pause=self._pause):
            return f"killed: it didn't end within {duration(grace)}"
        status = self.status()
        raise DriverError(
            f"{self._unit} is still there ({status.words or 'running'}, process {status.pid or 'unknown'})"
        )

    def status(self) -> Status:
        """What ``systemctl show`` says."""
        lines = ask(self._systemctl("show", f"--property={_SHOWN}", "--", self._unit)).splitlines()
        return _status({key: value for key, _, value in (line.partition("=") for line in lines)}, time.time())

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """``journalctl`` of the unit."""
        unit = f"--user-unit={self._unit}" if self._spec.user else f"--unit={self._unit}"
        return (
            "journalctl",
            unit,
            "--output=cat",
            f"--lines={max(0, lines)}",
            "--no-pager",
            *((f"--since=@{since:.0f}",) if since is not None else ()),
            *(("--follow",) if follow else ()),
        )

    @property
    def _unit(self) -> str:
        return handle(self._spec.unit, "a systemd unit")

    def _systemctl(self, *words: str) -> tuple[str, ...]:
        return ("systemctl", *(("--user",) if self._spec.user else ()), "--no-ask-password", "--no-pager", *words)

    def _gone(self) -> bool:
        return self.status().running is not Running.RUNNING


def _status(shown: dict[str, str], now: float) -> Status:
    active, load = shown.get("ActiveState", ""), shown.get("LoadState", "")
    if load == "not-found":
        return Status(Running.UNKNOWN, "there is no such unit")
    if active in _RUNNING:
        words = "" if active == "active" else f"{active} ({shown.get('SubState', '')})"
        return Status(Running.RUNNING, words, _number(shown.get("MainPID")), _since(shown, now))
    if active == "failed":
        return Status(Running.FAILED, _how(shown))
    if load not in ("loaded", ""):
        return Status(Running.STOPPED, f"the unit is {load}")
    return Status(Running.STOPPED) if active == "inactive" else Status(Running.UNKNOWN, active or "systemd doesn't say")


def _how(shown: dict[str, str]) -> str:
    result, code = shown.get("Result", ""), shown.get("ExecMainStatus", "")
    if result in _RESULTS:
        return _RESULTS[result]
    if result == "signal" or shown.get("ExecMainCode") in _BY_SIGNAL:
        return f"killed by signal {code}"
    return f"exit code {code}" if result == "exit-code" else result or "failed"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 20 and int(text) else None


def _since(shown: dict[str, str], now: float) -> float | None:
    """Its start is told in microseconds of the monotonic clock."""
    started = _number(shown.get("ExecMainStartTimestampMonotonic"))
    return None if started is None else now - max(0.0, time.monotonic() - started / 1e6)
