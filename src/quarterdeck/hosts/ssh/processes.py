"""What `ps` on another machine tells of the processes that hold GPU memory there: title, user, the server above them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from quarterdeck.hosts.reapers import takes_orphans
from quarterdeck.hosts.ssh.procfs import PsRow
from quarterdeck.model import commandlines
from quarterdeck.model.gpu import GpuProcess

_LONGEST_CHAIN = 16


def described(process: GpuProcess, rows: Mapping[int, PsRow], read_at: float) -> GpuProcess:
    """``process`` with what its row and those above it tell. ``read_at``: Unix seconds when the rows were printed."""
    chain = list(_chain(process.pid, rows))
    if not chain:
        return process
    told = [commandlines.read(row.args) for row in chain]
    server = next((place for place, line in enumerate(told) if not line.worker), None)
    worker = told[0].worker and told[0].engine is not None
    orphaned = worker and server is not None and takes_orphans(chain[server].args, "", first=chain[server].pid == 1)
    part_of = [line for line in told[: None if server is None else server + 1] if line.engine]
    port = told[server].port if server is not None and not orphaned else None
    return replace(
        process,
        name=commandlines.shown(chain[0].args) or process.name,
        user=chain[0].user or None,
        started=read_at - chain[0].age_s,
        engine=part_of[0].engine if part_of else process.engine,
        told_port=port,
        serves=next((line.serves for line in part_of if line.serves), ()),
        orphaned=orphaned,
    )


def _chain(pid: int, rows: Mapping[int, PsRow]) -> Iterator[PsRow]:
    seen: set[int] = set()
    while pid in rows and pid not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(pid)
        yield rows[pid]
        pid = rows[pid].parent
