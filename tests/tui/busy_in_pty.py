"""Runs the console on a fleet of which every number moves twice a second: `python busy_in_pty.py COUNT`."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import FakeEngine, config
from fleets import many
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.tui.launch import launch


class BusyEngine(FakeEngine):
    """Everything is another number at each look."""

    def snapshot(self) -> FleetSnapshot:
        now = time.monotonic()
        count = int(sys.argv[1])
        fleet = many(count * 2, tick=int(now * 2), now=now)
        well = [view for view in fleet.endpoints if view.state is not State.DOWN]
        return replace(fleet, endpoints=tuple(well[:count]))


if __name__ == "__main__":
    sys.exit(launch(config(), make_engine=lambda _: BusyEngine()))
