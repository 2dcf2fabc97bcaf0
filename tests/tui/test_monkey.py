"""Random keys on a console whose servers come and go: no exception, no frozen screen, and it still ends."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from chat_fakes import FakeDesk, Wire, answer, fleet_view, wire
from console_driver import Console
from fakes import FrozenClock
from fleets import many, mixed_fleet
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.commands import COMMANDS

__all__ = ["wire"]
STEPS = int(os.environ.get("QUARTERDECK_MONKEY_STEPS", "150"))
NEVER = {"ctrl+c", "ctrl+z", "q", "ctrl+e"}
"""They end the console, stop the test's process, or open an editor."""
KEYS = sorted(
    {key for command in COMMANDS for key in command.keys if not key.startswith("upper_")}
    | {"enter", "escape", "tab", "shift+tab", "space", "backspace", "1", "2", "3", "4", "5", "6", "x", "é", "日", "0"}
    - NEVER
)
SIZES = ((80, 24), (120, 36), (200, 60), (40, 10), (1, 1), (300, 100), (20, 5))
STATES = [*State, None]


def shaken(rng: random.Random, base: FleetSnapshot, at: float) -> FleetSnapshot:
    """Some servers gone, others in another state; alerts and happenings."""
    views = tuple(
        replace(view, state=rng.choice(STATES), models=view.models if rng.random() < 0.7 else (), since=at - 1)
        for view in base.endpoints
        if rng.random() < 0.9
    )
    alerts = tuple(
        Alert(f"r {view.name}", "r", rng.choice(list(Severity)), view.name, "what", at, at, ("it",), endpoint=view.name)
        for view in views[: rng.randrange(4)]
    )
    told = tuple(Happening(at, rng.choice(list(Topic)), view.name, "word", "text") for view in views[:20])
    return replace(
        base, endpoints=views, alerts=alerts, happenings=told, hosts=base.hosts if rng.random() < 0.8 else ()
    )


@pytest.mark.parametrize("seed", range(4))
async def test_random_keys(seed: int, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ConsoleApp, "do_quit", lambda _: None)  # the palette offers it
    monkeypatch.setattr(ConsoleApp, "do_suspend", lambda _: None)
    rng = random.Random(seed)
    pressed: list[str] = []
    clock = FrozenClock()
    desk = FakeDesk(clock)
    wire.on("lab", answer("yes"))
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        for step in range(STEPS):
            if step % 25 == 24:
                await it.pilot.resize_terminal(*rng.choice(SIZES))
            if step % 10 == 9:
                it.clock.advance(rng.choice((0.1, 1.0, 30.0)))
                await it.show(shaken(rng, rng.choice((mixed_fleet(), many(60), fleet_view())), 10_000.0))
            if step % 150 == 149:
                await it.pilot.resize_terminal(120, 36)
                for _ in range(len(it.app.screen_stack) + 3):
                    await it.press("escape")
            key = rng.choice(KEYS)
            pressed.append(key)
            await it.pilot.press(key)
            assert it.app._exception is None, pressed[-30:]
            assert it.app.is_running, pressed[-30:]
        await it.pilot.resize_terminal(120, 36)
        for _ in range(len(it.app.screen_stack) + 3):
            await it.press("escape")
        await it.press("1")
        await it.tick()
        assert it.text.strip()
