"""A server that runs on this machine, in a session of its own: it outlives us, and is stopped with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.format import age, printable
from quarterdeck.hosts.drivers.base import DriverError, Kin, Running, Say, Status
from quarterdeck.hosts.drivers.ending import end_all
from quarterdeck.hosts.drivers.family import MARK, keeper_lives, leader_lives, members, wait_until
from quarterdeck.hosts.drivers.identity import is_gone, sees_all
from quarterdeck.hosts.drivers.locks import only_one
from quarterdeck.hosts.drivers.logfile import fresh_log, last_line, log_in, tail
from quarterdeck.hosts.drivers.record import FOLDER, Record, file_stem, folder_in, read_record
from quarterdeck.hosts.drivers.words import ended_well, exit_words, named
from quarterdeck.model.commandlines import shown

_NAME = "QUARTERDECK_DEPLOYMENT"
_START_WITHIN_S = 30.0
_TOLD_WITHIN_S = 2.0
"""So long after a server's end its keeper may take to note it."""


class ProcessDriver:
    """Starts and stops ``spec.run``; remembers it in ``state``."""

    def __init__(self, spec: DeploymentSpec, state: Path) -> None:
        """``state``: the folder of what this program remembers; made when something is started."""
        self._spec = spec
        self._state = state
        self._stem = file_stem(spec.name)

    @property
    def record_path(self) -> Path:
        """Where it is remembered that it was started."""
        return self._state / FOLDER / f"{self._stem}.json"

    @property
    def log_path(self) -> Path:
        """Where its output goes; that of the start before is beside it, ending in ".1"."""
        return Path(self._spec.log).absolute() if self._spec.log else log_in(self._state, self._spec.name)

    def start(self, say: Say) -> None:
        """Start it in the background. Raises DriverError where it runs, is left over in part, or can't be started."""
        with self._alone():
            self._refuse_a_second()
            order = self._order()
            log = fresh_log(self.log_path)
            try:
                answer = _keep(self._spec.name, order, log)
            finally:
                os.close(log)
        if "pid" not in answer:
            raise DriverError(f"can't be started: {answer.get('error') or last_line(self.log_path) or 'no answer'}")
        say(f"started as process {answer['pid']}")

    def stop(self, grace: float, say: Say) -> str:
        """SIGTERM to its first process, ``grace`` seconds, then SIGTERM and SIGKILL to all of it; then none may be left."""
        with self._alone():
            record = read_record(self.record_path)
            if record is None:
                return "it doesn't run"
            how = end_all(record, grace, say)
            status = self._told(record).status
            self._forget(record)
        if how and status is not None and status >= 0:
            return f"{how}, with {exit_words(status)}"
        return how or "it doesn't run"

    def status(self) -> Status:
        """Whether its first process runs; else how it ended, and what is left of it."""
        record = read_record(self.record_path)
        if record is None:
            return Status(Running.STOPPED)
        if leader_lives(record):
            return Status(Running.RUNNING, "", record.pid, record.create_time)
        record = self._told(record)
        left = members(record)
        how = exit_words(record.status) if record.status is not None else "ended, and nobody saw how"
        if left:
            words = (
                f"its first process is gone ({how}); {named(left)} {'is' if len(left) == 1 else 'are'} left: stop ends "
            )
            return Status(Running.FAILED, words + ("it" if len(left) == 1 else "them"), left[0].pid, record.create_time)
        failed = record.status is not None and not ended_well(record.status)
        return Status(Running.FAILED if failed else Running.STOPPED, how)

    def family(self) -> tuple[Kin, ...]:
        """Every process of it that runs."""
        record = read_record(self.record_path)
        return () if record is None else tuple(Kin(each.pid, shown(each.title.split())) for each in members(record))

    def gone(self, pids: Collection[int], own: Collection[int]) -> frozenset[int]:
        """Those that surely belong to no living process."""
        every = sees_all()
        return frozenset(pid for pid in pids if pid > 0 and (every or pid in own) and is_gone(pid))

    def log_command(self, lines: int, *, follow: bool, since: float | None = None) -> tuple[str, ...]:
        """``tail`` of its log; () where there is none yet."""
        return tail(self.log_path, lines, follow=follow)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            folder = folder_in(self._state)
        except OSError as error:
            raise DriverError(f"the state folder {self._state} can't be made: {_reason(error)}") from None
        with only_one(folder / f"{self._stem}.lock"):
            yield

    def _refuse_a_second(self) -> None:
        record = read_record(self.record_path)
        if record is None:
            return
        if leader_lives(record):
            raise DriverError(
                f"it runs already: process {record.pid}, started {age(time.time() - record.create_time)} ago"
            )
        left = members(record)
        if left:
            raise DriverError(
                f"{named(left)} {'is' if len(left) == 1 else 'are'} left from the start before: stop it first"
            )

    def _told(self, record: Record) -> Record:
        """The record with how it ended; its keeper may be about to write that."""

        def known() -> bool:
            nonlocal record
            record = read_record(self.record_path) or record
            return record.status is not None or not keeper_lives(record)

        wait_until(known, _TOLD_WITHIN_S)
        return record

    def _forget(self, record: Record) -> None:
        wait_until(lambda: not keeper_lives(record), _TOLD_WITHIN_S)
        with contextlib.suppress(FileNotFoundError):
            self.record_path.unlink()

    def _order(self) -> dict[str, Any]:
        """What the keeper needs; checked, so that what is wrong is said in words."""
        argv, launch = self._spec.run, secrets.token_hex(16)
        if not argv or any("\0" in word for word in argv):
            raise DriverError("there is nothing to run")
        cwd = self._folder()
        env = {**os.environ, **self._spec.env, _NAME: self._spec.name, MARK: launch}
        _check_program(argv[0], cwd, env.get("PATH", os.defpath))
        return {
            "argv": argv,
            "cwd": str(cwd),
            "env": env,
            "launch": launch,
            "log": str(self.log_path),
            "record": str(self.record_path.absolute()),
        }

    def _folder(self) -> Path:
        cwd = (self._spec.cwd or Path.home()).absolute()
        if not cwd.is_dir():
            raise DriverError(f"the folder it runs in is {'not a folder' if cwd.exists() else 'missing'}: {cwd}")
        return cwd


def _keep(name: str, order: dict[str, Any], log: int) -> dict[str, Any]:
    """Start its keeper; what that answers: {"pid": …}, {"error": words}, or {} where it said nothing."""
    command = (sys.executable, "-P", "-m", "quarterdeck.hosts.drivers.keeper", name)
    try:
        keeper = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    except OSError as error:
        raise DriverError(f"can't be started: {_reason(error)}") from None
    with keeper:
        try:
            out, _ = keeper.communicate(json.dumps(order).encode(), timeout=_START_WITHIN_S)
        except subprocess.TimeoutExpired:
            keeper.kill()
            raise DriverError(f"whether it was started isn't known: no answer within {_START_WITHIN_S:g} s") from None
    try:
        answer = json.loads(out)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _check_program(program: str, cwd: Path, path: str) -> None:
    if os.sep in program:
        found = cwd / program
        if not found.exists():
            raise DriverError(f"the program {program} is not there (no shell reads this: ~ and $NAME stay as they are)")
        if not (found.is_file() and os.access(found, os.X_OK)):
            raise DriverError(f"the program {program} can't be executed")
    elif shutil.which(program, path=path) is None:
        raise DriverError(f"the program {program} is not found in PATH ({printable(path)})")


def _reason(error: OSError) -> str:
    return (error.strerror or "unknown reason").lower()
