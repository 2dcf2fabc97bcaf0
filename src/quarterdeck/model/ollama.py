"""What the machine that an Ollama runs on tells of it, beyond what its interface does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.model.reading import AccessLog


@dataclass(frozen=True, slots=True)
class Runner:
    """A model process of an Ollama: a llama-server, or Ollama's own runner. It listens on loopback."""

    pid: int
    port: int
    began: float
    """When the process started, Unix seconds; with ``pid`` it names the process."""
    model: str | None = None
    """Its model's name, where the files of the model tell it."""
    context: int | None = None
    """Tokens per sequence."""
    may_sleep: bool = False
    """It goes to sleep when it is idle, and reading its /slots would keep it awake."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at an Ollama from its own machine."""

    runners: tuple[Runner, ...] | None = None
    """``None`` where they can't be told; empty where there is none, so that nothing can be running."""
    reason: str = ""
    """Why they can't be told, and what would help."""
    began: float | None = None
    """When the server started, Unix seconds."""
    access_log: AccessLog | None = None
    log_reason: str = ""
    """Why there are no numbers of the access log, and what would help."""


@dataclass(frozen=True, slots=True)
class Connections:
    """Established connections to an Ollama's port, those of this program left out; ``None`` with the reason."""

    count: int | None = None
    reason: str = ""
