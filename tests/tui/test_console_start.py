"""How the console starts and ends: rows before there is an engine, what is looked for, problems."""

from __future__ import annotations

import asyncio

from console_driver import Console, console
from fakes import FakeEngine, FrozenClock, config
from quarterdeck.config.fleet import EndpointSpec, FleetConfig
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import EMPTY_FLEET
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.contract import EngineLike, Notice


async def test_the_first_frame_has_the_rows_of_the_fleet_file_before_there_is_an_engine() -> None:
    made: list[FleetConfig] = []
    clock = FrozenClock()
    app = ConsoleApp(config("alpha", "beta"), make_engine=lambda c: made.append(c) or FakeEngine(), clock=clock.clock)  # type: ignore[func-returns-value]
    app.call_after_refresh = lambda *_: True  # type: ignore[method-assign]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        text = Console(app, pilot, FakeEngine(), clock).text
    assert not made
    assert "alpha" in text
    assert "waiting for the first answer" in text
    assert "asking 2 endpoints" in text


async def test_an_empty_table_says_what_is_looked_for_then_what_was_found() -> None:
    go_on = asyncio.Event()

    async def prepare(engine: EngineLike) -> Notice:
        await go_on.wait()
        engine.add((EndpointSpec("found", "http://127.0.0.1:11434"),))
        return Notice("nothing found", ("No server found.", "", "quarterdeck --url URL"))

    async with console(EMPTY_FLEET, prepare=prepare, looking_for="Looking for servers …") as it:
        assert "Looking for servers …" in it.text
        go_on.set()
        await it.pilot.pause()
        assert "No server found." in it.text
        assert "quarterdeck --url URL" in it.text
        assert len(it.engine.asked("add")) == 1


async def test_a_preparation_that_fails_says_why_and_what_to_do() -> None:
    async def prepare(engine: EngineLike) -> None:
        raise UsageError("the demo did not start", hint="is port 8000 taken?")

    async with console(EMPTY_FLEET, prepare=prepare) as it:
        assert "the demo did not start" in it.text
        assert "is port 8000 taken?" in it.text


async def test_problems_of_the_fleet_file_stand_above_the_table() -> None:
    async with console(problems=("fleet.toml:3: urll: unknown key", "another")) as it:
        assert "fleet.toml:3: urll: unknown key" in it.text.splitlines()[0]
        assert "1 more" in it.text
        assert "qwen-prod" in it.text


async def test_a_missing_theme_is_one_problem_and_the_default() -> None:
    async with console(configured=config(theme="nowhere")) as it:
        assert it.app.theme == "quarterdeck-night"
        assert it.text.count('there is no theme "nowhere"') == 1
        assert "using quarterdeck-night" in it.text


async def test_a_wrong_theme_is_told_beside_a_wrong_fleet_file() -> None:
    problems = ("fleet.toml:3: no such key", "fleet.toml:9: no such key")
    async with console(configured=config(theme="nowhere"), size=(100, 24), problems=problems) as it:
        first = it.text.splitlines()[:3]
        assert "fleet.toml:3" in first[0]
        assert "1 more" in first[1]
        assert 'there is no theme "nowhere"; using quarterdeck-night' in first[2]


async def test_the_engine_is_stopped_at_the_end() -> None:
    async with console() as it:
        engine = it.engine
    assert engine.calls[0] == ("start", None)
    assert engine.asked("stop") == [None]
