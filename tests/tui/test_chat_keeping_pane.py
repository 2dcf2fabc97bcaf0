"""What the pane keeps: everything where the fleet file says so, else not a word, anywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chat_fakes import FakeDesk, Wire, fleet_file, wire
from console_driver import Console
from fakes import FrozenClock
from quarterdeck.config.fleet import ChatSettings
from quarterdeck.engine.chat.keeping import Chats
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.chat.entering import open_chat
from quarterdeck.tui.chat.prompt_box import MOST_HISTORY, History

__all__ = ["wire"]
MARKER = "marker-of-this-prompt"


async def test_what_was_asked_before_can_be_asked_again(
    wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up in the prompt recalls what another console sent, where that is kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for expected in ("", "first"):
        clock = FrozenClock()
        desk = FakeDesk(clock, replace(fleet_file(), chat=ChatSettings(save=True)))
        app = ConsoleApp(desk.fleet, make_engine=lambda _, desk=desk: desk, clock=clock.clock)  # type: ignore[misc]
        async with app.run_test(size=(120, 36)) as pilot:
            await pilot.pause()
            it = Console(app, pilot, desk, clock)
            open_chat(app, "lab", "qwen3:8b")
            await it.sees(" Chat")
            await settled(it)
            await it.press("up")
            assert app.chat is not None
            assert app.chat.draft.text == expected
            await it.press(*([] if expected else ["f", "i", "r", "s", "t"]), "enter")
            await it.sees("yes")
            await settled(it)


async def settled(it: Console) -> None:
    """What is read and written beside has been."""
    while it.app.chat is not None and it.app.chat.tasks:
        await it.pilot.pause()


def test_what_is_recalled_is_bounded() -> None:
    history = History()
    history.add("now")
    history.put_before([f"prompt {number}" for number in range(500)] + ["now"])
    assert len(history.entries) == MOST_HISTORY
    assert history.entries[-2:] == ["prompt 499", "now"]
    assert history.step(-1, "draft") == "now"
    history.put_before(["more"])
    assert history.step(1, "draft") == "draft"


@pytest.mark.parametrize("save", [True, False])
async def test_kept_or_not(save: bool, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    clock = FrozenClock()
    desk = FakeDesk(clock, replace(fleet_file(), chat=ChatSettings(save=save)))
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=clock.clock)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        it = Console(app, pilot, desk, clock)
        open_chat(app, "lab", "qwen3:8b")
        await it.sees(" Chat")
        await it.press(*MARKER, "enter")
        await it.sees("yes")
        assert app.chat is not None
        while app.chat.tasks:
            await pilot.pause()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert (MARKER.encode() in written) is save
    kept = Chats(tmp_path / "state" / "quarterdeck" / "chats.db").search(MARKER)
    assert [(one.endpoint, one.model, one.prompt) for one in kept] == ([("lab", "qwen3:8b", MARKER)] if save else [])
