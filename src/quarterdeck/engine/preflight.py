"""What an order would take, before it is given: disk, memory, what would be evicted. Asks, changes nothing."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.job import Order


class Check(NamedTuple):
    """One finding."""

    level: str
    """ "ok", "warn" (it would disturb or spill), "bad" (it will not work) or "unknown" (and what is missing to know it)."""
    text: str


async def preflight(fleet: FleetConfig, seen: FleetSnapshot, order: Order) -> list[Check]:
    """The findings, the gravest first; empty where there is nothing to say. Never raises."""
    return []
