"""One pane with all the room, and going back and forth through what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console_driver import Console, console
from fakes import endpoint_view, history, snapshot
from fleets import mixed_fleet
from gpu_fleets import gpu_fleet
from quarterdeck.model.fleet import State
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.visits import MOST, Visits

FLEET = replace(mixed_fleet(), hosts=gpu_fleet().hosts)
SIZES = [(40, 10), (80, 24), (120, 36), (200, 60)]


# ---- panes


def on_top(it: Console) -> ConsoleScreen:
    screen = it.app.screen
    assert isinstance(screen, ConsoleScreen)
    return screen


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["1", "2", "5", "6"])
async def test_e_gives_each_pane_the_room_in_turn_and_then_all_again(
    size: tuple[int, int], view: str
) -> None:  # key: maximise
    async with console(FLEET, size=size) as it:
        await it.press(view)
        before = it.text
        panes = on_top(it).panes
        assert panes
        seen = []
        for pane in panes:
            await it.press("e")
            assert on_top(it).alone == pane
            assert pane in it.text.splitlines()[-1] or size[0] < 80
            seen.append(it.text)
        await it.press("e")
        assert on_top(it).alone == ""
        assert it.text.splitlines()[:-1] == before.splitlines()[:-1]
        assert len({text.rsplit("\n", 1)[0] for text in seen}) == len(panes)


@pytest.mark.parametrize("view", ["1", "2", "5", "6"])
async def test_while_a_pane_has_the_room_the_first_hint_is_the_key_that_goes_on(view: str) -> None:
    async with console(FLEET, size=(80, 24)) as it:
        await it.press(view, "e")
        it.app.say("")
        it.app.redraw()
        await it.pilot.pause()
        assert " e panes " in it.text.splitlines()[-1]
        while on_top(it).alone:
            await it.press("e")
        it.app.say("")
        it.app.redraw()
        await it.pilot.pause()
        assert " e panes " not in it.text.splitlines()[-1]


async def test_the_selected_endpoint_fills_the_screen_and_follows_the_selection() -> None:
    async with console(size=(80, 24)) as it:
        await it.press("e", "e")
        first = it.text
        await it.press("down")
        assert it.text != first
        assert it.selected in it.text
        assert "tok/s trend" not in it.text


async def test_the_table_alone_has_the_lines_of_the_machines() -> None:
    async with console(FLEET, size=(80, 24)) as it:
        rows = it.table.size.height
        await it.press("e")
        assert it.table.size.height > rows
        await it.press("/", "x", "escape")  # the line of the filter comes and goes as ever
        assert it.table.size.height == 23


async def test_where_there_is_one_pane_that_is_said() -> None:
    async with console(size=(120, 36)) as it:
        await it.press("enter", "e")
        assert isinstance(it.app.screen, EndpointScreen)
        assert "nothing to maximise" in it.text or on_top(it).alone


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_where_nothing_is_drawn_there_are_no_charts_to_maximise(size: tuple[int, int]) -> None:
    """A server that never answered has samples without a value."""
    nothing = history(20)
    fleet = snapshot(endpoint_view("gone", state=State.DOWN, history=nothing))
    async with console(fleet, size=size) as it:
        await it.press("enter", "e")
        assert "nothing to maximise" in it.text
        assert on_top(it).alone == ""


async def test_the_values_keep_the_room_of_the_charts() -> None:
    async with console(size=(120, 36)) as it:
        busy = next(view.name for view in FLEET.endpoints if view.history is not None)
        it.app.open_endpoint(busy)
        await it.pilot.pause()
        await it.press("e", "e")
        assert on_top(it).alone == "the values"
        await it.tick()
        assert on_top(it).alone == "the values"
        await it.press("e")
        assert on_top(it).alone == ""


# ---- history


async def test_back_and_forth_through_views_and_pages() -> None:  # key: history_back # key: history_forward
    async with console(FLEET, size=(120, 36)) as it:
        await it.press("j", "enter")
        endpoint = on_top(it).place
        await it.press("2", "enter")
        gpu = on_top(it).place
        await it.press("3", "5")
        wanted = [("models",), gpu, ("gpus",), endpoint, ("fleet",)]
        for place in wanted:
            await it.press("[")
            assert on_top(it).place == place
        await it.press("[")
        assert "where it began" in it.text
        for place in [*reversed(wanted[:-1]), ("alerts",)]:
            await it.press("]")
            assert on_top(it).place == place
        await it.press("]")
        assert "nothing was seen after this" in it.text


async def test_dialogs_and_help_are_no_places() -> None:
    async with console(size=(120, 36)) as it:
        await it.press("2", "question_mark", "escape", ":", "escape")
        await it.press("[")
        assert on_top(it).place == ("fleet",)


async def test_a_page_of_what_has_gone_says_so() -> None:
    async with console(size=(120, 36)) as it:
        await it.press("enter", "1")
        await it.show(replace(it.engine.newest, endpoints=()))
        await it.press("[")
        assert "no longer watched" in it.text


PLACES = st.tuples(st.sampled_from("abcd"))


@given(st.lists(st.one_of(PLACES, st.sampled_from([-1, 1])), max_size=300))
def test_visits_are_what_a_browser_remembers(moves: list[tuple[str] | int]) -> None:
    visits = Visits()
    back: list[tuple[str]] = []
    now: tuple[str] | None = None
    forward: list[tuple[str]] = []
    for move in moves:
        if isinstance(move, int):
            source, target = (back, forward) if move < 0 else (forward, back)
            found = visits.step(move)
            if not source:
                assert found is None
                continue
            assert now is not None
            target.append(now)
            now = source.pop()
            assert found == now
            visits.visit(now)
        elif move != now:
            back = [*back, now][-MOST + 1 :] if now is not None else back
            now, forward = move, []
            visits.visit(move)
        else:
            visits.visit(move)
