"""The tour: its steps fit the command table, and who presses what it says comes to its end."""

from __future__ import annotations

import pytest

from chat_fakes import FakeDesk, Wire, wire
from console_driver import Console
from fakes import FrozenClock
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.commands import BY_ID, commands_for
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.tour.guide import KEYS, TourPanel
from quarterdeck.tui.tour.steps import STEPS

__all__ = ["wire"]
SIZES = [(40, 10), (80, 24), (120, 36), (200, 60)]


def test_every_step_waits_for_a_command_of_its_view() -> None:
    for step in STEPS[:-1]:
        assert step.command in {command.id for command in commands_for(step.where)}
        assert step.then
    assert STEPS[-1].command == ""


def test_its_keys_are_no_view_s() -> None:
    taken = {key for command in BY_ID.values() for key in command.keys}
    assert not taken & set(KEYS)


async def touring(size: tuple[int, int]):  # type: ignore[no-untyped-def]
    clock = FrozenClock()
    desk = FakeDesk(clock)
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    return app, desk, clock


@pytest.mark.parametrize("size", SIZES)
async def test_who_presses_what_it_says_comes_to_its_end(wire: Wire, size: tuple[int, int]) -> None:
    app, desk, clock = await touring(size)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        app.do_tour()
        await pilot.pause()
        for place, step in enumerate(STEPS[:-1]):
            assert app.tour is not None
            assert (app.tour.at, app.in_view.where if app.in_view else "") == (place, step.where)
            await it.sees(f"{place + 1}/{len(STEPS)}")
            key = BY_ID[step.command].keys[0]
            if step.command == "view_alerts":  # from the prompt
                await it.press("escape", "escape")
                if app.in_view is not None and app.in_view.where != "chat":
                    await it.press("4", "escape")
            if step.command == "submit":
                await it.press("h", "i")
            await it.press(key)
            if step.command in ("act", "palette"):
                await it.press("escape")
            await pilot.pause()
        assert app.tour is not None
        assert app.tour.at == len(STEPS) - 1
        await it.press("ctrl+g")
        assert app.tour is None
        assert not app.screen.query(TourPanel)


@pytest.mark.parametrize("size", SIZES)
async def test_on_back_and_end(wire: Wire, size: tuple[int, int]) -> None:
    app, desk, clock = await touring(size)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        app.do_tour()
        await pilot.pause()
        for place in range(1, len(STEPS)):
            await it.press("ctrl+g")
            assert app.tour is not None
            assert app.tour.at == place
            assert isinstance(app.screen, ConsoleScreen)
            assert app.screen.where == STEPS[place].where
            await it.sees(f"{place + 1}/{len(STEPS)}")
        for place in range(len(STEPS) - 2, -1, -1):
            await it.press("ctrl+o")
            assert app.tour is not None
            assert app.tour.at == place
        await it.press("ctrl+t")
        assert app.tour is None
        await it.press("ctrl+g")
        assert "1/" not in it.text.splitlines()[-2]


async def test_who_strays_is_told_the_way_back(wire: Wire) -> None:
    app, desk, clock = await touring((80, 24))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        app.do_tour()
        await it.press("6")
        await it.sees("goes back to where the tour is")
        await it.press("ctrl+g")
        assert app.in_view is not None
        assert app.in_view.where == STEPS[app.tour.at if app.tour else 0].where


async def test_the_panel_hides_nothing(wire: Wire) -> None:
    """What is drawn for the room that is left still ends with the status line."""
    app, desk, clock = await touring((120, 36))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        app.do_tour()
        await pilot.pause()
        lines = it.text.splitlines()
        assert "well" in lines[-1]
        assert any(" Tour " in line for line in lines[-6:-1])
