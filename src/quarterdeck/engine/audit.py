"""The audit log: who did what, when, where, and how it went. Lines of JSON that are only ever added; no secrets, no prompts."""

from __future__ import annotations

import errno
import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE = "audit.jsonl"
BEGUN = "begun"
"""The result in the line that is written before anything is done; the one after it says how it went."""
_LONGEST_LINE = 64 * 1024


def audit_path() -> Path:
    """The user's audit file."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / FILE


class Audit:
    """The open file. What is not written down is not done: opening it comes before the deed."""

    def __init__(self, path: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        """Raises OSError where it can't be written."""
        self.path = path or audit_path()
        self._wall = wall
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a line, with when and by whom before what ``record`` says. Raises OSError."""
        line = {"time": iso(self._wall()), "user": user_name(), **record}
        written = f"{json.dumps(line)}\n".encode()
        if os.write(self._descriptor, written) != len(written):  # in one call: no half lines mix
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)


def read(path: Path | None = None, *, since: float | None = None, limit: int | None = None) -> list[dict[str, Any]]:
    """Its lines, the oldest first: those since ``since`` (Unix seconds), at most the last ``limit``. What is no line of it is left out."""
    kept: deque[dict[str, Any]] = deque(maxlen=limit)
    begins = iso(since) if since is not None else ""
    try:
        with (path or audit_path()).open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                entry = _entry(line)
                if entry is not None and str(entry.get("time", "")) >= begins:
                    kept.append(entry)
    except OSError:
        return []
    return list(kept)


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def iso(unix: float) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")


def user_name() -> str:
    """Who does it; behind sudo also who that is."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo by {behind})" if behind and behind != name else name
