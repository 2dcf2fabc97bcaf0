"""The console on a recording: its bar, its keys, every view; and nothing that asks or changes anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot

from fakes import FrozenClock
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.model.actions import ACTIONS
from quarterdeck.tui.commands import COMMANDS, LIVE_ONLY, commands_for
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.replay.app import ReplayApp
from quarterdeck.tui.replay.bar import bar, exact, short
from quarterdeck.tui.screens.alerts import AlertsScreen
from quarterdeck.tui.screens.endpoint import EndpointScreen
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.form import FormScreen
from quarterdeck.tui.screens.gpus import GpusScreen
from quarterdeck.tui.screens.jobs import JobsScreen
from recordings import DOWN_FROM, recorded


class Replay:
    """A console that plays, on a clock that stands still."""

    def __init__(self, app: ReplayApp, pilot: Pilot[None], clock: FrozenClock) -> None:
        self.app, self.pilot, self.clock = app, pilot, clock

    @property
    def player(self) -> Player:
        return self.app.player

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def passes(self, seconds: float) -> None:
        self.clock.monotonic += seconds
        self.app.tick()
        await self.pilot.pause()

    @property
    def text(self) -> str:
        lines = self.app.screen._compositor.render_strips(self.app.size)
        return "\n".join(line.text for line in lines)

    @property
    def status(self) -> str:
        return self.text.splitlines()[-1]


@asynccontextmanager
async def replay(tmp_path: Path, *, size: tuple[int, int] = (100, 24)) -> AsyncIterator[Replay]:
    path = tmp_path / "played.qdrec"
    recorded(path)
    clock = FrozenClock()
    player = Player(Recording(path), clock=clock.clock)
    player.read()
    app = ReplayApp(player)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Replay(app, pilot, clock)


def test_the_bar_in_words() -> None:
    told = bar(playing=True, speed=2.0, time=1_795_370_400.5, position=720, seconds=3600)
    assert told.startswith("▶ 2x ")
    assert told.endswith(" · 12m/60m · REPLAY")
    assert bar(playing=False, speed=0.25, time=0, position=0, seconds=9).startswith("‖ 0.25x ")
    assert [short(each) for each in (0, 120, 5_940, 7_500)] == ["0m", "2m", "99m", "2h05"]
    assert [exact(each) for each in (0, 59.9, 599)] == ["0:00", "0:59", "9:59"]


async def test_it_plays_and_stands_still(tmp_path: Path) -> None:  # key: replay_play
    async with replay(tmp_path) as it:
        assert "▶ 1x 18:00:00 · 0:00/0:59 · REPLAY" in it.status
        assert "Space play" in it.status
        assert "a act" not in it.text
        await it.passes(5)
        assert "▶ 1x 18:00:05 · 0:05/0:59 · REPLAY" in it.status
        await it.press("space")
        assert "‖ 1x" in it.status
        before = it.text
        await it.passes(100)
        assert it.text == before  # ages too
        await it.press("p")
        await it.passes(2)
        assert "0:07/0:59" in it.status


async def test_steps_speeds_and_ends(tmp_path: Path) -> None:
    # key: replay_step # key: replay_back # key: replay_faster # key: replay_slower
    # key: replay_begin # key: replay_end # key: replay_forward # key: replay_rewind
    async with replay(tmp_path) as it:
        await it.press("full_stop", "full_stop", "full_stop", "comma")
        assert "‖ 1x 18:00:02 · 0:02/0:59" in it.status
        await it.press("greater_than_sign", "greater_than_sign", "less_than_sign")
        assert "‖ 2x" in it.status
        await it.press("right_curly_bracket")
        assert "0:59/0:59" in it.status
        await it.press("left_parenthesis")
        assert "0:00/0:59" in it.status
        await it.press("right_parenthesis")
        assert "0:59/0:59" in it.status
        await it.press("left_curly_bracket", "space")
        await it.passes(4)
        assert "▶ 2x 18:00:08 · 0:08/0:59" in it.status


async def test_jumping_to_what_happened_says_it(tmp_path: Path) -> None:  # key: replay_next # key: replay_previous
    async with replay(tmp_path) as it:
        await it.press("right_square_bracket")
        assert "begun" in it.status
        await it.press("right_square_bracket")
        assert round(it.player.position) == DOWN_FROM
        assert "b: DOWN: b is DOWN: refused" in it.status
        assert "DOWN" in it.text.splitlines()[1]
        await it.press("left_square_bracket", "left_square_bracket")
        assert "nothing happened before this" in it.status


async def test_going_to_a_time(tmp_path: Path) -> None:  # key: replay_seek
    async with replay(tmp_path) as it:
        await it.press("at")
        assert isinstance(it.app.screen, FormScreen)
        await it.press(*"18:00:30", "enter")
        assert round(it.player.position, 1) == 29.5
        await it.press("at")
        await it.press(*"tomorrow", "enter")
        assert isinstance(it.app.screen, FormScreen)
        assert "is no time" in it.text
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)


async def test_every_view_works(tmp_path: Path) -> None:
    async with replay(tmp_path, size=(120, 36)) as it:
        await it.press("full_stop", "right_parenthesis", "enter")
        assert isinstance(it.app.screen, EndpointScreen)
        assert "REPLAY" in it.status
        await it.press("2")
        assert isinstance(it.app.screen, GpusScreen)
        assert "H100" in it.text
        await it.press("enter")
        assert "REPLAY" in it.status
        await it.press("5")
        assert isinstance(it.app.screen, AlertsScreen)
        assert "REPLAY" in it.status
        await it.press("6")
        assert isinstance(it.app.screen, JobsScreen)
        assert "qwen3:8b" in it.text
        await it.press("enter")  # what a job did lies on the machine of then
        assert "this is a recording" in it.status
        await it.press("question_mark")
        assert "Play or pause" not in it.text  # the help tells what they do, not what they are called
        assert "Play the recording" in it.text.splitlines()[3]
        assert "Stop polling" not in it.text


async def test_the_charts_end_at_the_moment_that_is_played(tmp_path: Path) -> None:
    async with replay(tmp_path, size=(120, 36)) as it:
        it.player.seek(40)
        it.app.tick()
        await it.press("enter")
        screen = it.app.screen
        assert isinstance(screen, EndpointScreen)
        assert screen.endpoint_view is not None
        assert screen.endpoint_view.history is not None
        assert len(screen.endpoint_view.history) == 41


@pytest.mark.parametrize("key", ["r", "plus", "minus", "a", "n", "l", "4", "C", "P", "U", "D"])
async def test_nothing_is_asked_or_changed(key: str, tmp_path: Path) -> None:
    async with replay(tmp_path) as it:
        await it.press("space", key)
        assert "this is a recording" in it.text.lower()


async def test_an_alert_can_not_be_acknowledged_afterwards(tmp_path: Path) -> None:
    async with replay(tmp_path) as it:
        it.player.seek(DOWN_FROM + 4)
        it.app.tick()
        await it.press("5", "a")
        assert "this is a recording" in it.status
        await it.press("z")
        assert isinstance(it.app.screen, AlertsScreen)


async def test_keys_of_the_recording_are_text_where_somebody_types(tmp_path: Path) -> None:
    async with replay(tmp_path) as it:
        await it.press("slash", "b", "full_stop", "space")
        screen = it.app.screen
        assert isinstance(screen, FleetScreen)
        assert screen.table.needle == "b. "
        assert not it.player.paused


async def test_the_palette_offers_what_there_is(tmp_path: Path) -> None:
    async with replay(tmp_path) as it:
        await it.press("colon", *"next event", "enter")
        assert round(it.player.position) == 10
        await it.press("colon", *"launch a v")
        assert "Launch a vLLM" not in it.text


def test_keys_do_not_collide() -> None:
    screens = {place for command in COMMANDS for place in command.where}
    for where in screens:
        keys = [key for command in commands_for(where, replay=True) for key in command.keys]
        assert len(keys) == len(set(keys)), where
    actions = {key for action in ACTIONS for key in action.keys}
    assert not actions & {key for command in COMMANDS if command.replay for key in command.keys}
    assert {command.id for command in COMMANDS} >= LIVE_ONLY


def test_only_a_recording_has_them() -> None:
    assert not [command for command in commands_for("fleet") if command.replay]
    told = "\n".join("".join(run.text for run in line.runs) for line in help_lines(100))
    assert "Play the recording" not in told


async def test_why_it_ends_early_is_said_first(tmp_path: Path) -> None:
    path = tmp_path / "cut.qdrec"
    recorded(path, closed=False)
    path.write_bytes(path.read_bytes()[:-7])
    app = ReplayApp(Player(Recording(path), clock=FrozenClock().clock))
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        assert "it ends early: it ends within a sample" in Replay(app, pilot, FrozenClock()).status


async def test_a_small_terminal_shows_where_it_is(tmp_path: Path) -> None:
    async with replay(tmp_path, size=(40, 10)) as it:
        assert "REPLAY" in it.status or "0:00/0:59" in it.status


async def test_only_verbs_that_ask_nothing_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {" ": "space", "-": "minus", ".": "full_stop"}
    async with replay(tmp_path) as it:
        await it.press("space", "colon", *(names.get(each, each) for each in "pull qwen3 --on mac"), "enter")
        assert "this is a recording: nothing can be asked or changed" in it.text
        await it.press("ctrl+u", *"gpus", "enter")
        for _ in range(20):
            await it.pilot.pause()
        assert "gpu" in it.text.lower()
        await it.press("colon", *(names.get(each, each) for each in "save view.json"), "enter")
        for _ in range(200):
            if (tmp_path / "view.json").exists():
                break
            await it.pilot.pause()
            await asyncio.sleep(0.01)
        assert '"hosts"' in (tmp_path / "view.json").read_text()
