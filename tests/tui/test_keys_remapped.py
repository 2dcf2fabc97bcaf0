"""Other keys for commands: they work, the old ones don't, what is wrong is named, and everything that tells of keys tells of these."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chat_fakes import FakeDesk, Wire, answer, wire
from console_driver import Console
from fakes import FrozenClock
from quarterdeck.config.keymap import Wish
from quarterdeck.config.load import loads
from quarterdeck.model.actions import ACTIONS
from quarterdeck.tui.app import ConsoleApp
from quarterdeck.tui.commands import COMMANDS, EVERYWHERE, commands_for, with_keys
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.keys.keymap import KeyTable, action_name, everything, key_table
from quarterdeck.tui.keys.saying_keys import SENTENCES, as_written, told
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.screens.chat import ChatScreen
from quarterdeck.tui.screens.palette import palette_entries

__all__ = ["wire"]
SOURCE = Path(__file__).parents[2] / "src/quarterdeck"


def wishes(text: str) -> tuple[Wish, ...]:
    loaded = loads(text, Path("fleet.toml"))
    assert loaded.problems == ()
    return loaded.config.keys


def table(text: str) -> KeyTable:
    return key_table(wishes(text))


@asynccontextmanager
async def console(text: str, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Console]:
    from dataclasses import replace

    desk = FakeDesk(FrozenClock())
    app = ConsoleApp(replace(desk.fleet, keys=wishes(text)), make_engine=lambda _: desk, clock=desk.frozen.clock)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield Console(app, pilot, desk, desk.frozen)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


# --- the table ------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_for() -> None:
    keys = key_table(())
    assert keys.problems == ()
    for where in EVERYWHERE:
        assert commands_for(where, keys=keys) == commands_for(where)


def test_everywhere_or_on_one_view() -> None:
    keys = table(
        '[keys]\nsort = ["o", "ctrl+o"]\npull = "ctrl+g"\ncp = "f4"\n[keys.gpus]\nsort = "i"\n[keys.fleet]\npause = []\n'
    )
    assert keys.problems == ()
    known = {named.name: named for named in everything()}
    assert keys.keys(known["sort"], "fleet").names == ("o", "ctrl+o")
    assert keys.keys(known["sort"], "fleet").shown == "o ^O"
    assert keys.keys(known["sort"], "gpus").shown == "i"
    assert keys.keys(known["pause"], "fleet").names == ()
    assert keys.keys(known["pause"], "gpus").names == ("p",)
    assert keys.origin(known["sort"], "gpus") == "fleet.toml:6"
    assert keys.origin(known["refresh"], "gpus") == ""
    assert keys.action_of("ctrl+g", "fleet") == next(each for each in ACTIONS if each.id == "pull")
    assert keys.action_of("P", "fleet") is None
    copy = keys.action_of("f4", "model")
    assert copy is not None
    assert copy.id == "copy"


def test_two_commands_change_their_keys() -> None:
    keys = table('[keys]\nrefresh = "p"\npause = "r"\n')
    assert keys.problems == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('refersh = "x"', 'fleet.toml:2: keys.refersh: no command is called that; did you mean "refresh"?'),
        ('sort = "spcae"', 'fleet.toml:2: keys.sort: unknown key "spcae"; did you mean "space"?'),
        ('sort = "ctr+o"', 'fleet.toml:2: keys.sort: unknown key "ctr+o"; did you mean "ctrl+o"?'),
        (
            'copy = "r"',
            'fleet.toml:2: keys.copy: "r" is refresh (Refresh) already on view fleet; '
            "copy (Copy to the clipboard) keeps the keys it had",
        ),
        (
            'sort = "shift+p"',
            'fleet.toml:2: keys.sort: "shift+p" is pull (Pull) already on view fleet; sort (Sort) keeps the keys it had',
        ),
        (
            'sort = "o"\nfilter = "o"',
            'fleet.toml:3: keys.filter: "o" is sort (Sort) already on view fleet; filter (Filter) keeps the keys it had',
        ),
        ('[keys.flete]\nsort = "o"', 'fleet.toml:3: keys.flete.sort: no view is called that; did you mean "fleet"?'),
        (
            '[keys.gpu]\nsort = "o"',
            "fleet.toml:3: keys.gpu.sort: sort isn't there; it is in: fleet, gpus, models, alerts, jobs",
        ),
        ('sort = "ctrl+c"', 'fleet.toml:2: keys.sort: "ctrl+c" is always quit'),
        ('sort = "esc"', 'fleet.toml:2: keys.sort: "escape" is always back'),
        ("help = []", "fleet.toml:2: keys.help: it needs a key: without help nobody finds the other commands"),
        ('palette = ""', "fleet.toml:2: keys.palette: it needs a key: without palette nobody finds the other commands"),
    ],
)
def test_what_is_wrong_is_left_out_and_named(text: str, said: str) -> None:
    keys = table(f"[keys]\n{text}\n")
    assert keys.problems == (said,)
    wrong = [line.partition(" ")[0] for line in text.splitlines()][-1]
    for command in COMMANDS:
        if command.id == wrong:
            assert [keys.command(command, where) for where in command.where] == [command] * len(command.where)


@pytest.mark.parametrize("name", ["back", "quit"])
def test_the_way_out_stays(name: str) -> None:
    (said,) = table(f'[keys]\n{name} = "f9"\n').problems
    assert "must be among its keys" in said
    key = "escape" if name == "back" else "ctrl+c"
    assert table(f'[keys]\n{name} = ["f9", "{key}"]\n').problems == ()


def test_every_name_is_of_one_thing() -> None:
    names = [named.name for named in everything()]
    assert len(names) == len(set(names))
    assert {action_name(action) for action in ACTIONS} <= set(names)


def test_every_command_can_have_another_key() -> None:
    """One at a time: a key that nobody has is taken by all, wherever they are."""
    for named in everything():
        kept = {"quit": ', "ctrl+c"', "back": ', "escape"'}.get(named.name, "")
        keys = table(f'[keys]\n{named.name} = ["f12"{kept}]\n')
        assert keys.problems == ()
        assert all("f12" in keys.keys(named, where).names for where in named.where)


# --- the console ----------------------------------------------------------------------------------------------------


async def test_the_new_key_works_and_the_old_one_does_not() -> None:
    async with console('[keys]\nsort = "o"\nview_gpus = ["G", "f2"]\nbottom = "end"\n') as it:
        await it.press("s")
        assert "sorted" not in it.app.notice
        await it.press("o")
        assert it.app.notice.startswith("sorted") or "order" in it.app.notice, it.app.notice
        await it.press("G")
        assert getattr(it.app.screen, "where", "") == "gpus"
        await it.press("escape", "f2")
        assert getattr(it.app.screen, "where", "") == "gpus"


async def test_the_key_of_an_action_of_a_dialog_and_of_the_hints() -> None:
    async with console('[keys]\npull = "ctrl+g"\nact = "m"\nhelp = "f1"\nsort_memory = []\n') as it:
        assert "f1" in it.text.splitlines()[-1].lower()
        assert "m act" in it.text.splitlines()[-1]
        await it.press("P")
        assert len(it.app.screen_stack) == 1
        await it.press("ctrl+g")
        await it.sees("Pull")
        await it.press("escape", "m")
        await it.sees("^G")
        await it.press("escape", "f1")
        assert getattr(it.app.screen, "where", "") == "help"


async def test_the_palette_tells_of_them() -> None:
    async with console('[keys]\nrefresh = "f5"\npull = "f6"\n') as it:
        screen = it.app.screen
        assert isinstance(screen, ConsoleScreen)
        asides = {entry.label: entry.aside for entry in palette_entries(screen)}
        assert asides["Refresh"] == "F5"
        assert asides["Pull"] == "F6"


def test_the_help_tells_of_them_and_of_those_of_the_view() -> None:
    keys = table('[keys]\nrefresh = "f5"\npalette = "f3"\n[keys.gpus]\nrefresh = "f6"\npause = []\n')
    fleet = [line.text for line in help_lines(100, "fleet", keys=keys)]
    gpus = [line.text for line in help_lines(100, "gpus", keys=keys)]
    assert any(line.startswith("  F5 ") and "Ask everybody" in line for line in fleet)
    assert any(line.startswith("  F6 ") and "Ask everybody" in line for line in gpus)
    assert not any("Stop polling" in line for line in gpus)
    assert gpus[-1] == "  All commands: F3"


def test_hints_follow_the_table() -> None:
    keys = table('[keys]\nearlier = "b"\nrefresh = []\n')
    given = (("earlier later", "cursor"), ("refresh", "ask"), ("@path", "attach"))
    assert with_keys(given, "endpoint") == (("← →", "cursor"), ("r", "ask"), ("@path", "attach"))
    assert with_keys(given, "endpoint", keys) == (("b →", "cursor"), ("@path", "attach"))


async def test_problems_stand_in_the_banner() -> None:
    async with console('[keys]\nrefersh = "x"\n') as it:
        assert 'fleet.toml:2: keys.refersh: no command is called that; did you mean "refresh"?' in it.text


async def test_the_chat_writes_with_its_own_keys(wire: Wire) -> None:
    wire.on("lab", answer("yes"))
    async with console(
        '[keys]\nsubmit = "ctrl+d"\nwrite = "f7"\n[keys.chat]\npage_up = "f9"\nhelp = "h"\nprevious_column = "left"\n'
    ) as it:
        await it.press("4")
        screen = it.app.screen
        assert isinstance(screen, ChatScreen)
        await it.press("h", "i", "enter")
        assert screen.prompt.typed == "hi\n", "Enter is a new line now"
        assert wire.asked == []
        await it.press("backspace", "ctrl+d")
        await it.sees("yes")
        assert wire.prompts("lab") == ["hi"]
        await it.press("f7")
        assert not screen.typing
        await it.press("h")
        assert getattr(it.app.screen, "where", "") == "help"


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentences_that_name_keys_are_said_somewhere(sentence: str) -> None:
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "saying_keys.py")
    assert as_written(sentence) in source


def test_sentences_follow_the_table() -> None:
    keys = table('[keys]\nview_jobs = "f6"\nresume_job = "f7"\nmaximise = []\n')
    assert told("qwen3 is job abcde; 6 shows it", "fleet", keys) == "qwen3 is job abcde; F6 shows it"
    assert told("16 shows it", "fleet", keys) == "16 shows it"
    assert told("Somebody stopped it. R goes on.", "jobs", keys) == "Somebody stopped it. F7 goes on."
    assert told("what was answered is kept, R goes on", "cases", keys) == "what was answered is kept, R goes on"
    assert told("the GPUs alone; e goes on", "gpus", keys) == "the GPUs alone; “Maximise” (:) goes on"
    assert told("PAUSED p resumes", "fleet", keys) == "PAUSED p resumes"


async def test_the_status_line_says_the_new_key() -> None:
    async with console('[keys]\npause = "f8"\nmaximise = "f9"\n') as it:
        await it.press("f8")
        assert "PAUSED F8 resumes" in it.text
        await it.press("f9")
        assert "F9 goes on" in it.text


async def test_no_keys_cost_nothing() -> None:
    async with console("") as it:
        assert it.app.key_table is None


@pytest.mark.parametrize(
    ("fleet", "keys"),
    [("fleet.toml", "keys.toml"), ("/srv/fleet.toml", "/home/u/keys.toml"), ("/a/fleet.toml", "/home/u/keys.toml")],
)
def test_a_key_that_both_files_give_away_is_the_one_of_keys_toml_wherever_they_are(fleet: str, keys: str) -> None:
    table = key_table((Wish("copy", ("f7",), "", f"{fleet}:3"), Wish("save", ("f7",), "", f"{keys}:1")))
    assert [text.partition(" ")[0] for text in table.problems] == [f"{fleet}:3:"]
