"""Jobs for tests: a folder whose workers are stood in for, and ways to wait for real ones without looking again and again."""

from __future__ import annotations

import asyncio
import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path

from quarterdeck.engine.jobs.folder import LOCK, JobFolder
from quarterdeck.model.job import Job, Option, Order

NOW = 1_795_370_400.0


@dataclass
class Workers:
    """Stands in for starting workers: holds the lock of each, as a living one does, until told otherwise."""

    held: dict[str, int] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    def __call__(self, folder: Path, lock: int) -> None:
        """Start one."""
        self.started.append(folder.name)
        self.held[folder.name] = os.dup(lock)

    def dies(self, identity: str) -> None:
        """Its process is gone: the system lets go of its lock."""
        os.close(self.held.pop(identity))


@dataclass
class Wall:
    """A clock that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


def order(action: str = "pull", target: str = "e", model: str | None = "qwen3:8b", **options: Option) -> Order:
    """An order."""
    return Order(action, target, model, options)


def job(wanted: Order | None = None, **known: object) -> Job:
    """A job that nobody has begun."""
    usual: dict[str, object] = {
        "id": "",
        "order": wanted or order(),
        "url": "http://127.0.0.1:11434",
        "engine": "ollama",
        "place": "box",
    }
    return Job(**(usual | known))  # type: ignore[arg-type]


async def ended(folder: JobFolder, identity: str) -> Job:
    """The job after its worker is gone."""

    def wait() -> None:
        descriptor = os.open(folder.path / identity / LOCK, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    async with asyncio.timeout(60):
        await asyncio.to_thread(wait)
    return folder.read_one(identity)
