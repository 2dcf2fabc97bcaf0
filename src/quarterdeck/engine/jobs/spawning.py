"""Starting the worker of a job: a process that outlives whoever starts it, and of which nothing stays with them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable

LOG = "log.txt"
_SPAWNED_WITHIN_S = 20.0
_LAST_BYTES = 4096


def spawn_worker(folder: Path, lock: int) -> None:
    """Start the worker of the job in ``folder``, in a session of its own. It inherits the descriptor ``lock``.

    Raises QuarterdeckError where it doesn't start, OSError where its log can't be written.
    """
    log = os.open(folder / LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        code = _left_behind(
            [sys.executable, "-P", "-m", "quarterdeck.engine.jobs.worker", str(folder), str(lock)], log, lock
        )
    except OSError as error:
        raise _not_started(error.strerror or type(error).__name__) from None
    finally:
        os.close(log)
    if code:
        raise _not_started(_last_line(folder / LOG) or f"exit code {code}")


def _left_behind(command: list[str], log: int, lock: int) -> int:
    """Run what leaves a child behind and ends at once, so that no dead process stays with us; its exit code."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=(lock,)
    )
    try:
        return process.wait(_SPAWNED_WITHIN_S)
    except subprocess.TimeoutExpired:  # the machine is very busy
        return 0


def _last_line(path: Path) -> str:
    try:
        said = path.read_bytes()[-_LAST_BYTES:].decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return printable(said[-1], 200) if said else ""


def _not_started(why: str) -> QuarterdeckError:
    return QuarterdeckError(f"nothing was done: the worker of the job did not start ({why})")
