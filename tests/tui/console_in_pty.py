"""Runs the console with a fake engine in the terminal that it is given: `python console_in_pty.py [crash]`. For test_terminal.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes import FakeEngine, config
from fleets import mixed_fleet
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.tui.launch import launch


class StoppableEngine(FakeEngine):
    """Tells on the error stream's file that it was stopped."""

    def snapshot(self) -> FleetSnapshot:
        if sys.argv[1:] == ["crash"]:
            secret = "".join(("hunter", "2"))
            raise RuntimeError("the engine broke" if secret else "")
        return self.newest

    async def stop(self) -> None:
        await super().stop()
        Path(sys.argv[-1]).write_text("stopped") if sys.argv[-1].endswith(".stopped") else None


if __name__ == "__main__":
    sys.exit(launch(config(), make_engine=lambda _: StoppableEngine(newest=mixed_fleet())))
