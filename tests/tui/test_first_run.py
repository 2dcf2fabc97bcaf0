"""The hint of the first starts: shown after the first frame, gone at a key, and not for ever."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from console_driver import Console
from fakes import FakeEngine, FrozenClock, config
from fleets import mixed_fleet
from quarterdeck.config.load import loads
from quarterdeck.tui import first_run, launch, remembered
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.first_run import HintLine, begin, hint_line
from quarterdeck.tui.screens.help import HelpScreen

WHOLE = "? keys and states · a acts · / filters · : commands · quarterdeck tour shows around"


@asynccontextmanager
async def started(
    size: tuple[int, int] = (120, 36), *, keys: str = "", problems: tuple[str, ...] = ()
) -> AsyncIterator[Console]:
    clock = FrozenClock()
    watched = replace(config(), keys=loads(keys, Path("fleet.toml")).config.keys) if keys else config()
    engine = FakeEngine(newest=mixed_fleet(), fleet=watched)
    app = ConsoleApp(
        watched, make_engine=lambda _: engine, clock=clock.clock, problems=problems, on_started=lambda: begin(app)
    )
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Console(app, pilot, engine, clock)


def kept() -> object:
    return remembered.get(first_run.KEY)


async def test_it_stands_above_the_status_line_and_goes_at_a_key_which_does_what_it_does() -> None:
    async with started() as it:
        await it.sees(WHOLE)
        lines = it.text.splitlines()
        assert WHOLE in lines[-2]
        assert "well" in lines[-1]
        await it.press("2")
        assert type(it.app.screen).__name__ == "GpusScreen"
        assert WHOLE not in it.text
        await it.press("1")
        assert WHOLE not in it.text
        assert not it.app.screen.query(HintLine)
        assert it.app.screen.room.height == 36  # type: ignore[attr-defined]


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
async def test_nothing_of_the_screen_is_covered(size: tuple[int, int]) -> None:
    async with started(size) as it:
        await it.sees("? keys and states")
        hint, table = it.app.screen.query_one(HintLine), it.app.screen.table  # type: ignore[attr-defined]
        assert hint.region.y == size[1] - 2
        assert table.region.bottom <= hint.region.y
        assert it.app.screen.room.height == size[1] - 1  # type: ignore[attr-defined]
        await it.press("down")
        await it.pilot.pause()
        assert it.app.screen.room.height == size[1]  # type: ignore[attr-defined]
        assert not it.app.screen.query(HintLine)


async def test_trouble_stays_where_it_is() -> None:
    async with started((80, 24), problems=("fleet.toml:3: no such thing",)) as it:
        await it.sees("? keys and states")
        assert "no such thing" in it.text
        status = it.text.splitlines()[-1]
        await it.press("g")
        assert it.text.splitlines()[-1].split("  ")[:3] == status.split("  ")[:3]


async def test_not_any_more_once_the_help_was_opened() -> None:
    async with started() as it:
        await it.sees(WHOLE)
        await it.press("question_mark")
        assert isinstance(it.app.screen, HelpScreen)
        await it.press("escape")
        assert WHOLE not in it.text
    async with started() as it:
        assert not it.app.screen.query(HintLine)


async def test_help_that_is_opened_later_counts() -> None:
    async with started() as it:
        await it.sees(WHOLE)
        await it.press("j", "k", "question_mark")
        assert kept() == first_run.STARTS


async def test_three_starts_and_no_more() -> None:
    for start in range(1, first_run.STARTS + 1):
        async with started() as it:
            await it.sees(WHOLE)
            assert kept() == start
    async with started() as it:
        assert not it.app.screen.query(HintLine)
        assert it.app.first_run is None
    assert kept() == first_run.STARTS


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "\x00\xff", '{"first_hints": "x"}', '{"first_hints": -7}', '{"first_hints": [3]}',
     '{"first_hints": true}', '{"first_hints": null}', '{"first_hints": 2.5}'],
)  # fmt: skip
async def test_what_is_no_state_file_is_as_good_as_none(text: str) -> None:
    remembered.path().parent.mkdir(parents=True, exist_ok=True)
    remembered.path().write_text(text)
    async with started() as it:
        await it.sees(WHOLE)
    assert kept() == 1


async def test_where_nothing_can_be_written_it_is_shown_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    barred = tmp_path / "barred"
    barred.write_text("a file where the folder should be: not even root can write below it")
    monkeypatch.setenv("XDG_STATE_HOME", str(barred))
    for _ in range(2):
        async with started() as it:
            await it.sees(WHOLE)
            await it.press("question_mark")
            assert isinstance(it.app.screen, HelpScreen)
            assert "Help" in it.text


async def test_what_else_is_remembered_stays() -> None:
    remembered.put("theme", {"name": "x"})
    async with started() as it:
        await it.sees(WHOLE)
    assert json.loads(remembered.path().read_text()) == {"theme": {"name": "x"}, "first_hints": 1}


async def test_not_beside_the_tour() -> None:
    clock = FrozenClock()
    engine = FakeEngine(newest=mixed_fleet(), fleet=config())

    def both() -> None:
        app.do_tour()
        begin(app)

    app = ConsoleApp(config(), make_engine=lambda _: engine, clock=clock.clock, on_started=both)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert app.tour is not None
        assert not app.screen.query(HintLine)
    assert kept() is None


async def test_nobody_sees_it_who_does_not_ask() -> None:
    clock = FrozenClock()
    engine = FakeEngine(newest=mixed_fleet(), fleet=config())
    app = ConsoleApp(config(), make_engine=lambda _: engine, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        assert not app.screen.query(HintLine)
        await pilot.press("question_mark")
    assert kept() is None


@pytest.mark.parametrize(("wanted", "seen"), [(True, True), (False, False)])
def test_the_launcher_begins_it(monkeypatch: pytest.MonkeyPatch, wanted: bool, seen: bool) -> None:
    begun: list[object] = []
    monkeypatch.setattr(first_run, "begin", begun.append)
    monkeypatch.setattr(ConsoleApp, "run", lambda app: app._on_started and app._on_started())
    launch.launch(config(), make_engine=lambda _: FakeEngine(), first_run=wanted)
    assert bool(begun) is seen


async def test_other_keys_are_told_as_they_are() -> None:
    async with started(keys='[keys]\nhelp = "f1"\nfilter = "ctrl+f"\npage_down = "pagedown"\n') as it:
        await it.sees("F1 keys and states · a acts · ^F filters · : commands")


@pytest.mark.parametrize("width", range(1, 121))
def test_it_is_shortened_by_parts(width: int) -> None:
    text = hint_line(width, "fleet").text.strip()
    assert cell_len(hint_line(width, "fleet").text) <= width
    assert WHOLE.startswith(text)
    assert not text or text == WHOLE or WHOLE[len(text) :].startswith((" · ", " shows around"))
    assert bool(text) is (width >= 18)
    assert text.endswith("shows around") is (width >= 84)
    assert ("quarterdeck tour" in text) is (width >= 71)
