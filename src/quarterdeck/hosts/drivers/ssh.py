"""A server on another machine, started there through the system's ssh: in a session of its own, without anything installed."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from quarterdeck.config.reach import is_ssh_destination
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import duration, printable, size
from quarterdeck.hosts.drivers.base import DriverError, Kin, Running, Say, Status
from quarterdeck.hosts.drivers.record import file_stem
from quarterdeck.hosts.drivers.remote import (
    Launch,
    ask_script,
    end_script,
    gone_script,
    home_path,
    start_script,
    tail_command,
)
from quarterdeck.hosts.drivers.tool import Ran, run
from quarterdeck.hosts.drivers.words import ended_well, exit_words, named
from quarterdeck.hosts.ssh.words import hint, ssh_words
from quarterdeck.model.commandlines import shown

_CONNECT_S = 10
_ASK_S = 40.0
_TOLD_S = 5
_KILLED_S = 3
_ROUNDS = 3
_SSHS_OWN = 255
_OPTIONS = (
    "BatchMode=yes",
    f"ConnectTimeout={_CONNECT_S}",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "LogLevel=INFO",
)
"""As those of the connection that readings take; what they leave open is ~/.ssh/config's."""


class _Left(NamedTuple):
    """A process over there."""

    pid: int
    memory: int | None
    title: str

    def __str__(self) -> str:
        memory = f", {size(self.memory)}" if self.memory is not None else ""
        return f"{self.title} ({self.pid}{memory})"


class _Seen(NamedTuple):
    """What the program over there answered."""

    words: Mapping[str, str]
    left: tuple[_Left, ...]


class SshDriver:
    """Starts and stops ``spec.run`` on ``spec.host``; what it remembers lies there, in ~/.local/state/quarterdeck."""

    def __init__(self, spec: DeploymentSpec, *, program: str = "ssh") -> None:
        """``program``: the ssh to run."""
        self._spec = spec
        self._program = program
        self._stem = file_stem(spec.name)

    def start(self, say: Say) -> None:
        """Start it there."""
        if not self._spec.run or self._spec.run[0].startswith("-") or any("\0" in word for word in self._spec.run):
            raise DriverError("there is nothing that can be run")
        launch = Launch(
            self._stem,
            self._spec.name,
            secrets.token_hex(16),
            self._spec.run,
            str(self._spec.cwd) if self._spec.cwd else "~",
            self._spec.env,
            self._spec.log,
        )
        seen = self._asked(start_script(launch))
        if "failed" in seen.words:
            left = f": {named(seen.left)}" if seen.left else ""
            raise DriverError(f"can't be started on {self._host}: {seen.words['failed']}{left}")
        say(f"started on {self._host} as process {seen.words.get('pid', '?')}")

    def stop(self, grace: float, say: Say) -> str:
        """As on this machine: its first process is asked, then all of it, then all of it is killed; and none may be left."""
        seen = self._asked(ask_script(self._stem))
        if not seen.left:
            return self._forgotten("it doesn't run")
        began, count = time.monotonic(), len(seen.left)
        if "alive" in seen.words:
            say(f"asked process {seen.words.get('pid', '?')} on {self._host} to end; it gets up to {duration(grace)}")
            seen = self._asked(end_script(self._stem, "leader", grace), more=grace)
        if seen.left:
            say(f"{_processes(seen)} left: SIGTERM to all")
            seen = self._asked(end_script(self._stem, "TERM", min(_TOLD_S, grace)), more=_TOLD_S)
        killed = len(seen.left)
        for _ in range(_ROUNDS):
            if seen.left:
                say(f"{_processes(seen)} left: SIGKILL to all")
                seen = self._asked(end_script(self._stem, "KILL", _KILLED_S), more=_KILLED_S)
        if seen.left:
            raise DriverError(f"on {self._host}, {named(seen.left)} can't be ended, not even by SIGKILL")
        took = duration(time.monotonic() - began)
        code = _number(seen.words.get("status"))
        how = f", with exit code {code}" if code is not None and code <= 128 else ""
        return self._forgotten(
            f"ended by SIGKILL after {took} ({killed} of {count} processes)" if killed else f"ended after {took}{how}"
        )

    def status(self) -> Status:
        """Whether its first process runs there; else how it ended, and what is left of it."""
        seen = self._asked(ask_script(self._stem))
        if "none" in seen.words:
            return Status(Running.STOPPED)
        pid, since = _number(seen.words.get("pid")), _number(seen.words.get("started"))
        if "alive" in seen.words:
            return Status(Running.RUNNING, "", pid, since)
        code = _number(seen.words.get("status"))
        how = exit_words(_signal_of(code)) if code is not None else "ended, and nobody saw how"
        if seen.left:
            many = len(seen.left) > 1
            words = f"its first process is gone ({how}); {named(seen.left)} {'are' if many else 'is'} left: stop ends "
            return Status(Running.FAILED, words + ("them" if many else "it"), seen.left[0].pid, since)
        failed = code is not None and not ended_well(_signal_of(code))
        return Status(Running.FAILED if failed else Running.STOPPED, how)

    def family(self) -> tuple[Kin, ...]:
        """Every process of it that runs there."""
        return tuple(Kin(each.pid, shown(each.title.split())) for each in self._asked(ask_script(self._stem)).left)

    def gone(self, pids: Collection[int], own: Collection[int]) -> frozenset[int]:
        """Those that surely belong to no living process there."""
        asked = sorted(pid for pid in pids if pid > 0)
        if not asked:
            return frozenset()
        words = self._asked(gone_script(self._stem, asked)).words
        return frozenset(pid for pid in asked if f"gone.{pid}" in words and ("machine" in words or pid in own))

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """``tail`` over there."""
        return (*self._ssh(), tail_command(home_path(self._spec.log, self._stem), max(0, lines), follow=follow))

    @property
    def _host(self) -> str:
        host = self._spec.host or ""
        if not is_ssh_destination(host):
            raise DriverError(f'"{printable(host)}" is no ssh destination')
        return host

    def _ssh(self) -> tuple[str, ...]:
        return (
            self._program,
            "-T",
            "-a",
            "-x",
            *(part for option in _OPTIONS for part in ("-o", option)),
            "--",
            self._host,
        )

    def _forgotten(self, words: str) -> str:
        self._asked(end_script(self._stem, "forget", 0))
        return words

    def _asked(self, script: str, *, more: float = 0.0) -> _Seen:
        """The answer of a shell over there. Raises DriverError with ssh's words, or the shell's."""
        quiet = {"SSH_ASKPASS_REQUIRE": "never"}
        ran = run((*self._ssh(), "exec /bin/sh"), within=_ASK_S + more, given=script, env=quiet)
        seen = _answer(ran.out)
        if seen is None:
            raise DriverError(f"ssh {self._host}: {_why(ran, self._host)}")
        return seen


def _why(ran: Ran, host: str) -> str:
    if ran.status != _SSHS_OWN:
        return f"no answer from a shell there: {ran.words}"
    words = ssh_words(ran.err.splitlines(), ran.status)
    more = hint(words, host)
    return f"{words} ({more})" if more else words


def _answer(out: str) -> _Seen | None:
    """Lines "qd KEY VALUE" between what a login greets with; ``None`` where the last, "qd end", is missing."""
    words: dict[str, str] = {}
    left: list[_Left] = []
    for line in out.splitlines():
        mark, _, rest = line.partition(" ")
        key, _, value = rest.partition(" ")
        if mark != "qd":
            continue
        process = re.fullmatch(r"\s*([0-9]+)\s+([0-9]+)\s+(.*)", value) if key == "left" else None
        if process is not None:
            left.append(_Left(int(process[1]), int(process[2]) * 1024, printable(process[3], 60) or "a process"))
        else:
            words[key] = printable(value)
    return _Seen(words, tuple(left)) if "end" in words else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 16 else None


def _signal_of(code: int) -> int:
    """A shell tells a signal n as 128 + n."""
    return 128 - code if 128 < code < 128 + 65 else code


def _processes(seen: _Seen) -> str:
    return f"{len(seen.left)} process{'' if len(seen.left) == 1 else 'es'}"
