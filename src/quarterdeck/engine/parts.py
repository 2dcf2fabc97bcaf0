"""What an engine needs of what it works with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from quarterdeck.hosts.base import Host
    from quarterdeck.model.job import Job
    from quarterdeck.model.reading import Reading


class Board(Protocol):
    """Where jobs are read (`quarterdeck.engine.jobs.board.JobBoard`)."""

    def read(self) -> tuple[Job, ...]:
        """Those there are; the same tuple where nothing changed. Blocks; never raises."""
        ...


class Pollable(Protocol):
    """What the engine needs of an endpoint (`quarterdeck.endpoints.endpoint.Endpoint`)."""

    async def poll(self) -> Reading:
        """One reading; never raises, always ends."""
        ...

    async def close(self) -> None:
        """Give up its connections."""
        ...


async def closed(one: Pollable | Host) -> None:
    """Close it, whatever that raises."""
    with contextlib.suppress(Exception):
        await one.close()
