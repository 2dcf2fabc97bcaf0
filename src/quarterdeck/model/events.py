"""What happened to an endpoint: changes of state, restarts, models that came and went."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """What an event is about."""

    STATE = "state"
    RESTART = "restart"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Event:
    """``at`` is monotonic seconds; ``word`` is short ("DOWN", "restart"), ``text`` says it in full."""

    at: float
    kind: EventKind
    word: str
    text: str


MOST_EVENTS = 100
"""Kept for each endpoint."""
