"""A machine that is only a name: nothing of it is read (``gpus = "none"``)."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.config.fleet import HostSpec
from quarterdeck.hosts.base import HostReading

NOT_READ = 'not read: its gpus are set to "none"'


class UnreadHost:
    """Groups endpoints under a name; its processor, memory and GPUs stay unknown."""

    def __init__(self, spec: HostSpec, monotonic: Callable[[], float]) -> None:
        self._spec = spec
        self._monotonic = monotonic

    @property
    def spec(self) -> HostSpec:
        """What it was opened for."""
        return self._spec

    async def read(self) -> HostReading:
        """Nothing, and why."""
        return HostReading(self._monotonic(), "none", reason=NOT_READ)

    async def close(self) -> None:
        """There is nothing to close."""
