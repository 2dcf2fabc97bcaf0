"""The scripted trouble of the demo fleet: what begins and ends when, on a loop. Pure; seconds since the fleet started."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """What can go wrong."""

    QUEUE = "queue"
    """Many times the usual requests arrive at one vLLM."""
    STALL = "stall"
    """The other vLLM does nothing any more, says it is healthy, and lets requests wait."""
    RESTART = "restart"
    """A vLLM's process is gone, then new."""
    KEY = "key"
    """The external provider refuses the key."""
    RELOAD = "reload"
    """The llama-server is gone, then loads its model again."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One trouble in the loop."""

    trouble: Trouble
    start: float
    end: float


LOOP_S = 240.0
SCRIPT = (
    Scene(Trouble.QUEUE, 6, 26),
    Scene(Trouble.STALL, 62, 96),
    Scene(Trouble.RESTART, 118, 128),
    Scene(Trouble.KEY, 160, 190),
    Scene(Trouble.RELOAD, 205, 211),
)


@dataclass(frozen=True, slots=True)
class Change:
    """A trouble begins (``on``) or ends."""

    at: float
    trouble: Trouble
    on: bool


_LOOP = tuple(
    sorted(
        [Change(scene.start, scene.trouble, on=True) for scene in SCRIPT]
        + [Change(scene.end, scene.trouble, on=False) for scene in SCRIPT],
        key=lambda change: change.at,
    )
)


class Scenario:
    """Hands out each change once, in order."""

    def __init__(self, *, calm: bool = False) -> None:
        self._calm = calm
        self._next = 0

    def due(self, elapsed: float) -> list[Change]:
        """The changes up to ``elapsed`` that were not handed out yet, ``at`` counted from the start of the fleet."""
        found: list[Change] = []
        while not self._calm:
            loop, index = divmod(self._next, len(_LOOP))
            change = _LOOP[index]
            at = loop * LOOP_S + change.at
            if at > elapsed:
                break
            found.append(Change(at, change.trouble, change.on))
            self._next += 1
        return found
