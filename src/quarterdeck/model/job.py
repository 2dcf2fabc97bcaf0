"""A job: something asked for, and how far it is. Plain data that becomes JSON and comes back; the folder of jobs is the engine's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

Option = str | int | float | bool
_NONE: Mapping[str, Option] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for. ``action`` is an id of `quarterdeck.model.actions`."""

    action: str
    target: str
    """Name of the endpoint, or of the deployment."""
    model: str | None = None
    options: Mapping[str, Option] = field(default_factory=lambda: _NONE, hash=False)

    @property
    def about(self) -> str:
        """ "qwen3:8b on mac", "vllm-a"."""
        what = self.model or self.options.get("model") or self.options.get("name")
        return f"{what} on {self.target}" if what else self.target


class JobState(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"
    """Its worker is gone (killed, or the machine went down) and left no result."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; what isn't known is ``None``."""

    phase: str = ""
    """In words ("pulling 3 of 5", "loading weights", "waiting for 2 requests")."""
    fraction: float | None = None
    """0 to 1; never smaller than it was."""
    completed: int | None = None
    """Bytes."""
    total: int | None = None
    """Bytes, as far as is known."""
    rate: float | None = None
    """Bytes per second."""
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One record of the jobs folder. Times are Unix seconds."""

    id: str
    order: Order
    state: JobState = JobState.QUEUED
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    progress: Progress = field(default_factory=Progress)
    words: str = ""
    """The result, or why it failed, in words; what to try comes after a line break."""
    attempts: int = 1
    """How often its worker was started; more than one after ``resume``."""
    place: str = ""
    """What the limit of jobs at one time counts by: the machine the endpoint runs on."""
    user: str = ""
    confirmed: str = ""
    """How it was agreed to: "" (nothing to ask), "yes", or the typed name of what is protected."""
    fleet: str | None = None
    """Path of the fleet file that names the target; ``None`` where ``url`` does."""
    url: str | None = None
    """The endpoint's URL where no file names it (--url, found, demo); such have no keys."""
    engine: str | None = None
    """The endpoint's engine as it was known when this was asked for."""
    expected_bytes: int | None = None
    """Of a download, where somebody knew."""
    worker: int | None = None
    """Process id of its worker."""
