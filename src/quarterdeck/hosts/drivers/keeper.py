"""The keeper: a small process of ours that starts a server, outlives us, and notes how the server ended. Stdlib only.

``python -m quarterdeck.hosts.drivers.keeper NAME`` reads one order (JSON) from its input, goes into the background, starts the
server in a session of its own, writes the record, and answers one line: {"pid": …} or {"error": "…"}. Where the system lets it,
it takes in the server's descendants when their parents die, so that none is lost, whatever they did to their names, groups and
environments. It ends when the last of them has.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from quarterdeck.hosts.drivers.identity import identity
from quarterdeck.hosts.drivers.record import Record, read_record, write_record

_PR_SET_CHILD_SUBREAPER = 36
_STDOUT = 1


def main() -> None:
    """Read the order, start, and wait for the end."""
    order = json.loads(sys.stdin.buffer.read())
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stay)  # a handler, not SIG_IGN: that the server would inherit
    _adopt_orphans()
    path = Path(order["record"])
    try:
        server = _started(order)
        record = _noted(server, order, path)
    except OSError as error:
        _answer({"error": _words(error, order)})
        return
    _answer({"pid": server.pid})
    _wait(server.pid, path, record)


def _stay(*_: object) -> None:
    """What ends a session's programs doesn't end the one that tells how they ended."""


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _started(order: dict[str, Any]) -> subprocess.Popen[bytes]:
    """The server; its output goes where our standard error goes, which is its log."""
    return subprocess.Popen(
        order["argv"],
        cwd=order["cwd"],
        env=order["env"],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr.fileno(),
        stderr=sys.stderr.fileno(),
        start_new_session=True,
    )


def _noted(server: subprocess.Popen[bytes], order: dict[str, Any], path: Path) -> Record:
    """Its record, written; a server of which no record can be written is ended."""
    own, keeper = identity(server.pid) or "", identity(os.getpid()) or ""
    record = Record(
        server.pid,
        own,
        time.time(),
        server.pid,
        os.getpid(),
        keeper,
        order["launch"],
        tuple(order["argv"]),
        order["log"],
    )
    try:
        write_record(path, record)
    except OSError as error:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        raise OSError(error.errno, error.strerror, str(path)) from None
    return record


def _wait(leader: int, path: Path, record: Record) -> None:
    """Until no child is left, and none that became ours."""
    while True:
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return
        if pid == leader:
            _note_end(path, replace(record, status=os.waitstatus_to_exitcode(status), ended=time.time()))


def _note_end(path: Path, record: Record) -> None:
    known = read_record(path)
    if known is not None and known.launch == record.launch:
        with contextlib.suppress(OSError):
            write_record(path, record)


def _words(error: OSError, order: dict[str, Any]) -> str:
    what = error.filename if isinstance(error.filename, str) else order["argv"][0]
    return f"{what}: {(error.strerror or 'unknown reason').lower()}"


def _answer(answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.write(_STDOUT, json.dumps(answer).encode() + b"\n")
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, _STDOUT)
        os.close(nowhere)


if __name__ == "__main__":
    main()
