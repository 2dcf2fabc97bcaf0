"""A file, whole or not at all, and never over one that somebody has not agreed to lose. Everything here blocks."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from quarterdeck.errors import UsageError
from quarterdeck.format import printable, size


class ThereError(UsageError):
    """A file of that name is there already; the message says how large it is."""


def place(typed: str) -> Path:
    """The path that was typed: from the current folder, ``~`` is home. Raises UsageError."""
    if typed.isprintable():
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            return Path(os.path.realpath(Path(typed).expanduser()))
    raise UsageError(f"{printable(typed)!r} is no usable file name")


def write(path: Path, text: str, *, over: bool = False) -> None:
    """Write ``text`` (UTF-8); permissions as the umask has them, of a file that is replaced as they were.

    Raises ThereError where it exists and ``over`` isn't set, UsageError where it can't be written, in words.
    """
    try:
        mode = _mode_of(path, over=over)
        new = path.parent / f".{path.name[:100]}.{secrets.token_hex(4)}"
        try:
            _fill(new, text.encode("utf-8", "replace"), mode)
            _put(new, path, over=over)
        finally:
            with contextlib.suppress(OSError):
                new.unlink()
    except FileExistsError:
        raise _there(path) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be written: {_words(error)}") from None


def _mode_of(path: Path, *, over: bool) -> int | None:
    """Permissions of what is there; ``None`` where nothing is."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")
    try:
        there = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(there.st_mode):
        raise UsageError(f"{path} is no ordinary file")
    if not over:
        raise _there(path)
    return stat.S_IMODE(there.st_mode)


def _fill(path: Path, data: bytes, mode: int | None) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    with os.fdopen(handle, "wb") as file:
        if mode is not None:
            os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # a full disk or a quota is told now, not never


def _put(new: Path, path: Path, *, over: bool) -> None:
    """Under its name, at once. Raises FileExistsError."""
    if over:
        new.replace(path)
        return
    try:
        path.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if path.exists():
            raise FileExistsError(path) from None
        new.replace(path)


def _there(path: Path) -> ThereError:
    try:
        told = f": {size(path.stat().st_size)}"
    except OSError:
        told = ""
    return ThereError(f"{path.name} is there already{told}")


def _words(error: OSError | ValueError) -> str:
    said = error.strerror if isinstance(error, OSError) else ""
    return (said or "not a usable file name").lower()
