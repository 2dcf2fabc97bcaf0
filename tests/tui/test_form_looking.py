"""What a form looks up while it is filled in: not at each key, and nothing any more that was typed over."""

from __future__ import annotations

import asyncio

import pytest

from console_driver import console
from fakes import endpoint_view, snapshot
from quarterdeck.tui.screens import form
from quarterdeck.tui.screens.form import Answers, Field, FormScreen, Remark


class Registry:
    """Remembers what it was asked; answers when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.given_up: list[str] = []
        self.came = asyncio.Event()
        self.answers = asyncio.Event()

    async def __call__(self, answers: Answers) -> list[Remark]:
        model = answers["model"]
        self.asked.append(model)
        self.came.set()
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.given_up.append(model)
            raise
        return [Remark(f"{model} is 5 GB")]


async def test_what_is_typed_on_gives_up_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[asyncio.Event] = []

    async def rest(_: float) -> None:
        rests.append(asyncio.Event())
        await rests[-1].wait()

    async with console(snapshot(endpoint_view("mac", engine="ollama"))) as desk:
        registry = Registry()
        screen = FormScreen("Pull: mac", [Field("model", "model")], look_up=registry)
        monkeypatch.setattr(form, "asyncio", type("Paused", (), {**vars(asyncio), "sleep": staticmethod(rest)}))
        desk.app.push_screen(screen)
        await desk.pilot.pause()
        await desk.press(*"qwen3")
        assert registry.asked == [], "between two keys nobody is asked"
        rests[-1].set()
        await registry.came.wait()
        assert registry.asked == ["qwen3"]
        registry.came.clear()
        await desk.press("x")
        assert registry.given_up == ["qwen3"], "what it asked is given up at once"
        assert registry.asked == ["qwen3"]
        rests[-1].set()
        await registry.came.wait()
        registry.answers.set()
        await desk.pilot.pause()
        assert registry.asked == ["qwen3", "qwen3x"]
        assert registry.given_up == ["qwen3"]
        await desk.press("escape")


async def test_what_is_filled_in_stands_at_the_same_cell_whether_its_line_has_the_keys_or_not() -> None:
    async with console(snapshot(endpoint_view("mac", engine="ollama"))) as desk:
        fields = [Field("first", "first", value="valueone"), Field("second", "second", value="valuetwo")]
        desk.app.push_screen(FormScreen("Two", fields))
        await desk.sees("valuetwo")
        for _ in fields:
            lines = desk.text.splitlines()
            places = {line.index(value) for value in ("valueone", "valuetwo") for line in lines if value in line}
            assert len(places) == 1
            await desk.press("tab")
