"""Keys typed ahead of what they are meant for: no letter of a name may run a command."""

from __future__ import annotations

from typing import Any

import pytest
from textual import events

from console_driver import Console, console
from fakes import config, endpoint_view, model, snapshot
from quarterdeck.engine.preflight import Check
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot, State
from quarterdeck.model.job import Job, Order
from quarterdeck.model.models import ModelState
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.screens.fleet import FleetScreen

LOADED = (model("qwen3:8b", state=ModelState.LOADED), model("gemma3:12b", state=ModelState.LOADED))
FLEET = snapshot(
    endpoint_view("lab", engine="ollama", state=State.OK, running=2, models=LOADED),
    endpoint_view("prod", engine="vllm", state=State.OK),
    endpoint_view("gone", engine="ollama", state=State.DOWN, reason="connection refused"),
)


@pytest.fixture(autouse=True)
def orders(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Order, str]]:
    """What was submitted, and how it was agreed to."""
    caught: list[tuple[Order, str]] = []

    async def submit(_: object, order: Order, *, confirmed: str, **__: Any) -> Job:
        caught.append((order, confirmed))
        return Job("abcde", order)

    async def nothing(*_: object) -> list[Check]:
        return []

    monkeypatch.setattr("quarterdeck.engine.operate.submit", submit)
    monkeypatch.setattr("quarterdeck.engine.preflight.preflight", nothing)
    return caught


def acting(fleet: FleetSnapshot = FLEET) -> Any:
    return console(fleet, size=(100, 30), configured=config())


async def choose(it: Console, name: str) -> None:
    await it.press("g")
    for _ in it.table.rows:
        if it.selected == name:
            return
        await it.press("down")
    raise AssertionError(f"there is no row {name}")


def burst(app: ConsoleApp, text: str) -> None:
    """All at once, as a paste or a slow line brings it: nothing is drawn or mounted between two keys."""
    for character in text:
        key = {"\n": "enter", ":": "colon", "-": "minus", ".": "full_stop"}.get(character, character)
        app.post_message(events.Key(key, None if character == "\n" else character))


async def settled(it: Console) -> None:
    for _ in range(30):
        await it.pilot.pause()


async def test_a_pull_in_one_burst(orders: list[tuple[Order, str]]) -> None:
    async with acting() as it:
        await choose(it, "lab")
        burst(it.app, "Pqwen3:4b\n")
        await settled(it)
        assert orders == [(Order("pull", "lab", "qwen3:4b", {}), "")]
        assert it.app.is_running
        assert isinstance(it.app.screen, FleetScreen)


@pytest.mark.parametrize("row", ["prod", "gone"])
async def test_a_refused_pull_takes_the_name_with_it(orders: list[tuple[Order, str]], row: str) -> None:
    async with acting() as it:
        await choose(it, row)
        burst(it.app, "Pqwen3:4b\n")
        await settled(it)
        assert it.app._exit is False
        assert isinstance(it.app.screen, FleetScreen)
        assert it.selected == row
        assert not it.app.paused
        assert orders == []


async def test_nothing_to_act_on_takes_the_name_with_it(orders: list[tuple[Order, str]]) -> None:
    async with acting(EMPTY_FLEET) as it:
        burst(it.app, "Pqwen3:4b\n")
        await settled(it)
        assert it.app._exit is False
        assert orders == []


async def test_choosing_and_agreeing_in_one_burst(orders: list[tuple[Order, str]]) -> None:
    async with acting() as it:
        await choose(it, "lab")
        burst(it.app, "U\ny")
        await settled(it)
        assert orders == [(Order("unload", "lab", "qwen3:8b", {}), "yes")]
        assert isinstance(it.app.screen, FleetScreen)
