"""An alert: what is wrong, where, since when, by which numbers, why most likely, and what to try first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody has seen it. ``at``: Unix seconds."""

    at: float
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """One rule that holds for one subject, from when it was raised until it was cleared. Times are Unix seconds."""

    key: str
    """The rule's id and the subject ("queue vllm-a", "hot gpu-1/0"): at most one alert of a key is raised at a time."""
    rule: str
    severity: Severity
    subject: str
    """Where: the name of an endpoint or host, or HOST/GPU index."""
    what: str
    """ "12 requests wait, for 45 s": in words, with its number and unit."""
    since: float
    """When the condition began to hold …"""
    raised_at: float
    """… and when it had held for the rule's duration."""
    evidence: tuple[str, ...]
    """The numbers then and now, a line each; never empty."""
    cause: str = ""
    """The likely cause, in words."""
    advice: str = ""
    """The first thing to try."""
    endpoint: str | None = None
    """Row of the fleet it marks, if any."""
    host: str | None = None
    cleared_at: float | None = None
    ending: str = ""
    """Why it was cleared, in words ("8 requests wait", "superseded: vllm-a is DOWN"); "" while it is open."""
    acknowledged: Acknowledged | None = None
    silenced_until: float | None = None
    """Nobody is told of it before; it is shown all the same."""

    @property
    def open(self) -> bool:
        """Whether it still holds."""
        return self.cleared_at is None
