"""Which process listens on a port of this machine, and how many talk to it.

Linux: by the kernel's socket diagnosis (sock_diag(7)), which asks for no privilege and takes 0.2 ms where /proc/net/tcp takes 10
and psutil, which looks through every process's files, more. Elsewhere by psutil, which sees this user's processes only.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

ESTABLISHED, LISTEN = 1, 10
"""States of a socket, as the kernel numbers them."""
_SOCK_DIAG, _BY_FAMILY, _DUMP, _DONE, _ERROR = 4, 20, 0x301, 3, 2
_HEAD = struct.Struct("=IHHII")
_ASK = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH")
_TAIL = struct.Struct("=IIIII")
_ID_BYTES = 48
_WAIT_S = 1.0
_MAPPED = b"\0" * 10 + b"\xff\xff"
"""In front of an IPv4 address on an IPv6 socket."""


class Row(NamedTuple):
    """One TCP socket. Addresses are 4 or 16 bytes."""

    local: tuple[bytes, int]
    remote: tuple[bytes, int]
    uid: int
    inode: int


class Sockets(Protocol):
    """What is asked of either way."""

    def key(self, port: int) -> Hashable | None:
        """Changes whenever something else listens on ``port``; ``None`` where that can't be told cheaply. Raises OSError."""
        ...

    def listener(self, port: int, among: Sequence[Any]) -> Any | None:
        """The one of these (psutil) processes that listens on ``port``. Raises OSError or psutil.Error."""
        ...

    def established(self, port: int, process: Any) -> int:
        """Connections to ``port``, which ``process`` holds, but for this program's own. Raises OSError or psutil.Error."""
        ...


def rows(state: int, *, local_port: int = 0, remote_port: int = 0) -> Iterator[Row]:
    """The TCP sockets of this network namespace in ``state``, with these ports. Raises OSError where the kernel doesn't tell."""
    for family in (socket.AF_INET, socket.AF_INET6):
        yield from _dumped(family, state, local_port, remote_port)


def _dumped(family: int, state: int, local_port: int, remote_port: int) -> Iterator[Row]:
    wanted = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << state) + _PORTS.pack(local_port, remote_port)
    wanted += b"\0" * 36 + b"\xff" * 8
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as asking:
        asking.settimeout(_WAIT_S)
        asking.send(_HEAD.pack(_HEAD.size + len(wanted), _BY_FAMILY, _DUMP, 1, 0) + wanted)
        while True:
            data = asking.recv(65536)
            at = 0
            while at + _HEAD.size <= len(data):
                length, kind, *_ = _HEAD.unpack_from(data, at)
                if kind == _DONE or length < _HEAD.size:
                    return
                if kind == _ERROR:
                    code = -struct.unpack_from("=i", data, at + _HEAD.size)[0]
                    raise OSError(code, os.strerror(code))
                yield _row(family, data[at + _HEAD.size : at + length])
                at += (length + 3) & ~3


def _row(family: int, message: bytes) -> Row:
    """A ``struct inet_diag_msg``: four bytes, the socket's ports and addresses, five numbers of which the last are uid and inode."""
    local_port, remote_port = _PORTS.unpack_from(message, 4)
    size = 4 if family == socket.AF_INET else 16
    local, remote = _plain(message[8 : 8 + size]), _plain(message[24 : 24 + size])
    *_, uid, inode = _TAIL.unpack_from(message, 4 + _ID_BYTES)
    return Row((local, local_port), (remote, remote_port), uid, inode)


def _plain(address: bytes) -> bytes:
    return address[12:] if address.startswith(_MAPPED) else address


class KernelSockets:
    """Linux."""

    def key(self, port: int) -> Hashable | None:
        """The listening sockets' numbers."""
        return frozenset(row.inode for row in rows(LISTEN, local_port=port))

    def listener(self, port: int, among: Sequence[Any]) -> Any | None:
        """Certain where a process's files may be read; else the only one of the socket's user that sees it in its network."""
        listening = list(rows(LISTEN, local_port=port))
        likely = []
        for process in among:
            try:
                held = _inodes(process.pid)
            except PermissionError:
                if any(process.uids().effective == row.uid and _sees(process.pid, row.inode) for row in listening):
                    likely.append(process)
                continue
            if any(row.inode in held for row in listening):
                return process
        return likely[0] if len(likely) == 1 else None

    def established(self, port: int, process: Any) -> int:
        """All of this network namespace; ours are told by the other end of the same connection."""
        own = _inodes("self")
        ours = {row.local for row in rows(ESTABLISHED, remote_port=port) if row.inode in own}
        return sum(row.remote not in ours for row in rows(ESTABLISHED, local_port=port))


def _inodes(pid: int | str) -> set[int]:
    """The sockets that a process has open. Raises OSError where that may not be read."""
    found = set()
    with os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            try:
                target = os.readlink(entry.path)  # noqa: PTH115  (a Path for each file costs more than the call)
            except FileNotFoundError:
                continue  # closed meanwhile
            if target.startswith("socket:["):
                found.add(int(target[8:-1]))
    return found


def _sees(pid: int, inode: int) -> bool:
    """Whether a socket is in a process's network: a container has one of its own."""
    word = b" %d " % inode
    tables = (Path(f"/proc/{pid}/net/{name}") for name in ("tcp", "tcp6"))
    return any(word in table.read_bytes() for table in tables if table.exists())


class PsutilSockets:
    """Everywhere else."""

    def __init__(self, load: Callable[[], Any]) -> None:
        """``load``: psutil, once it is needed."""
        self._load = load

    def key(self, port: int) -> Hashable | None:
        """Not told."""
        return None

    def listener(self, port: int, among: Sequence[Any]) -> Any | None:
        """The one that has such a socket."""
        for process in among:
            if any(_at(one, "LISTEN", port) for one in process.net_connections("tcp")):
                return process
        return None

    def established(self, port: int, process: Any) -> int:
        """Of the process's own sockets."""
        ours = {_end(one.laddr) for one in self._load().Process().net_connections("tcp") if one.laddr}
        theirs = (one for one in process.net_connections("tcp") if _at(one, "ESTABLISHED", port))
        return sum(_end(one.raddr) not in ours for one in theirs)


def _at(connection: Any, status: str, port: int) -> bool:
    return connection.status == status and bool(connection.laddr) and connection.laddr.port == port


def _end(address: Any) -> tuple[str, int]:
    return address.ip.removeprefix("::ffff:"), address.port


def sockets_of_this_machine(load: Callable[[], Any]) -> Sockets:
    """The better way that works here. ``load``: psutil, for the other."""
    try:
        next(rows(LISTEN), None)
    except (OSError, AttributeError):  # no such kernel, or a sandbox
        return PsutilSockets(load)
    return KernelSockets()
