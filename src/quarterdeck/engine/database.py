"""SQLite files of the state folder: their owner's only, and opened by several consoles at one time."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

_AGAIN_S = 0.01


def open_private(path: Path, prepare: Callable[[sqlite3.Connection], None], *, busy_s: float) -> sqlite3.Connection:
    """A connection to the file, made if need be, on which ``prepare`` has been called.

    ``busy_s``: seconds to wait for others. Raises OSError, sqlite3.Error, and what ``prepare`` raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _make_private(path)
    base = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        _patiently(prepare, base, time.monotonic() + busy_s)
    except BaseException:
        base.close()
        raise
    return base


def _make_private(path: Path) -> None:
    """SQLite would make it readable for others, and a copy that was put back may be."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o077:
            os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _patiently(prepare: Callable[[sqlite3.Connection], None], base: sqlite3.Connection, deadline: float) -> None:
    """Again while another console does the same: SQLite doesn't wait for a change of the journal's mode by itself."""
    while True:
        try:
            prepare(base)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() >= deadline:
                raise
            if base.in_transaction:
                base.execute("ROLLBACK")
            time.sleep(_AGAIN_S)
        else:
            return
