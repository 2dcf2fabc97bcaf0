"""What an order would take, before it is given: disk, memory, what would be evicted. Asks, changes nothing."""

from __future__ import annotations

from quarterdeck.engine.preflight.check import Check
from quarterdeck.engine.preflight.run import preflight, preflight_launch

__all__ = ["Check", "preflight", "preflight_launch"]
