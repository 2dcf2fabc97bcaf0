"""A dialog leaves most of the screen below it in view: that goes on being drawn, and nothing stale is left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from textual.screen import Screen

from console_driver import Console, console
from fakes import config, endpoint_view, snapshot
from fleets import mixed_fleet
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.form import Field, FormScreen
from quarterdeck.tui.screens.help import HelpScreen
from quarterdeck.tui.screens.notice import NoticeScreen

FLEET = mixed_fleet()
DIALOGS: dict[str, Callable[[], Screen[Any]]] = {
    "choose": lambda: ChooseScreen("Which?", [Item("this"), Item("that")], lambda _: None),
    "confirm": lambda: ConfirmScreen("Really?", ["It hurts."], "Do it", lambda: None),
    "form": lambda: FormScreen("Fill in", [Field("x", "x")]),
    "notice": lambda: NoticeScreen("So", "It can't be."),
}
LINK = SimpleNamespace(behind=False, cursor=None, pump=lambda: None)
"""A terminal that takes everything; without one nothing goes past the compositor."""


def busier(running: int) -> FleetSnapshot:
    first = replace(FLEET.endpoints[0], running=running)
    return replace(FLEET, endpoints=(first, *FLEET.endpoints[1:]))


async def open_dialog(it: Console, dialog: Screen[Any]) -> None:
    it.app.push_screen(dialog)
    await it.pilot.pause()


@pytest.mark.parametrize("kind", DIALOGS)
async def test_what_is_below_a_dialog_goes_on(kind: str) -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        dialog = DIALOGS[kind]()
        await open_dialog(it, dialog)
        await it.show(busier(7771))
        await it.sees("7771")
        assert it.app.screen is dialog
        it.clock.advance(30)
        await it.show(replace(busier(7772), endpoints=busier(7772).endpoints[:2]))
        await it.sees("7772")


@pytest.mark.parametrize("kind", DIALOGS)
async def test_what_changes_below_a_dialog_is_not_drawn_over_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with console(FLEET, size=(60, 20), configured=config()) as it:
        monkeypatch.setattr(ConsoleApp, "link", LINK)
        await open_dialog(it, DIALOGS[kind]())
        for running in (7771, 8882):  # the second changes cells of the whole line
            fleet = busier(running)
            names = [replace(view, name=f"{view.name}-{running}") for view in fleet.endpoints]
            await it.show(replace(fleet, endpoints=tuple(names)))
            await it.pilot.pause()
            sent = "\n".join("".join(text for text, _ in line).rstrip() for line in it.app.screen_diff._wanted)
            assert sent == "\n".join(line.rstrip() for line in it.text.splitlines())


@pytest.mark.parametrize("kind", DIALOGS)
async def test_nothing_stale_is_left_where_a_dialog_was(kind: str) -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        await open_dialog(it, DIALOGS[kind]())
        await it.show(snapshot(endpoint_view("only", state=State.OK)))
        await it.press("escape")
        after = it.text
        assert "only" in after
        assert all(view.name not in after for view in FLEET.endpoints)
        it.app.screen.refresh(layout=True)
        await it.pilot.pause()
        assert it.text == after


async def test_two_dialogs_one_over_the_other() -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        await open_dialog(it, DIALOGS["choose"]())
        await open_dialog(it, DIALOGS["notice"]())
        await it.show(busier(7771))
        await it.sees("7771")


async def test_a_page_below_a_dialog_is_drawn_and_the_fleet_below_the_page_is_not() -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        name = FLEET.endpoints[0].name
        it.app.open_endpoint(name)
        await it.pilot.pause()
        assert isinstance(it.app.screen, EndpointScreen)
        before = it.table.repainted_cells
        await open_dialog(it, DIALOGS["confirm"]())
        await it.show(busier(7771))
        await it.sees("7.8k" if "7.8k" in it.text else "7771")
        assert it.table.repainted_cells == before


async def test_what_a_page_covers_is_not_drawn() -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        before = it.table.repainted_cells
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        await it.show(busier(7771))
        assert it.table.repainted_cells == before


async def test_one_number_below_a_dialog_sends_few_cells() -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        await open_dialog(it, DIALOGS["confirm"]())
        await it.tick()
        it.app.screen_diff.take(1 << 20)
        before = it.table.repainted_cells
        await it.show(busier(7771))
        await it.sees("7771")
        assert it.table.repainted_cells - before <= 8
        sent = re.sub(r"\x1b\[[^Hm]*[Hm]", "", it.app.screen_diff.take(1 << 20))
        assert 0 < len(sent) <= 60


@pytest.mark.parametrize("kind", DIALOGS)
async def test_a_dialog_while_the_terminal_changes_its_size(kind: str) -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        dialog = DIALOGS[kind]()
        await open_dialog(it, dialog)
        for size in ((80, 24), (40, 10), (200, 60), (120, 36)):
            await it.pilot.resize_terminal(*size)
            await it.pilot.pause()
            assert it.app.screen is dialog
        await it.show(busier(7771))
        await it.sees("7771")
        await it.press("escape")
        await it.sees("7771")
        lines = it.text.splitlines()
        assert len(lines) == 36
        assert all(len(line) <= 120 for line in lines)


async def test_what_the_palette_was_opened_for_stays_selected() -> None:
    """Until somebody chooses, the gravest row is selected; under a palette that may become another one."""
    calm = snapshot(endpoint_view("a", state=State.OK), endpoint_view("b", state=State.OK))
    async with console(calm, size=(120, 40), configured=config()) as it:
        await it.press("colon")
        assert it.selected == "a"
        await it.show(snapshot(calm.endpoints[0], replace(calm.endpoints[1], state=State.DOWN, reason="gone")))
        assert [row.view.name for row in it.table.rows] == ["b", "a"]
        assert it.selected == "a"
