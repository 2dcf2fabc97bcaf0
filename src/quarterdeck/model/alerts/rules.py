"""What an alert rule is."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.model.alerts.alert import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a measure, from where on it is trouble, for how long, and when that is over. Seconds; limits in the measure's unit."""

    id: str
    measure: str
    """One of `quarterdeck.model.alerts.measures.MEASURES`."""
    severity: Severity
    limit: float
    """It holds while the value is above this …"""
    clear: float
    """… and is calm while it is not above this (hysteresis); never above ``limit``."""
    below: bool = False
    """The other way round: it holds below ``limit``, and is calm from ``clear`` on upwards."""
    for_s: float = 0.0
    """So long it must hold before an alert is raised."""
    calm_s: float = 10.0
    """So long it must be calm before the alert is cleared."""
    endpoints: tuple[str, ...] = ()
    """Globs of names, as the next two; () = all."""
    hosts: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    """Endpoints that have such a model."""
    engine: str | None = None
    """Only endpoints of this engine."""

    def holds(self, value: float) -> bool:
        """Whether a value is trouble."""
        return value < self.limit if self.below else value > self.limit

    def is_calm(self, value: float) -> bool:
        """Whether a value is no trouble any more."""
        return value >= self.clear if self.below else value <= self.clear
