"""The endpoint's screen: sections, the window and the time cursor of the charts, copying, and what is repainted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from console_driver import Console, console
from fakes import endpoint_view, event, history, snapshot
from fleets import mixed_fleet
from quarterdeck.model.fleet import State
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock

WIDE = (200, 60)


@asynccontextmanager
async def opened(name: str = "qwen-prod", size: tuple[int, int] = (80, 24)) -> AsyncIterator[Console]:
    async with console(size=size) as it:
        it.app.open_endpoint(name)
        await it.pilot.pause()
        yield it


def screen(it: Console) -> EndpointScreen:
    shown = it.app.screen
    assert isinstance(shown, EndpointScreen)
    return shown


def top(it: Console) -> str:
    """The first line of the page, under the title."""
    return it.text.splitlines()[1].strip()


async def test_sections_in_turn() -> None:  # key: next_section # key: previous_section
    async with opened() as it:
        await it.press("tab")
        assert top(it).startswith("Now")
        await it.press("tab", "tab", "tab")
        assert top(it).startswith("Charts")
        await it.press("shift+tab")
        assert top(it).startswith("Requests ended")
        for _ in range(12):
            await it.press("tab")
            if not screen(it).page.scroll_offset.y:
                break
        assert screen(it).page.scroll_offset.y == 0, "after the end comes the beginning"
        await it.press("shift+tab")
        assert "/version" in it.text, "before the beginning comes the end"


async def test_the_window_of_the_charts() -> None:  # key: window
    async with opened() as it:
        assert "[5 min]" not in it.text
        await it.press("w")
        assert "[15 min]" in it.text, "the charts are brought into view"
        await it.press("w", "w", "w")
        assert "[5 min]" in it.text


async def test_the_time_cursor() -> None:  # key: earlier # key: later
    async with opened(size=WIDE) as it:
        assert "Esc ends it" not in it.text
        await it.press("left")
        last = _cursor_time(it)
        await it.press("left", "left")
        assert _cursor_time(it) < last
        await it.press("right", "right", "right", "right")
        assert _cursor_time(it) == last
        await it.press("home")
        first = _cursor_time(it)
        assert first < "17:55:05"
        await it.press("left")
        assert _cursor_time(it) == first
        await it.press("end")
        assert _cursor_time(it) == last
        await it.press("escape")
        assert "Esc ends it" not in it.text
        assert isinstance(it.app.screen, EndpointScreen), "the first Esc only takes the cursor away"
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_cursor_stays_at_its_time_while_the_time_goes_on() -> None:
    async with opened(size=WIDE) as it:
        await it.press("left", "left", "left", "left")
        stood = _cursor_time(it)
        it.clock.advance(8.0)
        fleet = mixed_fleet(10_008.0)
        await it.show(replace(fleet, time=it.clock.wall))
        assert _cursor_time(it) == stood
        it.clock.advance(4_000.0)
        await it.tick()
        assert _cursor_time(it) > stood, "what left the window is at its edge"


def _cursor_time(it: Console) -> str:
    found = re.search(r"at (\d\d:\d\d:\d\d) ", it.text)
    assert found is not None
    return found[1]


async def test_where_nothing_was_recorded_the_keys_say_so() -> None:
    async with opened("coder-b") as it:
        await it.press("left")
        assert "nothing to draw a chart of" in it.text
        await it.press("w")
        await it.press("y")
        await it.sees("copied the URL")


async def test_copying_says_what_was_copied() -> None:
    async with opened() as it:
        await it.press("y")
        assert "generation_tokens" in it.app.clipboard
        assert "/metrics vllm:num_requests_running" in it.app.clipboard
        await it.sees("copied 20 raw values of qwen-prod")


async def test_what_is_copied_is_clean() -> None:
    hostile = endpoint_view("x", origins={"models": "\x1b]52;c;aGk=\x07/v1/models\x1b[31m\n"}, state=State.OK)
    async with console(snapshot(hostile)) as it:
        await it.press("enter", "y")
        assert "\x1b" not in it.app.clipboard
        assert "/v1/models" in it.app.clipboard


async def test_a_resting_page_repaints_no_more_than_ages() -> None:
    async with opened(size=WIDE) as it:
        blocks = list(it.app.screen.query(LinesBlock))
        before = sum(block.repainted_cells for block in blocks)
        await it.tick()
        it.app.redraw()
        assert sum(block.repainted_cells for block in blocks) == before
        it.clock.advance(1.0)
        await it.tick()
        assert sum(block.repainted_cells for block in blocks) - before < 400


async def test_resizing_moves_the_charts_beside_the_text_and_back() -> None:
    async with opened() as it:
        charts = it.app.screen.query_one("#charts")
        assert not charts.display
        await it.pilot.resize_terminal(*WIDE)
        await it.pilot.pause()
        assert charts.display
        assert "peak" in it.text
        await it.pilot.resize_terminal(60, 20)
        await it.pilot.pause()
        assert not charts.display
        await it.press("left")
        assert "Charts" in it.text


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60), (40, 10), (1, 1)])
@pytest.mark.parametrize("name", ["qwen-prod", "ollama-lab", "coder-b"])
async def test_every_key_at_every_size(size: tuple[int, int], name: str) -> None:
    async with opened(name, size) as it:
        await it.press(
            "w", "left", "left", "home", "end", "right", "tab", "G", "g", "escape", "shift+tab", "y", "down", "k"
        )
        assert len(it.text.splitlines()) == size[1]


async def test_hostile_words_reach_no_section_raw() -> None:
    hostile = "\x1b[31m[red]evil[/red]\x1b]0;title\x07\u202e\x00\n" + "x" * 300
    view = endpoint_view(
        "x",
        evidence=(hostile,),
        odd=(hostile,),
        identity=((hostile, hostile),),
        events=(event(5, hostile, hostile),),
        finished_ps=((hostile, 1.0), ("b", 2.0)),
        waiting_by_reason=((hostile, 3),),
        origins={"running": hostile, hostile: hostile},
        estimates=frozenset({"running", hostile}),
        running=3,
        history=history(60, running=lambda ago: 3.0),
    )
    async with console(snapshot(view), size=WIDE) as it:
        await it.press("enter")
        assert "[red]evil" in it.text
        assert not any(mark in it.text for mark in ("\x1b", "\u202e", "\x00", "title"))
