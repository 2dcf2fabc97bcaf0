"""The mouse on the fleet: the right button asks what can be done, a double click opens, the wheel scrolls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from textual import events

from console_driver import Console, console
from fakes import config, endpoint_view, model, snapshot
from fleets import many
from quarterdeck.model.fleet import State
from quarterdeck.model.job import Job, JobState, Order
from quarterdeck.model.models import ModelState
from quarterdeck.tui.screens.choose import ChooseScreen, Item
from quarterdeck.tui.screens.confirm import ConfirmScreen, answer_at, confirm_lines
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.log import LogScreen
from quarterdeck.tui.screens.model import ModelScreen
from quarterdeck.tui.screens.notice import NoticeScreen
from quarterdeck.tui.widgets.lines_view import LinesView

FLEET = snapshot(
    endpoint_view(
        "lab",
        engine="ollama",
        state=State.OK,
        models=(model("qwen3:8b", state=ModelState.LOADED), model("phi4:14b", state=ModelState.INSTALLED)),
    ),
    endpoint_view("prod", engine="vllm", state=State.OK),
)
NAME = 16
"""A cell of the name."""


async def click(it: Console, row: int, *, x: int = NAME, button: int = 1, times: int = 1) -> None:
    """On a row of the table; 0 is the first below the titles."""
    await it.pilot.click("#fleet", offset=(x, row + 1), button=button, times=times)
    await it.pilot.pause()


async def wheel(it: Console, view: LinesView, *, down: bool, ticks: int = 1) -> None:
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    for _ in range(ticks):
        event = kind(view, 5, 5, 0, 0, 0, False, False, False, 5, 5)
        view.post_message(event)
        await it.pilot.pause()


def title(it: Console) -> str:
    screen = it.app.screen
    assert isinstance(screen, ChooseScreen)
    return screen._title


async def test_the_right_button_asks_what_can_be_done_to_that_row() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await click(it, 1, button=3)
        assert title(it) == "prod"
        assert it.selected == "prod"
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_right_button_on_a_model() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await it.press("right")
        await click(it, 2, button=3)
        assert title(it) == "phi4:14b on lab"


async def test_the_right_button_means_the_marked_rows_only_on_one_of_them() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await it.press("right", "j", "space", "space", "g")
        await click(it, 2, button=3)
        assert title(it) == "2 marked rows"
        await it.press("escape")
        await click(it, 3, button=3)
        assert title(it) == "prod"


async def test_the_right_button_of_a_read_only_console() -> None:
    async with console(FLEET, size=(100, 24), configured=config(read_only=True)) as it:
        await click(it, 0, button=3)
        assert isinstance(it.app.screen, NoticeScreen)


@pytest.mark.parametrize(("x", "row"), [(NAME, 0), (NAME, 9)])
async def test_the_right_button_beside_the_rows_does_nothing(x: int, row: int) -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await click(it, row if row else -1, x=x, button=3)
        assert isinstance(it.app.screen, FleetScreen)


async def test_a_double_click_opens() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await click(it, 1, times=2)
        screen = it.app.screen
        assert isinstance(screen, EndpointScreen)
        assert screen.endpoint == "prod"


async def test_a_double_click_opens_a_model() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await it.press("right")
        await click(it, 1, times=2)
        screen = it.app.screen
        assert isinstance(screen, ModelScreen)


async def test_clicks_on_the_triangle_only_unfold() -> None:
    async with console(FLEET, size=(100, 24), configured=config()) as it:
        await click(it, 0, x=1)
        assert [row.key for row in it.table.rows][:2] == [("lab", ""), it.table.rows[1].key]
        assert len(it.table.rows) == 4
        await click(it, 0, x=1)
        assert len(it.table.rows) == 2
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_wheel_scrolls_and_selects_nothing() -> None:
    async with console(many(60), size=(100, 20), configured=config()) as it:
        before = it.selected
        await wheel(it, it.table, down=True, ticks=3)
        top = it.table.scroll_offset.y
        assert top > 0
        assert it.selected == before
        await it.tick()
        assert it.table.scroll_offset.y == top
        shown = it.table.rows[top].view.name
        assert shown in it.text.splitlines()[1]
        await click(it, 0)
        assert it.selected == shown  # what is under the pointer, not what was there before
        await wheel(it, it.table, down=False, ticks=9)
        assert it.table.scroll_offset.y == 0


async def test_the_right_button_on_a_scrolled_table() -> None:
    async with console(many(60), size=(100, 20), configured=config()) as it:
        await wheel(it, it.table, down=True, ticks=3)
        wanted = it.table.rows[it.table.scroll_offset.y + 2].view.name
        await click(it, 2, button=3)
        assert title(it) == wanted


async def test_a_click_chooses_from_the_menu() -> None:
    async with console(FLEET, size=(100, 30), configured=config()) as it:
        await click(it, 0, button=3)
        await it.pilot.click("#items", offset=(10, 0), button=3)
        assert isinstance(it.app.screen, ChooseScreen)  # the right button chooses nothing
        await it.pilot.click("#items", offset=(10, 0))
        await it.pilot.pause()
        assert not isinstance(it.app.screen, ChooseScreen | FleetScreen)


async def test_a_click_beside_the_menu_closes_it() -> None:
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        await click(it, 0, button=3)
        assert isinstance(it.app.screen, ChooseScreen)
        await it.pilot.click(offset=(1, 1))
        assert isinstance(it.app.screen, FleetScreen)


async def test_the_answers_of_a_question_can_be_clicked() -> None:
    done: list[str] = []

    async def answer(it: Console, x: int, **how: Any) -> None:
        it.app.push_screen(ConfirmScreen("Really?", ["It hurts."], "Do it", lambda: done.append("did")))
        await it.pilot.pause()
        box = it.app.screen.query_one("#confirm")
        await it.pilot.click("#confirm", offset=(x, box.size.height), **how)
        await it.pilot.pause()

    async with console(FLEET, size=(120, 40), configured=config()) as it:
        await answer(it, 1 + 2 + 3)
        assert isinstance(it.app.screen, FleetScreen)
        assert done == []
        await answer(it, 1 + 2 + 6 + 1)  # between them
        assert isinstance(it.app.screen, ConfirmScreen)
        await it.press("escape")
        await answer(it, 1 + 2 + 6 + 3 + 2, button=3)
        assert isinstance(it.app.screen, ConfirmScreen)
        await it.press("escape")
        await answer(it, 1 + 2 + 6 + 3 + 2)
        assert isinstance(it.app.screen, FleetScreen)
        assert done == ["did"]


async def test_the_second_click_of_a_double_click_answers_nothing() -> None:
    """What was clicked before opened the question under the pointer."""
    done: list[str] = []
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        screen = ConfirmScreen("Really?", [], "Do it", lambda: done.append("did"))
        it.app.push_screen(screen)
        await it.pilot.pause()
        box = screen.query_one("#confirm")
        event = events.Click(box, 14, box.size.height, 0, 0, 1, False, False, False, chain=2)
        screen.on_click(event)
        assert it.app.screen is screen
        screen.on_click(events.Click(box, 14, box.size.height, 0, 0, 1, False, False, False, chain=1))
        assert done == ["did"]


async def test_a_click_beside_a_question_is_no() -> None:
    done: list[str] = []
    async with console(FLEET, size=(120, 40), configured=config()) as it:
        it.app.push_screen(ConfirmScreen("Really?", [], "Do it", lambda: done.append("did")))
        await it.pilot.pause()
        await it.pilot.click(offset=(1, 1))
        assert isinstance(it.app.screen, FleetScreen)
        assert done == []


@pytest.mark.parametrize("verb", ["End it", "データを消す"])
@pytest.mark.parametrize("yes", [False, True])
def test_where_the_answers_stand(verb: str, yes: bool) -> None:
    line = confirm_lines("?", [], verb, yes=yes)[-1].text
    cells = [character for character in line for _ in range(cell_len(character))]
    found = dict.fromkeys((False, True, None), "")
    for x, character in enumerate(cells):
        found[answer_at(x, verb, yes=yes)] += character
    assert "No" in found[False]
    assert verb[0] in found[True]
    assert "←→" in found[None]


async def test_jobs_are_selected_and_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.engine.jobs.folder.JobFolder.log_path", lambda *_: tmp_path / "log.txt")
    jobs = tuple(Job(f"aaaa{each}", Order("pull", "lab", f"m{each}"), JobState.DONE, words="done") for each in "bcd")
    async with console(replace(FLEET, jobs=jobs), size=(100, 24), configured=config()) as it:
        await it.press("6")
        await it.pilot.click("#jobs", offset=(20, 2))
        await it.pilot.pause()
        assert "aaaac" in it.text
        await it.pilot.click("#jobs", offset=(20, 9))  # below the last one
        await it.pilot.pause()
        assert "aaaac" in it.text
        await it.pilot.click("#jobs", offset=(20, 3), times=2)
        await it.pilot.pause()
        assert isinstance(it.app.screen, LogScreen)
        assert "aaaad" in it.text


async def test_a_double_click_in_a_menu_chooses_once() -> None:
    chosen: list[str] = []

    def second(place: int) -> None:
        chosen.append(f"first {place}")
        screen = ChooseScreen("And then?", [Item("a"), Item("b")], lambda at: chosen.append(f"second {at}"))
        it.app.push_screen(screen)

    async with console(FLEET, size=(100, 30), configured=config()) as it:
        it.app.push_screen(ChooseScreen("Which?", [Item("a"), Item("b")], second))
        await it.pilot.pause()
        await it.pilot.click("#items", offset=(10, 1), times=2)
        await it.pilot.pause()
        assert chosen == ["first 1"]
