"""A fleet whose one endpoint is polled and looked at, second by second."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fakes import endpoint_view
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.alerts.memory import NOTHING, Memory
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.alerts.watch import step
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.host import HostView

QUEUE = Rule("queue", "waiting", Severity.WARNING, 20, 10, for_s=30, calm_s=10)
DOWN = Rule("down", "down", Severity.CRITICAL, 0.5, 0.5, for_s=5, calm_s=10)
HOT = Rule("hot", "temperature", Severity.WARNING, 87, 83, for_s=20, calm_s=10)
RULES = (DOWN, QUEUE, HOT)


@dataclass
class Play:
    """A fleet whose one endpoint is polled every two seconds and looked at every second."""

    rules: tuple[Rule, ...] = RULES
    now: float = 1000.0
    wall: float = 1_795_370_400.0
    memory: Memory = NOTHING
    alerts: tuple[Alert, ...] = ()
    told: list[str] = field(default_factory=list)
    polled: dict[str, EndpointView] = field(default_factory=dict)
    began: float = 1000.0

    def look(self, rows: tuple[EndpointView, ...], hosts: tuple[HostView, ...] = ()) -> None:
        self.memory, self.alerts, changes = step(
            self.memory, FleetSnapshot(self.now, self.wall, rows, hosts), self.rules
        )
        self.told += [f"{self.now - self.began:g} {change.word} {change.alert.key}" for change in changes]

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def run(self, seconds: int, every: int = 2, name: str = "a", **known: Any) -> list[str]:
        """Poll it for so long; what was told meanwhile."""
        self.told, self.began = [], self.now
        for second in range(seconds):
            self.wait(1)
            if second % every == 0 or name not in self.polled:
                answered = known.get("answered", self.now)
                self.polled[name] = endpoint_view(name, now=self.now, **{**known, "answered": answered})
            self.look(tuple(self.polled.values()))
        return self.told

    def repeat(self, seconds: int) -> list[str]:
        """Time passes, and nobody is polled."""
        self.told, self.began = [], self.now
        for _ in range(seconds):
            self.wait(1)
            self.look(tuple(self.polled.values()))
        return self.told
