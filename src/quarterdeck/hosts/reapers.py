"""Who takes in the children of the dead: what stands above a worker whose server is gone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.model.commandlines import is_python, read

_REAPERS = frozenset(
    ("systemd", "init", "tini", "dumb-init", "docker-init", "catatonit", "conmon", "launchd", "s6-svscan", "runsvdir")
)
_FIRST = frozenset(
    ("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "sleep", "tail", "cat", "pause", "sshd", "runit", "dinit")
)
"""What is process 1 of a machine or a container as well, and starts no worker of a model server itself. Any other may."""


_KEEPER = "quarterdeck.hosts.drivers.keeper"
"""Started the server, and keeps what that leaves behind."""


def takes_orphans(argv: Sequence[str], name: str, *, first: bool, machines: bool = False) -> bool:
    """Whether a process that isn't a worker's server has taken it in.

    ``first``: it is process 1 of a machine or a container; ``machines``: of a machine for sure.
    """
    if _KEEPER in argv:
        return True
    if read(argv).engine is not None or is_python(argv):
        return False  # the model server itself, or a program with one inside
    if machines:
        return True
    program = argv[0].split(" ")[0].rstrip(":").lstrip("-").rpartition("/")[2] if argv else ""
    return not _REAPERS.isdisjoint((name, program)) or (first and not _FIRST.isdisjoint((name, program)))
