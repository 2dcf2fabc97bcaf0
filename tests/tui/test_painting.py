"""What is painted: only what changed, at any size, and nothing a server says gets out of hand."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from console_driver import console
from fakes import endpoint_view, host_view, model, snapshot
from fleets import many, mixed_fleet
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot, State

SIZES = [(80, 24), (120, 36), (200, 60), (40, 10), (1, 1)]


# ---- painting


async def test_the_same_snapshot_repaints_nothing_but_ages() -> None:
    async with console() as it:
        before = it.table.repainted_cells
        for _ in range(5):
            await it.tick()
        assert it.table.repainted_cells == before
        it.clock.advance(1.0)
        await it.tick()
        assert 0 < it.table.repainted_cells - before <= 8 * 5


async def test_a_snapshot_in_which_only_the_clock_differs_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console() as it:
        drawn: list[object] = []
        monkeypatch.setattr(it.table, "show", drawn.append)
        await it.show(replace(it.engine.newest, at=10_000.5))
        assert not drawn
        it.clock.advance(1.0)
        await it.show(replace(it.engine.newest, at=10_001.0))
        assert len(drawn) == 1, "ages"


async def test_ages_cost_no_sorting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with console() as it:
        sorted_again: list[int] = []
        it.clock.advance(1.0)
        it.engine.newest = replace(it.engine.newest, at=10_001.0)
        with monkeypatch.context() as patch:
            patch.setattr(it.table, "rearrange", lambda: sorted_again.append(1))
            it.app.tick()  # draws at once; a resize that is still under way would sort, and rightly so
        assert sorted_again == []


async def test_one_number_repaints_one_cell() -> None:
    async with console() as it:
        before = it.table.repainted_cells
        fleet = mixed_fleet()
        busier = replace(fleet.endpoints[0], running=13)
        await it.show(replace(fleet, endpoints=(busier, *fleet.endpoints[1:])))
        assert it.table.repainted_cells - before <= 6
        assert " 13 " in it.text


async def test_a_covered_screen_is_not_drawn_and_shows_the_newest_when_it_is_back() -> None:
    async with console() as it:
        await it.press("question_mark")
        before = it.table.repainted_cells
        fleet = mixed_fleet()
        await it.show(replace(fleet, endpoints=fleet.endpoints[:1]))
        assert it.table.repainted_cells == before
        await it.press("escape")
        assert "1/1 well" in it.text


async def test_news_go_away_after_a_while() -> None:
    async with console() as it:
        await it.press("r")
        assert "asking all endpoints now" in it.text
        it.clock.advance(6.0)
        await it.tick()
        assert "asking all endpoints now" not in it.text


async def test_nothing_is_animated() -> None:
    async with console() as it:
        assert it.app.animation_level == "none"


async def test_no_colour_is_used_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console() as it:
        strips = it.app.screen._compositor.render_strips(it.app.size)
        styles = [segment.style for strip in strips for segment in strip if segment.style is not None]
        assert all(style.color is None or style.color.is_default for style in styles)
        assert any(style.reverse for style in styles), "the selected row"


# ---- sizes


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fleet", [EMPTY_FLEET, mixed_fleet(), many(200)], ids=["empty", "mixed", "many"])
async def test_it_draws_at_any_size(size: tuple[int, int], fleet: FleetSnapshot) -> None:
    async with console(fleet, size=size, problems=("a problem",)) as it:
        for keys in ("GgjxjkG", "s", "/", ""):
            await it.press(*keys.replace("/", "")) if keys else None
        await it.press("slash", "a", "escape", "enter", "escape", "question_mark", "escape", "colon", "escape")
        assert len(it.text.splitlines()) == size[1]


async def test_resizing_brings_other_columns() -> None:
    async with console(size=(80, 24)) as it:
        assert "TTFT" not in it.text
        await it.pilot.resize_terminal(200, 60)
        await it.pilot.pause()
        assert "TTFT p95" in it.text
        assert "tok/s trend" in it.text
        assert "counters began anew" in it.text
        await it.pilot.resize_terminal(40, 10)
        await it.pilot.pause()
        assert "TTFT" not in it.text
        assert "DOWN" in it.text
        await it.pilot.resize_terminal(1, 1)
        await it.pilot.pause()


async def test_the_selected_endpoint_is_shown_under_the_table_where_there_is_room() -> None:
    async with console(size=(200, 60)) as it:
        await it.sees("Is the server running")
        await it.press("j")
        await it.sees("a hung engine needs a restart")
        assert "more lines" not in it.text


async def test_a_page_that_does_not_fit_under_the_table_says_how_much_more_there_is() -> None:
    fleet = mixed_fleet()
    async with console(replace(fleet, endpoints=fleet.endpoints[:1]), size=(120, 30)) as it:
        lines = it.text.splitlines()
        more = next(place for place, line in enumerate(lines) if "more lines; Enter shows them" in line)
        assert not lines[more + 1].strip()
        assert "hosts and GPUs" in lines[more + 2]


# ---- what servers say

HOSTILE = "\x1b[31m[red]evil[/red]\x1b]0;title\x07\u202e\u200b[@click=app.quit]日本🚀 אבג\n\r\x00" + "x" * 300


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_nothing_a_server_says_reaches_the_screen_raw_or_as_markup(size: tuple[int, int]) -> None:
    view = endpoint_view(
        HOSTILE,
        url=HOSTILE,
        engine=HOSTILE,
        version=HOSTILE,
        host=HOSTILE,
        state=State.BUSY,
        reason=HOSTILE,
        models=(model(HOSTILE, quantization=HOSTILE, parameters=HOSTILE), model("b")),
        notes=(HOSTILE,),
    )
    async with console(snapshot(view, hosts=(host_view(HOSTILE, reason=HOSTILE),)), size=size) as it:
        await it.press("x")
        pages = [it.text]
        await it.press("enter")
        pages.append(it.text)
        await it.press("colon", *"evil")
        pages.append(it.text)
        for text in pages:
            assert "[red]evil" in text, "shown as it is, not as markup"
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", text)
            assert "title" not in text
