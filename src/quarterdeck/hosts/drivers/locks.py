"""Only one at a time, of all programs of ours on this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from quarterdeck.hosts.drivers.base import DriverError


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``, or DriverError where another does. It ends with its process, however that ends."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DriverError(f"{path} can't be opened: {(error.strerror or 'unknown reason').lower()}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DriverError("another Quarterdeck is starting or stopping it at this moment") from None
        yield
    finally:
        os.close(handle)
