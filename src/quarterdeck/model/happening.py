"""One time line for the whole fleet: changes of state, restarts, models, jobs, alerts, actions, and what went wrong in telling of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Topic(StrEnum):
    """What a happening is about."""

    STATE = "state"
    RESTART = "restart"
    MODEL = "model"
    JOB = "job"
    ALERT = "alert"
    ACTION = "action"
    SINK = "sink"
    """A notification that could not be delivered."""


@dataclass(frozen=True, slots=True)
class Happening:
    """``at`` is Unix seconds; ``subject`` is an endpoint, host or GPU; ``word`` is short ("DOWN", "raised"), ``text`` says it in full."""

    at: float
    topic: Topic
    subject: str
    word: str
    text: str
    severity: str = ""
    """Of an alert: "warning" or "critical"; "" where that doesn't apply."""
    key: str = ""
    """What it belongs to: an alert's key, a job's id."""
