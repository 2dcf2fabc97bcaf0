"""A running console with a fake engine and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from fakes import FakeEngine, FrozenClock, config
from fleets import mixed_fleet
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.widgets.fleet_table import FleetTable


class Console:
    """A running console and all a test needs of it."""

    def __init__(self, app: ConsoleApp, pilot: Pilot[None], engine: FakeEngine, clock: FrozenClock) -> None:
        self.app, self.pilot, self.engine, self.clock = app, pilot, engine, clock

    @property
    def table(self) -> FleetTable:
        screen = self.app.screen_stack[0]
        assert isinstance(screen, FleetScreen)
        return screen.table

    @property
    def selected(self) -> str:
        view = self.table.selected_view
        return view.name if view else ""

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def show(self, fleet: FleetSnapshot) -> None:
        """The engine has news, and the frame timer fires."""
        self.engine.newest = fleet
        await self.tick()

    async def tick(self) -> None:
        self.app.tick()
        await self.pilot.pause()

    async def sees(self, text: str) -> None:
        """Waits for what is mounted or laid out only after the frame that asked for it."""
        for _ in range(200):
            if text in self.text:
                return
            await self.pilot.pause()
        raise AssertionError(f"{text!r} is not in:\n{self.text}")

    @property
    def text(self) -> str:
        """What is on the screen."""
        lines = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(line.text for line in lines)


@asynccontextmanager
async def console(
    fleet: FleetSnapshot | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    configured: FleetConfig | None = None,
    **options: Any,
) -> AsyncIterator[Console]:
    clock = FrozenClock()
    watched = configured or config()
    engine = FakeEngine(newest=mixed_fleet() if fleet is None else fleet, fleet=watched)
    app = ConsoleApp(watched, make_engine=lambda _: engine, clock=clock.clock, **options)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Console(app, pilot, engine, clock)
