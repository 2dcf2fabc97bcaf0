"""Whether a port of this machine is free, and a program is there. Nothing is changed, nothing is left."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from quarterdeck.engine.preflight.check import BAD, WARN, Check
from quarterdeck.engine.preflight.machine import is_loopback
from quarterdeck.model.fleet import FleetSnapshot

_CONNECT_S = 0.5


def port_check(host: str, port: int, seen: FleetSnapshot) -> list[Check]:
    """What is wrong with listening there; [] where nothing is. Blocks for half a second at most."""
    address = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104  (recognised, not bound)
    if _answers(address, port):
        return [Check(BAD, f"port {port} is taken{_by(port, seen)}: something answers there")]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(
            family, socket.SOCK_STREAM
        ) as one:  # without SO_REUSEADDR: a server that loads has no more than bound it
            one.bind((address, port))
    except OSError as error:
        return [_refused(error, host, port)]
    except (OverflowError, ValueError):
        return [Check(BAD, f"{host}:{port} is no address")]
    return []


def _refused(error: OSError, host: str, port: int) -> Check:
    if error.errno == errno.EADDRINUSE:
        held = "by a server that doesn't answer yet, or by connections that ended less than a minute ago"
        return Check(WARN, f"port {port} is held, {held}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Check(BAD, f"port {port} may not be listened on by this user")
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return Check(BAD, f"this machine has no address {host}")
    return Check(WARN, f"port {port} can't be tried: {error.strerror or type(error).__name__}")


def _answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), _CONNECT_S):
            return True
    except (OSError, OverflowError, ValueError):
        return False


def _by(port: int, seen: FleetSnapshot) -> str:
    end = f":{port}"
    name = next((view.name for view in seen.endpoints if view.url.endswith(end) and is_loopback(view.url)), None)
    return f" by {name}" if name else ""


def program_check(program: str, cwd: Path | None, environment: Mapping[str, str]) -> list[Check]:
    """[] where ``program`` can be run; the search path is the server's."""
    path = environment.get("PATH") or os.environ.get("PATH") or os.defpath
    relative = cwd if cwd is not None and "/" in program and not program.startswith("/") else None
    wanted = str(relative / program) if relative is not None else program
    if shutil.which(wanted, path=path):
        return []
    there = Path(wanted)
    if "/" in wanted and there.exists():
        return [Check(BAD, f"{wanted} can't be run: it is no program")]
    where = "" if "/" in wanted else " on the search path"
    return [Check(BAD, f"the program {wanted} is not found{where}")]
