"""Cases in the console: the matrix fills, a cell is read, what failed is asked again, a run goes on, nothing leaves unasked."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chat_fakes import DONE, FakeDesk, Script, Wire, answer, fleet_file, wire
from console_driver import Console
from fakes import FrozenClock
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.model.chat.boundary import Policy, Rule
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.chat.entering import open_chat

__all__ = ["wire"]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def cases(folder: Path, count: int = 3, expected: str = "yes") -> Path:
    path = folder / "cases.jsonl"
    lines = [{"prompt": f"question {n}", "assert": [{"type": "contains", "value": expected}]} for n in range(count)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@asynccontextmanager
async def chatting(*columns: tuple[str, str], config: FleetConfig | None = None) -> AsyncIterator[Console]:
    clock = FrozenClock()
    desk = FakeDesk(clock, config)
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        for endpoint, model in columns:
            open_chat(app, endpoint, model)
        await it.sees(" Chat")
        yield it


async def begin(it: Console) -> None:
    await it.press("tab", "C")
    await it.sees("Run cases with")
    await it.press("enter")


async def seen(it: Console, text: str) -> None:
    """Frames go on until it is there: answers are judged in a process of its own."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while text not in it.text:
                await it.pilot.pause(0.02)
                await it.tick()
            return
    raise AssertionError(f"{text!r} is not in:\n{it.text}")


async def test_the_matrix_fills_and_a_cell_is_read(wire: Wire, tmp_path: Path) -> None:  # key: run_cases
    cases(tmp_path)
    wire.on("prod", answer("no, never"))
    async with chatting(("lab", "qwen3:8b"), ("prod", "qwen3-32b")) as it:
        await begin(it)
        await seen(it, "6 of 6 100%")
        assert "✓ 3" in it.text
        assert "✗ 3" in it.text
        assert "1 question 0" in it.text
        await it.press("down", "right", "enter")
        await it.sees("2 question 1")
        for text in ("qwen3-32b@prod", "question 1", "fail", "contains", "no, never", "TTFT"):
            assert text in it.text
        await it.press("escape", "escape")
        await it.sees(" Chat")
    assert sorted(wire.prompts("prod")) == ["question 0", "question 1", "question 2"]


async def test_what_failed_is_asked_again(wire: Wire, tmp_path: Path) -> None:  # key: rerun_cases
    cases(tmp_path)
    wire.on("lab", answer("no"))
    async with chatting(("lab", "qwen3:8b")) as it:
        await begin(it)
        await seen(it, "✗ 3")
        wire.on("lab", answer("yes"))
        await it.press("R")
        await seen(it, "✓ 3")
        await it.press("R")
        await it.sees("everything has passed")
    assert len(wire.prompts("lab")) == 6


async def test_a_run_that_was_stopped_goes_on_with_another_console(
    wire: Wire, tmp_path: Path
) -> None:  # key: stop_cases
    cases(tmp_path, 40)
    wire.on("lab", Script([asyncio.Event(), DONE]))  # nothing comes
    async with chatting(("lab", "qwen3:8b")) as it:
        await begin(it)
        await seen(it, "0 of 40")
        while not wire.prompts("lab"):
            await it.pilot.pause(0.02)
        await it.press("x")
        await seen(it, "stopped")
    assert wire.prompts("lab") == ["question 0"]
    wire.on("lab", answer("yes"))
    async with chatting(("lab", "qwen3:8b")) as it:
        await begin(it)
        await it.sees("The same was begun before")
        await it.press("enter")
        await seen(it, "40 of 40 100%")
    asked = wire.prompts("lab")
    assert len(set(asked)) == 40
    assert len(asked) <= 41  # the one that was on its way


@pytest.mark.parametrize(("keys", "sent"), [(("enter",), 0), (("left", "enter"), 3)])
async def test_an_external_model_is_asked_for_once(
    wire: Wire, tmp_path: Path, keys: tuple[str, ...], sent: int
) -> None:
    cases(tmp_path)
    async with chatting(("lab", "qwen3:8b"), ("cloud", "atlas")) as it:
        await begin(it)
        await it.sees("Send it?")
        await it.press(*keys)
        await seen(it, "3 of 6" if not sent else "6 of 6")
    assert len(wire.prompts("cloud")) == sent


async def test_a_policy_that_says_never_is_not_asked_for(wire: Wire, tmp_path: Path) -> None:
    cases(tmp_path)
    config = replace(fleet_file(), policy=Policy(Rule.NEVER))
    async with chatting(("lab", "qwen3:8b"), ("cloud", "atlas"), config=config) as it:
        await begin(it)
        await seen(it, "3 of 6")
        await seen(it, "is not asked")
    assert wire.prompts("cloud") == []


async def test_a_file_that_is_none_is_said(wire: Wire) -> None:
    async with chatting(("lab", "qwen3:8b")) as it:
        await begin(it)
        await it.sees("cases.jsonl: ")
