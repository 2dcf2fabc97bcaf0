"""Consoles that watch one fleet and share what is said of its alerts, on a clock that the test holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fakes import endpoint_view
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.engine.alerting.alarms import Alarms, Told
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.fleet import FleetSnapshot, State

FLEET = FleetConfig(endpoints=(EndpointSpec("a", "http://a"), EndpointSpec("b", "http://b")))
DAY = 86_400.0


@dataclass
class Time:
    now: float = 5000.0
    wall: float = 1_795_370_400.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


@dataclass
class Console:
    """One of several that watch the same fleet."""

    time: Time
    path: Path
    by: str = "ana"
    fleet: FleetConfig = FLEET
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alarms = Alarms(self.fleet, path=self.path, by=self.by, wall=lambda: self.time.wall)
        self.alarms.listen(self.told.extend)
        self.seen = FleetSnapshot(0.0, 0.0)

    def look(self, **rows: dict[str, Any]) -> tuple[Alert, ...]:
        """A look at endpoints as given, and what others wrote meanwhile."""
        views = tuple(
            endpoint_view(name, now=self.time.now, answered=self.time.now, **known) for name, known in rows.items()
        )
        self.seen = self.alarms.look(FleetSnapshot(self.time.now, self.time.wall, views))
        self.alarms.sync()
        return self.seen.alerts

    @property
    def words(self) -> list[str]:
        return [f"{told.happening.word} {told.alert.key}" for told in self.told]


DOWN = {"state": State.DOWN, "reason": "connection refused"}


def run(consoles: list[Console], seconds: int, **rows: dict[str, Any]) -> None:
    """All of them look each second."""
    for _ in range(seconds):
        consoles[0].time.pass_(1)
        for console in consoles:
            console.look(**rows)
