"""A sink of a test, and alerts to tell it of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from quarterdeck.engine.notifying.notice import Notice
from quarterdeck.engine.notifying.outbox import NotDeliveredError
from quarterdeck.model.alerts.alert import Alert, Severity

UNIX = 1_795_370_400.0


def alert(subject: str = "vllm-a", at: float = UNIX) -> Alert:
    return Alert(f"down {subject}", "down", Severity.CRITICAL, subject, "DOWN: refused", at - 5, at, ("now: DOWN",))


def over(one: Alert) -> Alert:
    return replace(one, cleared_at=UNIX + 60, ending="it answers")


@dataclass
class Ears:
    """A sink that hears all, or fails as it is told."""

    heard: list[tuple[str, str]] = field(default_factory=list)
    fails: str = ""

    async def send(self, notice: Notice) -> None:
        if self.fails:
            raise NotDeliveredError(self.fails)
        self.heard.append((notice.word, notice.alert.subject))

    async def close(self) -> None:
        """Nothing is open."""
