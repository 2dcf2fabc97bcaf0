"""Who notifies, of all consoles and watchers of a fleet: one at a time, told by locks that the system lets go however a program ends.

A webhook or command belongs to `quarterdeck watch` where one runs, the bell and the desktop to a console where one is open; the others
wait. Who has the turn gives it up within a second of somebody with a better claim coming.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Turn:
    """The turn of one kind of sinks. Calls take no time, and are made from one thread at a time."""

    def __init__(self, path: Path, *, first: bool) -> None:
        """``path``: of the lock. ``first``: whether this program goes before those that say False."""
        self._path, self._first = path, first
        self._turn: int | None = None
        self._claim: int | None = None
        self.problem = ""
        """Why there are no locks, in words; then only those who go first notify."""

    @property
    def mine(self) -> bool:
        """Whether it is this program's turn."""
        return self._turn is not None or (bool(self.problem) and self._first)

    def take(self) -> bool:
        """Take the turn if it is free, give it up if somebody goes first; whether it is ours. Never raises."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._may():
                self._turn = self._turn if self._turn is not None else _locked(self._path, fcntl.LOCK_EX)
            else:
                self._give_up()
            self.problem = ""
        except OSError as error:
            self.leave()
            self.problem = f"{self._path}: {error.strerror or type(error).__name__}"
        return self.mine

    def _may(self) -> bool:
        claim = self._path.with_name(f"{self._path.name}.first")
        if self._first:
            self._claim = self._claim if self._claim is not None else _locked(claim, fcntl.LOCK_EX)
            return self._claim is not None
        probe = _locked(claim, fcntl.LOCK_SH)
        _close(probe)
        return probe is not None

    def leave(self) -> None:
        """Let others have it."""
        self._give_up()
        _close(self._claim)
        self._claim = None

    def _give_up(self) -> None:
        _close(self._turn)
        self._turn = None


def _locked(path: Path, how: int) -> int | None:
    """The descriptor that holds the lock; ``None`` where somebody else does. Raises OSError where there can't be one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
