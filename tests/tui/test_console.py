"""The console with a fake engine and a clock that stands still: every key and the mouse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console_driver import console
from fleets import many, mixed_fleet
from quarterdeck.model.fleet import EMPTY_FLEET, State
from quarterdeck.tui.commands import COMMANDS
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.help import HelpScreen
from quarterdeck.tui.screens.palette import PaletteScreen
from quarterdeck.tui.screens.themes import ThemesScreen

# ---- keys of the fleet


def test_every_command_is_tested() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    tested = set(re.findall(r"# key: (\w+)", tests))
    assert {command.id for command in COMMANDS if command.keys} <= tested


async def test_moving() -> None:  # key: up # key: down # key: top # key: bottom # key: page_up # key: page_down
    async with console(many(100)) as it:
        await it.press("s")
        first = it.selected
        await it.press("home", "j", "down")
        assert it.selected == "node-002"
        await it.press("k", "up", "up")
        assert it.selected == "node-000"
        await it.press("G")
        assert it.selected == "node-099"
        assert "node-099" in it.text
        await it.press("g")
        assert it.selected == "node-000"
        await it.press("pagedown")
        below = it.selected
        assert below > "node-010"
        await it.press("pageup")
        assert it.selected == "node-000"
        await it.press("end")
        assert it.selected == "node-099"
        assert first


async def test_enter_opens_and_escape_goes_back() -> None:  # key: open # key: back
    async with console() as it:
        await it.press("j", "enter")
        assert isinstance(it.app.screen, EndpointScreen)
        assert "embed" in it.text.splitlines()[0]
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)
        assert it.selected == "embed"


async def test_folding() -> None:  # key: unfold # key: fold # key: toggle
    async with console() as it:
        await it.press("G", "right")
        assert "├ gemma3:27b" in it.text
        await it.press("right", "down", "left")
        assert "gemma3:27b +2" in it.text or "├" not in it.text
        assert it.selected == "ollama-lab"
        await it.press("x")
        assert "├" in it.text
        await it.press("x")
        assert "├" not in it.text
        await it.press("g", "x")
        assert "coder-b has told of no models yet" in it.text


async def test_filtering_is_live_and_escape_clears_it() -> None:  # key: filter
    async with console() as it:
        await it.press("slash", *"vllm")
        assert "openrouter" not in it.text
        assert "/vllm 4 of 8" in it.text
        await it.press("enter")
        assert it.table.needle == "vllm"
        await it.press("j")
        assert it.selected == "embed", "the keys are the table's again"
        await it.press("slash", "backspace", "backspace", "backspace", "backspace", *"!vllm")
        assert {row.view.name for row in it.table.rows} == {"openrouter", "llama-edge", "sglang-r1", "ollama-lab"}
        await it.press("escape")
        assert it.table.needle == ""
        assert len(it.table.rows) == 8
        assert it.selected == "embed", "it was hidden, not forgotten"


async def test_keys_typed_ahead_of_the_prompt_are_text_not_commands() -> None:
    async with console() as it:
        for key in ("slash", "p", "q"):
            it.app.simulate_key(key) if key == "slash" else it.app.post_message(_key(key))
        await it.pilot.pause()
        await it.pilot.pause()
        assert it.table.needle == "pq"
        assert not it.engine.asked("pause")
        assert "no endpoint matches the filter" in it.text


async def test_enter_typed_ahead_of_the_prompt_ends_the_filter() -> None:
    async with console() as it:
        for key in ("slash", "l", "a", "b", "enter"):
            it.app.post_message(_key(key))
        await it.pilot.pause()
        await it.pilot.pause()
        assert len(it.app.screen_stack) == 1, "no page was opened"
        assert it.selected == "ollama-lab"
        await it.press("q")
        assert it.app._exit, "the keys are commands again"


@pytest.mark.parametrize("before", [(), ("slash",)])
async def test_a_filter_and_two_enters_in_one_go_open_what_the_filter_leaves(before: tuple[str, ...]) -> None:
    """On a slow line the keys arrive together: what was selected before the filter must not be opened."""
    async with console() as it:
        if before:  # the prompt is there already, and has the keys
            await it.press(*before)
        for key in ("slash", "l", "a", "b", "enter", "enter")[len(before) :]:
            it.app.post_message(_key(key))
        for _ in range(4):
            await it.pilot.pause()
        assert it.text.splitlines()[0].split()[0] == "ollama-lab"
        await it.press("escape")
        assert it.table.needle == "lab"


async def test_keys_typed_ahead_of_the_palette_are_text() -> None:
    async with console() as it:
        for key in ("ctrl+p", "p", "a", "u"):
            it.app.post_message(_key(key))
        await it.pilot.pause()
        await it.pilot.pause()
        assert "Pause" in it.text
        await it.press("enter")
        assert it.engine.asked("pause") == [True]


def _key(key: str) -> Any:
    from textual.events import Key

    return Key(key, key if len(key) == 1 else None)


async def test_sorting_in_turn() -> None:  # key: sort
    async with console() as it:
        firsts = []
        for _ in range(4):
            firsts.append(it.table.rows[0].view.name)
            await it.press("s")
        assert firsts == ["coder-b", "coder-b", "qwen-prod", "llama-batch"]
        assert it.table.order.id == "state"


async def test_the_selection_stays_on_its_endpoint() -> None:
    async with console() as it:
        await it.press("G", "k")
        assert it.selected == "qwen-prod"
        await it.press("s", "s")
        assert it.selected == "qwen-prod"
        fleet = mixed_fleet()
        broken = replace(fleet.endpoints[0], state=State.DOWN, reason="connection refused")
        await it.show(replace(fleet, endpoints=(broken, *fleet.endpoints[1:])))
        assert it.selected == "qwen-prod"
        await it.show(replace(fleet, endpoints=fleet.endpoints[1:]))
        assert it.selected not in ("", "qwen-prod"), "it is gone: a neighbour is selected"


async def test_until_somebody_chooses_the_gravest_is_selected() -> None:
    async with console(many(100)) as it:
        assert it.selected == it.table.rows[0].view.name
        fleet = it.engine.snapshot()
        *others, last = fleet.endpoints
        broken = replace(last, state=State.DOWN, reason="connection refused")
        await it.show(replace(fleet, endpoints=(*others, broken)))
        assert it.selected == it.table.rows[0].view.name
        assert it.table.rows[0].view.state is State.DOWN


async def test_a_second_enter_does_not_close_what_is_under_the_palette() -> None:
    async with console() as it:
        await it.press("colon")
        palette = it.app.screen
        assert isinstance(palette, PaletteScreen)
        palette._choose()
        palette._choose()
        palette.action_close()
        await it.pilot.pause()
        assert not isinstance(it.app.screen, PaletteScreen)
        assert it.app.is_running


async def test_pause_and_refresh() -> None:  # key: pause # key: refresh
    async with console() as it:
        await it.press("p")
        assert "PAUSED" in it.text
        await it.press("p")
        assert it.engine.asked("pause") == [True, False]
        assert "every 2 s" in it.text
        await it.press("r")
        assert it.engine.asked("refresh") == [None]


async def test_the_interval() -> None:  # key: slower # key: faster
    async with console() as it:
        await it.press("plus", "plus")
        assert it.engine.asked("set_interval") == [5.0, 10.0]
        assert "every 10 s" in it.text
        await it.press(*["minus"] * 9)
        assert it.engine.interval == 0.5
        assert "0.5 s is the shortest interval" in it.text


async def test_help() -> None:  # key: help
    async with console() as it:
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        assert "Keys" in it.text
        await it.press("G")
        assert "All commands" in it.text
        await it.press("q")
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_palette_does_commands_and_opens_endpoints() -> None:  # key: palette
    async with console() as it:
        await it.press("colon", *"theme")
        assert isinstance(it.app.screen, PaletteScreen)
        await it.press("enter")
        assert isinstance(it.app.screen, ThemesScreen)
        await it.press("escape", "ctrl+p", *"qwen", "enter")
        assert isinstance(it.app.screen, EndpointScreen)
        assert it.app.screen.endpoint == "qwen-prod"
        await it.press("colon", *"nothing like this")
        assert "nothing is called that" in it.text
        await it.press("enter", "escape")
        assert isinstance(it.app.screen, EndpointScreen)


async def test_the_palette_is_moved_through_with_the_arrows() -> None:
    async with console() as it:
        await it.press("colon", "down", "down", "up", "pagedown", "pageup", "down", "enter")
        await it.pilot.pause()
        assert it.app.screen is it.app.screen_stack[0]


async def test_q_and_ctrl_c_quit() -> None:  # key: leave # key: quit
    async with console() as it:
        await it.press("enter", "q")
        assert it.app.is_running
        await it.press("q")
        assert it.app._exit
    async with console() as it:
        await it.press("slash", "ctrl+c")
        assert it.app._exit


async def test_drawing_again_forgets_what_the_terminal_showed(monkeypatch: pytest.MonkeyPatch) -> None:  # key: repaint
    async with console() as it:
        forgotten: list[bool] = []
        monkeypatch.setattr(it.app.screen_diff, "forget", lambda: forgotten.append(True))
        await it.press("ctrl+l")
        assert forgotten


async def test_keys_on_an_endpoints_page() -> None:
    async with console() as it:
        await it.press("G", "k", "enter")
        await it.press("down", "j", "pagedown", "G")
        bottom = it.app.screen.query_one("#page").scroll_offset.y
        assert bottom > 0
        await it.press("k")
        assert it.app.screen.query_one("#page").scroll_offset.y == bottom - 1
        await it.press("g", "r", "p", "plus")
        assert it.app.screen.query_one("#page").scroll_offset.y == 0
        assert it.engine.asked("refresh") == ["qwen-prod"]
        assert it.engine.asked("pause") == [True]
        assert it.engine.asked("set_interval") == [5.0]


async def test_a_page_whose_endpoint_went_away() -> None:
    async with console() as it:
        await it.press("enter")
        await it.show(EMPTY_FLEET)
        assert "no longer watched" in it.text


async def test_commands_before_the_engine_is_there() -> None:
    async with console() as it:
        it.app.engine = None
        for key in ("p", "r", "plus"):
            await it.press(key)
            assert "still starting" in it.text


async def test_suspending_is_the_terminals_business(monkeypatch: pytest.MonkeyPatch) -> None:  # key: suspend
    async with console() as it:
        suspended: list[bool] = []
        monkeypatch.setattr(it.app, "action_suspend_process", lambda: suspended.append(True))
        await it.press("ctrl+z")
        assert suspended


# ---- mouse


async def test_a_click_selects_and_a_double_click_opens() -> None:
    async with console() as it:
        await it.pilot.click("#fleet", offset=(20, 3))
        await it.pilot.pause()
        assert it.selected == "openrouter"
        await it.pilot.click("#fleet", offset=(1, 8))
        await it.pilot.pause()
        assert "├" in it.text, "a click on the triangle unfolds"
        await it.pilot.click("#fleet", offset=(20, 0))
        await it.pilot.click("#fleet", offset=(20, 15))
        await it.pilot.double_click("#fleet", offset=(20, 2))
        await it.pilot.pause()
        assert isinstance(it.app.screen, EndpointScreen)
