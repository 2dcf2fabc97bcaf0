"""Every key of the command table, on every view where it is said to work, at three sizes: it does what the table says.

Commands that are added to the table are tested from then on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from chat_fakes import FakeDesk, Wire, answer, fleet_view, wire
from console_driver import Console
from fakes import FrozenClock
from gpu_fleets import gpu_fleet
from jobs import job
from quarterdeck.config.keynames import is_text
from quarterdeck.engine.recording.player import Player
from quarterdeck.engine.recording.reader import Recording
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.job import JobState
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.commands import COMMANDS, EVERYWHERE, ROWS, Command, commands_for
from quarterdeck.tui.lines import Line, Run
from quarterdeck.tui.replay.app import ReplayApp
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.chat import ChatScreen
from quarterdeck.tui.screens.palette import palette_entries
from recordings import recorded

__all__ = ["wire"]
SIZES = ((40, 10), (80, 24), (200, 60))
MOVES = {"repaint", "suspend", "submit", "follow", "group", "next_section", "previous_section"}
"""They may change nothing that is seen; so do those that no palette lists: up at the top, for instance."""
_MOST_ESCAPES = 6


def a_fleet() -> FleetSnapshot:
    """Something of everything that a command can be for."""
    fleet, gpus = fleet_view(), gpu_fleet()
    now, name = fleet.time, fleet.endpoints[0].name
    alert = Alert("down", "down", Severity.CRITICAL, name, "DOWN", now - 95, now - 85, ("why",), endpoint=name)
    told = tuple(Happening(now - at, Topic.STATE, name, "stale", "text") for at in range(30))
    jobs = tuple(job(id="abcd" + "efghjkmnp"[place], state=state) for place, state in enumerate(JobState))
    return replace(fleet, hosts=gpus.hosts, alerts=(alert,), happenings=told, jobs=jobs)


Opens = Callable[[Console, Path], Awaitable[None]]


async def _endpoint(it: Console, _: Path) -> None:
    it.app.open_endpoint("lab")


async def _gpu(it: Console, _: Path) -> None:
    from quarterdeck.tui.gpus.scene import Entry
    from quarterdeck.tui.screens.gpu import GpuScreen

    host = it.app.fleet.hosts[0]
    it.app.push_screen(GpuScreen(Entry(host, host.gpus[0]).key))


async def _model(it: Console, _: Path) -> None:
    from quarterdeck.tui.screens.model import ModelScreen

    it.app.push_screen(ModelScreen("lab", "qwen3:8b"))


async def _reading(it: Console, _: Path) -> None:
    from quarterdeck.tui.screens.reading import ReadingScreen

    it.app.push_screen(ReadingScreen("Title", lambda _: [Line((Run(f"line {n}"),)) for n in range(200)]))


async def _log(it: Console, folder: Path) -> None:
    from quarterdeck.engine.logs import of_file
    from quarterdeck.tui.screens.log import LogScreen

    path = folder / "a.log"
    path.write_text("".join(f"line {n}\n" for n in range(200)))
    it.app.push_screen(LogScreen(of_file("a log", path)))


async def _chat(it: Console, _: Path) -> None:
    it.app.do_view_chat()
    await it.pilot.pause()
    assert isinstance(it.app.screen, ChatScreen)
    it.app.screen._write(False)


async def _cases(it: Console, folder: Path) -> None:
    (folder / "cases.jsonl").write_text('{"prompt": "q", "assert": [{"type": "contains", "value": "yes"}]}\n')
    await _chat(it, folder)
    await it.press("C")
    await it.sees("Run cases with")
    await it.press("enter")
    for _ in range(300):
        if getattr(it.app.screen, "where", "") == "cases":
            return
        await it.pilot.pause(0.01)


OPENS: dict[str, Opens] = {
    "endpoint": _endpoint,
    "gpu": _gpu,
    "model": _model,
    "reading": _reading,
    "log": _log,
    "chat": _chat,
    "cases": _cases,
}


async def enter(it: Console, where: str, folder: Path) -> None:
    """To the view, wherever one is, with nothing in the status line."""
    app = it.app
    app._said.clear()
    screen = app.screen
    if getattr(screen, "where", "") == where and not getattr(screen, "typing", False):
        return
    if getattr(screen, "typing", False) and where != "chat":
        await it.press("escape")
    while len(app.screen_stack) > 1:
        app.pop_screen()
    await it.pilot.pause()
    if where in OPENS:
        await OPENS[where](it, folder)
    elif where in ("help", "audit"):
        getattr(app, f"do_{where}")()
    else:
        getattr(app, f"do_view_{where}")()
    await it.pilot.pause()
    assert getattr(app.screen, "where", "") == where, it.text


@asynccontextmanager
async def console(size: tuple[int, int]) -> AsyncIterator[Console]:
    desk = FakeDesk(FrozenClock())
    desk.newest = a_fleet()
    app = ConsoleApp(desk.fleet, make_engine=lambda _: desk, clock=desk.frozen.clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield Console(app, pilot, desk, desk.frozen)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The commands whose handlers were called, in their order; those that would end the test only say so."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ConsoleApp, "exit", lambda app, *_, **__: app.say("ends"))
    monkeypatch.setattr(ChatScreen, "do_editor", lambda screen: screen.console_app.say("an editor"))
    done: list[str] = []
    run = ConsoleScreen.action_run

    def noted(screen: ConsoleScreen, command: str) -> None:
        done.append(command)
        run(screen, command)

    monkeypatch.setattr(ConsoleScreen, "action_run", noted)
    return done


def seen(it: Console) -> tuple[object, ...]:
    """What an operator could notice."""
    return it.text, [id(screen) for screen in it.app.screen_stack], it.app.notice


async def changed(it: Console, before: tuple[object, ...]) -> bool:
    """Whether something is seen to happen, now or as soon as what was asked for is there."""
    for _ in range(40):
        if seen(it) != before:
            return True
        await it.pilot.pause()
    return False


async def comes_back(it: Console, where: str, key: str) -> None:
    """Esc leads back, to the view or to the fleet."""
    for _ in range(_MOST_ESCAPES):
        if len(it.app.screen_stack) == 1 or getattr(it.app.screen, "where", "") == where:
            return
        await it.press("escape")
    raise AssertionError(f"{key} on {where}: Esc does not come back from {it.app.screen}")


def keys_of(command: Command) -> list[str]:
    """Of two names of one key the first."""
    return [key for key in command.keys if not key.startswith("upper_")]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("where", EVERYWHERE)
async def test_every_key(where: str, size: tuple[int, int], ran: list[str], tmp_path: Path, wire: Wire) -> None:
    wire.on("lab", answer("yes"))
    dead = []
    async with console(size) as it:
        for command in commands_for(where):
            for key in keys_of(command):
                await enter(it, where, tmp_path)
                ran.clear()
                before = seen(it)
                await it.press(key)
                if command.id == "quit":  # it comes before everything that has the keys
                    assert it.app.notice == "ends"
                    continue
                assert ran[:1] == [command.id], f"{key} on {where}: ran {ran}"
                assert it.app._exception is None
                moves = not command.listed or command.id in MOVES or command.id == f"view_{where}"
                if not moves and not await changed(it, before):
                    dead.append(f"{key} ({command.id})")
                await comes_back(it, where, key)
    assert not dead, f"nothing is seen to happen on {where}: {', '.join(dead)}"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("where", ROWS)
async def test_every_key_of_an_action(where: str, size: tuple[int, int], ran: list[str], tmp_path: Path) -> None:
    async with console(size) as it:
        for action in ACTIONS:
            for key in [key for key in action.keys if not key.startswith("upper_")]:
                await enter(it, where, tmp_path)
                ran.clear()
                before = seen(it)
                await it.press(key)
                assert ran == [] or ran[0] not in [each.id for each in COMMANDS if key in each.keys]
                assert await changed(it, before), f"{key} ({action.id}) on {where}"
                await comes_back(it, where, key)


@pytest.mark.parametrize("where", EVERYWHERE)
async def test_every_listed_command_is_in_the_palette(where: str, ran: list[str], tmp_path: Path) -> None:
    async with console((80, 24)) as it:
        await enter(it, where, tmp_path)
        screen = it.app.screen
        assert isinstance(screen, ConsoleScreen)
        offered = {entry.label for entry in palette_entries(screen)}
        assert {command.label for command in commands_for(where) if command.listed} <= offered
        if where in ROWS:
            assert {action.label for action in ACTIONS} <= offered


def test_no_view_has_a_key_twice() -> None:
    for replay in (False, True):
        for where in EVERYWHERE:
            taken: dict[str, str] = {}
            actions = [] if replay or where not in ROWS else [(action.id, action.keys) for action in ACTIONS]
            for name, keys in [(each.id, each.keys) for each in commands_for(where, replay=replay)] + actions:
                for key in keys:
                    assert taken.setdefault(key, name) == name, f"{key} on {where}: {taken[key]} and {name}"


def test_every_command_has_somebody_who_does_it() -> None:
    """Each `do_ID` is there, of every screen in its `where` or of the app."""
    screens = {screen.where: screen for screen in _all(ConsoleScreen) if screen.where}
    assert set(EVERYWHERE) <= set(screens)
    for command in COMMANDS:
        for where in command.where:
            app = ReplayApp if command.replay else ConsoleApp
            assert hasattr(screens[where], f"do_{command.id}") or hasattr(app, f"do_{command.id}"), (command.id, where)


def _all(kind: type[ConsoleScreen]) -> list[type[ConsoleScreen]]:
    import importlib
    import pkgutil

    import quarterdeck.tui.screens as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    found = [kind]
    for each in found:
        found += each.__subclasses__()
    return found


@pytest.mark.timeout(240)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("where", ["fleet", "gpus", "alerts", "endpoint", "help"])
async def test_every_key_of_a_recording(
    where: str, size: tuple[int, int], ran: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ReplayApp.action_replay

    def noted(app: ReplayApp, command: str) -> None:
        ran.append(command)
        run(app, command)

    monkeypatch.setattr(ReplayApp, "action_replay", noted)
    recorded(tmp_path / "played.qdrec")
    clock = FrozenClock()
    player = Player(Recording(tmp_path / "played.qdrec"), clock=clock.clock)
    player.read()
    app = ReplayApp(player)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        it = Console(app, pilot, player, clock)  # type: ignore[arg-type]
        for command in commands_for(where, replay=True):
            for key in keys_of(command):
                if getattr(app.screen, "where", "") != where or getattr(app.screen, "typing", False):
                    await it.press("escape")
                    app.do_view_fleet()
                    await pilot.pause()
                    if where == "endpoint":
                        app.open_endpoint(app.fleet.endpoints[0].name)
                    elif where != "fleet":
                        getattr(app, f"do_{where}" if where == "help" else f"do_view_{where}")()
                    await pilot.pause()
                ran.clear()
                await it.press(key)
                assert ran[:1] == [command.id] or command.id == "quit", f"{key} on {where}: ran {ran}"
                assert app._exception is None
                await comes_back(it, where, key)


async def test_while_somebody_types_letters_are_text(ran: list[str], tmp_path: Path, wire: Wire) -> None:
    """In the chat's prompt: of every command whose key is text, the character is typed, and nothing is done."""
    async with console((80, 24)) as it:
        it.app.do_view_chat()
        await it.pilot.pause()
        screen = it.app.screen
        assert isinstance(screen, ChatScreen)
        assert screen.typing
        for command in commands_for("chat"):
            for key in [key for key in keys_of(command) if is_text(key)]:
                ran.clear()
                before = len(screen.prompt.typed)
                await it.press(key)
                assert ran == [], key
                assert len(screen.prompt.typed) == before + 1, key
        await asyncio.sleep(0)
