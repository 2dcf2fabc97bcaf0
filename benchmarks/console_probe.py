"""The console as it is, in this terminal, for a while; then what it cost goes to a file as JSON. Used by fleet.py."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.load import load
from quarterdeck.engine.engine import Engine
from quarterdeck.model.fleet import State
from quarterdeck.tui.app import ConsoleApp


class Probe(ConsoleApp):
    """Measures itself between ``warm_up`` and ``warm_up + seconds``."""

    def __init__(self, fleet: FleetConfig, warm_up: float, seconds: float, out: Path) -> None:
        self.made: list[Engine] = []
        super().__init__(fleet, make_engine=self._made)
        self._spans = warm_up, seconds
        self._out = out
        self._begun = 0.0, 0.0

    def _made(self, fleet: FleetConfig) -> Engine:
        self.made.append(Engine(fleet))
        return self.made[0]

    def on_mount(self) -> None:
        """Set the two marks."""
        super().on_mount()
        self.set_timer(self._spans[0], self._begin)
        self.set_timer(sum(self._spans), self._finish)

    def _begin(self) -> None:
        self._begun = time.process_time(), time.perf_counter()
        self._missed = self.made[0].missed

    def _finish(self) -> None:
        cpu, wall = time.process_time() - self._begun[0], time.perf_counter() - self._begun[1]
        views = self.made[0].snapshot().endpoints
        result: dict[str, Any] = {
            "cpu": cpu / wall,
            "missed": self.made[0].missed - self._missed,
            "unwell": sum(view.state not in (State.OK, State.BUSY) for view in views),
            "without_rate": sum(view.generation_tps is None for view in views),
        }
        self._out.write_text(json.dumps(result))
        self.exit()


if __name__ == "__main__":
    Probe(load(sys.argv[1]).config, float(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])).run()
