"""The ssh connections of one engine: one for each machine, shared by its readings and its tunnels."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from quarterdeck.hosts.ssh.connection import SshConnection

_LONGEST_FOLDER = 60
"""A socket's path may have some 104 bytes, of which ssh wants 17 for a name that it makes first."""

_PLAIN = re.compile(r"/[A-Za-z0-9_.,/+-]*")
"""What ssh takes as it is: in an option a space ends the path, % and $ stand for something, and a colon ends a forwarding's."""


class SshPool:
    """Hands out connections and the private folder that their sockets lie in. Opens nothing by itself."""

    def __init__(self, monotonic: Callable[[], float], program: str = "ssh") -> None:
        """``program``: the ssh to run."""
        self._monotonic = monotonic
        self._program = program
        self._connections: dict[str, tuple[SshConnection, int]] = {}
        self._folder: Path | None = None
        self._numbers = count()

    def take(self, destination: str) -> SshConnection:
        """The connection to ``destination``; give it back with `leave`."""
        connection, users = self._connections.get(destination, (None, 0))
        if connection is None:
            connection = SshConnection(destination, self._socket, self._monotonic, program=self._program)
        self._connections[destination] = (connection, users + 1)
        return connection

    async def leave(self, connection: SshConnection) -> None:
        """Its last user ends it; the last connection takes the folder with it."""
        destination = connection.destination
        known, users = self._connections.get(destination, (None, 0))
        if known is not connection:
            return
        if users > 1:
            self._connections[destination] = (connection, users - 1)
            return
        del self._connections[destination]
        await connection.close()
        if not self._connections and self._folder is not None:
            folder, self._folder = self._folder, None
            shutil.rmtree(folder, ignore_errors=True)

    def _socket(self) -> Path:
        """A new name in the folder. Raises OSError where there is no place for one."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="qd-", dir=_place()))
        return self._folder / f"{next(self._numbers):x}"


def _place() -> str:
    """A folder for private files with a short name: this session's own, else the one for temporary files."""
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    for candidate in (own, tempfile.gettempdir()):
        if _PLAIN.fullmatch(candidate) and len(os.fsencode(candidate)) <= _LONGEST_FOLDER and _usable(candidate):
            return candidate
    return "/tmp"  # noqa: S108  (mkdtemp makes a folder in it that is ours alone)


def _usable(folder: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(folder).st_mode) and os.access(folder, os.W_OK | os.X_OK)  # noqa: PTH116
    except OSError:
        return False
