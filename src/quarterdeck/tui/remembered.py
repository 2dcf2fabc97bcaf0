"""What the console remembers from one run to the next: a few small values by name, in one file of the state folder.

Nothing in it is needed: a file that can't be read is as good as none, and what can't be written is forgotten. Only its
owner may read it. Two consoles at once keep each other's values.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


FILE = "console.json"
_LARGEST = 64 * 1024
"""Bytes; what is larger was not written here."""


def path() -> Path:
    """The file."""
    from platformdirs import user_state_path

    return user_state_path("quarterdeck") / FILE


def get(key: str) -> object:
    """What was put under ``key``: a JSON value, of any shape if somebody else wrote the file; ``None`` where nothing was."""
    return _read(path()).get(key)


def put(key: str, value: object) -> str:
    """Remember a JSON value under ``key``, ``None`` to forget it; what else is remembered stays. Why it can't be, or ""."""
    import json

    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(file):
            kept = _read(file)
            kept[key] = value
            text = json.dumps({name: each for name, each in kept.items() if each is not None}, indent=1)
            _write(file, text.encode())
    except OSError as error:
        return error.strerror or "it can't be written"
    return ""


def _read(file: Path) -> dict[str, object]:
    """All of it; nothing where it isn't what was written here."""
    data = b""
    with suppress(OSError):
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe must not hold up the start
        with os.fdopen(descriptor, "rb") as opened:
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                data = opened.read(_LARGEST + 1)
    if not data or len(data) > _LARGEST:
        return {}
    import json  # the first frame waits for it only where something is remembered

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """While it lasts no other console writes. Where a file system knows no locks, the last one to write wins."""
    import fcntl

    descriptor = os.open(file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # held for as long as it takes to write a page
        yield
    finally:
        os.close(descriptor)


def _write(file: Path, data: bytes) -> None:
    """All of it or nothing, for the owner only."""
    import tempfile

    handle, fresh = tempfile.mkstemp(prefix=".console-", dir=file.parent)  # 0600
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(data)
        Path(fresh).replace(file)
    except OSError:
        with suppress(OSError):
            Path(fresh).unlink()
        raise
