"""The file that a server's output goes to: begun anew at each start, the one before kept once."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from quarterdeck.format import printable
from quarterdeck.hosts.drivers.base import DriverError
from quarterdeck.hosts.drivers.record import FOLDER, file_stem


def log_in(state: Path, name: str) -> Path:
    """Where a deployment's log lies unless the fleet file says."""
    return (state / FOLDER / f"{file_stem(name)}.log").absolute()


def fresh_log(path: Path) -> int:
    """The log, empty and opened to append to; what was there is in "….1" now. Raises DriverError, in words."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size:
            with path.open("ab"):
                pass  # what we may not write isn't moved away either
            os.replace(path, f"{path}.1")  # noqa: PTH105
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        words = (error.strerror or "unknown reason").lower()
        raise DriverError(f"its log {path} can't be written: {words}") from None
    if not (stat.S_ISREG(os.fstat(handle).st_mode) or str(path) == os.devnull):
        os.close(handle)
        raise DriverError(f"its log {path} is not a file")
    os.set_blocking(handle, True)
    return handle


def last_line(path: Path) -> str:
    """The last line that says something; "" where there is none."""
    with contextlib.suppress(OSError), path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - 4000))
        lines = [line for line in stream.read(4000).decode("utf-8", "replace").splitlines() if line.strip()]
        return printable(lines[-1], 300) if lines else ""
    return ""


def tail(path: Path, lines: int, *, follow: bool) -> tuple[str, ...]:
    """The argument list that prints its last lines; () where there is none yet."""
    if not path.exists():
        return ()
    return ("tail", "-n", str(max(0, lines)), *(("-F",) if follow else ()), "--", str(path))
