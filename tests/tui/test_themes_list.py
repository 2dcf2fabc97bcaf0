"""Themes are chosen from a list, seen while they are selected, and remembered."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console_driver import Console, console
from fakes import config
from quarterdeck.cli.console import adjusted
from quarterdeck.cli.parser import parse
from quarterdeck.config.fleet import ConsoleSettings, FleetConfig
from quarterdeck.tui import remembered
from quarterdeck.tui.colors import themes
from quarterdeck.tui.colors.theme_choice import remember_theme, theme_at_start
from quarterdeck.tui.colors.theme_list import TEXTUALS, YOURS, listed, names
from quarterdeck.tui.screens.fleet import FleetScreen
from quarterdeck.tui.screens.themes import ThemesScreen

OWN = 'about = "for me"\ndark = false\n[colors]\nprimary = "#aa0000"\nbackground = "#fff0f0"\n'


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's folder: one that is good, one called as ours, one that is broken, and what is no theme at all."""
    folder = tmp_path / "themes"
    folder.mkdir()
    (folder / "mine.toml").write_text(OWN)
    (folder / "cape-storm.toml").write_text(OWN)
    (folder / "broken.toml").write_text("[colors]\nprimary = 'bluish'\n")
    (folder / "two words.toml").write_text(OWN)
    (folder / "folder.toml").mkdir()
    (folder / "gone.toml").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("x")
    return folder


@asynccontextmanager
async def choosing(own: Path, **options: object) -> AsyncIterator[Console]:
    folders = (own, themes.packaged_folder())
    async with console(theme_folders=folders, size=(120, 36), configured=config(**options)) as it:
        it.app.do_theme()
        await it.pilot.pause()
        yield it


def ground(it: Console) -> str:
    """The background that is painted in the top left corner of the table."""
    style = it.app.screen_diff._wanted[2][20][1]
    assert style is not None
    assert style.bgcolor is not None
    return style.bgcolor.get_truecolor().hex.lower()


async def move_to(it: Console, name: str) -> None:
    screen = it.app.screen
    assert isinstance(screen, ThemesScreen)
    by = screen._names.index(name) - screen._items.at
    for _ in range(abs(by)):
        await it.press("down" if by > 0 else "up")


# ---- the list


def test_ours_come_first_then_the_users_then_textuals(own: Path) -> None:
    found = listed((own, themes.packaged_folder()))
    assert [one.name for one in found[:2]] == ["quarterdeck-night", "quarterdeck-day"]
    groups = [one.whose for one in found]
    assert groups == sorted(groups, key=["", YOURS, TEXTUALS].index)
    assert {one.name for one in found if one.whose == YOURS} == {
        "mine",
        "cape-storm",
        "broken",
        "two words",
        "folder",
        "gone",
    }
    assert all(one.about for one in found if one.whose == "")
    assert [one.about for one in found if one.name == "mine"] == ["for me"]
    assert {one.name for one in found if not one.dark} >= {"mine", "cape-storm", "lisbon-noon", "textual-light"}
    known = names((own, themes.packaged_folder()))
    assert {name for name, _ in known} == {one.name for one in found} - {"two words"}
    assert dict(known)["cape-storm"] == YOURS


def test_what_cannot_be_used_says_why(own: Path) -> None:
    problems = {one.name: one.problem for one in listed((own, themes.packaged_folder())) if one.problem}
    assert problems.keys() == {"broken", "two words", "folder", "gone"}
    assert "primary: expected a colour" in problems["broken"]
    assert "letters, digits" in problems["two words"]
    assert "is no file" in problems["folder"]
    assert "leads nowhere" in problems["gone"]


def test_a_folder_that_is_not_there_is_no_matter(tmp_path: Path) -> None:
    assert len(listed((tmp_path / "no", themes.packaged_folder()))) == len(listed((themes.packaged_folder(),)))


# ---- the screen


async def test_moving_shows_each_at_once_and_esc_puts_the_old_one_back(own: Path) -> None:  # key: theme
    async with choosing(own) as it:
        assert it.app.theme == "quarterdeck-night"
        before = ground(it)
        await it.press("down")
        assert it.app.theme == "quarterdeck-day"
        assert ground(it) == "#fbfaf8" != before
        await move_to(it, "mine")
        assert ground(it) == "#fff0f0"
        await it.press("escape")
        assert isinstance(it.app.screen, FleetScreen)
        assert it.app.theme == "quarterdeck-night"
        assert ground(it) == before
        assert remembered.get("theme") is None


async def test_enter_takes_it_and_the_next_console_begins_with_it(own: Path) -> None:
    async with choosing(own) as it:
        await move_to(it, "halifax-fog")
        await it.press("enter")
        assert isinstance(it.app.screen, FleetScreen)
        assert it.app.theme == "halifax-fog"
        assert "theme halifax-fog" in it.text
    async with console(configured=config()) as it:
        assert it.app.theme == "halifax-fog"
        assert not it.app.theme_problems


async def test_one_that_cannot_be_used_is_not_taken_and_the_old_one_is_seen(own: Path) -> None:
    async with choosing(own) as it:
        await move_to(it, "mine")
        await move_to(it, "broken")
        assert it.app.theme == "quarterdeck-night"
        await it.press("enter")
        assert isinstance(it.app.screen, ThemesScreen)
        assert "expected a colour" in " ".join(it.text.split())
        await it.press("escape")
        assert it.app.theme == "quarterdeck-night"


async def test_one_that_breaks_while_the_list_is_open_is_told_of_and_changes_nothing(own: Path) -> None:
    async with choosing(own) as it:
        await move_to(it, "mine")
        (own / "mine.toml").write_text("nonsense")
        await it.press("enter")
        assert "mine.toml" in it.text
        assert remembered.get("theme") is None


async def test_the_users_own_comes_before_ours(own: Path) -> None:
    async with choosing(own) as it:
        it.app.take_theme("cape-storm")
        await it.pilot.pause()
        assert it.app.get_css_variables()["background"].lower() == "#fff0f0"


async def test_a_theme_chosen_again_is_read_again(own: Path) -> None:
    """Who writes one sees it by choosing it."""
    async with choosing(own) as it:
        await it.press("escape")
        it.app.take_theme("mine")
        await it.pilot.pause()
        (own / "mine.toml").write_text(OWN.replace("#fff0f0", "#f0fff0"))
        it.app.take_theme("mine")
        await it.pilot.pause()
        assert ground(it) == "#f0fff0"


async def test_it_opens_in_any_size_and_over_any_screen(own: Path) -> None:
    async with choosing(own) as it:
        for size in ((80, 24), (40, 10), (20, 5), (1, 1), (200, 60)):
            await it.pilot.resize_terminal(*size)
            await it.press("down", "pagedown", "end", "home")
        await it.press("escape", "2")
        it.app.do_theme()
        await it.pilot.pause()
        await it.press("down")
        assert it.app.theme == "quarterdeck-day"
        await it.press("escape")


async def test_the_palette_shows_a_theme_while_it_is_selected() -> None:
    async with console(configured=config(), size=(120, 36)) as it:
        await it.press("colon", *"theme: lisb")
        assert it.app.theme == "lisbon-noon"
        await it.press("escape")
        assert it.app.theme == "quarterdeck-night"
        await it.press("colon", *"theme: lisb", "enter")
        await it.pilot.pause()
        assert it.app.theme == "lisbon-noon"
        await it.press("colon", *"theme: cape")
        assert it.app.theme == "cape-storm"
        await it.press(*["backspace"] * 11)
        assert it.app.theme == "lisbon-noon"
        await it.press("escape")
        assert theme_at_start(config()) == "lisbon-noon"


# ---- what is remembered


def fleet(theme: str | None = None, source: str | None = None, once: str | None = None) -> FleetConfig:
    path = Path(source) if source else None
    return FleetConfig(console=ConsoleSettings(theme=theme), source=path, theme_once=once)


def test_what_wins() -> None:
    assert theme_at_start(fleet()) == "quarterdeck-night"
    assert theme_at_start(fleet("nord", "/a.toml")) == "nord"
    assert remember_theme("lisbon-noon", fleet("nord", "/a.toml")) == ""
    assert theme_at_start(fleet("nord", "/a.toml")) == "lisbon-noon", "the choice, over what the file said then"
    assert theme_at_start(fleet("gruvbox", "/a.toml")) == "gruvbox", "the file was changed since"
    assert theme_at_start(fleet("nord", "/b.toml")) == "nord", "a file that was never overruled"
    assert theme_at_start(fleet(None, "/b.toml")) == "lisbon-noon", "a file that names none"
    assert theme_at_start(fleet(None, "/a.toml")) == "lisbon-noon"
    assert theme_at_start(fleet()) == "lisbon-noon"
    assert theme_at_start(fleet("nord", "/a.toml", "dracula")) == "dracula", "--theme, for this run"
    assert theme_at_start(fleet("nord", "/a.toml")) == "lisbon-noon"
    remember_theme("monokai", fleet(None, "/a.toml"))
    assert theme_at_start(fleet("nord", "/a.toml")) == "nord", "written into the file after the choice"


def test_a_file_changed_and_changed_back_is_overruled_as_before() -> None:
    remember_theme("lisbon-noon", fleet("nord", "/a.toml"))
    assert theme_at_start(fleet("gruvbox", "/a.toml")) == "gruvbox"
    assert theme_at_start(fleet("nord", "/a.toml")) == "lisbon-noon"


def test_the_command_line() -> None:
    asked = adjusted(fleet("nord", "/a.toml"), parse(["--theme", "dracula", "--ascii"]))
    assert theme_at_start(asked) == "dracula"
    assert asked.console.ascii is True
    plain = adjusted(fleet("nord", "/a.toml"), parse([]))
    assert plain == fleet("nord", "/a.toml")
    assert plain.console.ascii is None
    for command in (["demo", "--theme", "x", "--ascii"], ["replay", "f", "--theme", "x", "--ascii"]):
        arguments = parse(command)
        assert (arguments.theme, arguments.ascii) == ("x", True)


def test_not_more_files_than_a_hundred_are_kept() -> None:
    for number in range(130):
        remember_theme("nord", fleet("x", f"/{number}.toml"))
    kept = remembered.get("theme")
    assert isinstance(kept, dict)
    assert len(kept["instead_of"]) == 100
    assert "/129.toml" in kept["instead_of"]


async def test_a_theme_that_is_gone_is_a_line_and_the_default(own: Path) -> None:
    remember_theme("mine", config())
    (own / "mine.toml").unlink()
    async with console(theme_folders=(own, themes.packaged_folder()), configured=config()) as it:
        assert it.app.theme == "quarterdeck-night"
        assert 'there is no theme "mine"; using quarterdeck-night' in it.text


def test_values_are_kept_by_name_for_the_owner_only() -> None:
    assert remembered.get("hint") is None
    assert remembered.put("hint", {"seen": 3}) == ""
    assert remembered.put("theme", "x") == ""
    assert remembered.get("hint") == {"seen": 3}
    assert remembered.put("hint", None) == ""
    assert remembered.get("hint") is None
    assert remembered.get("theme") == "x"
    file = remembered.path()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert {each.name for each in file.parent.iterdir()} == {"console.json", "console.lock"}


@given(
    st.binary(max_size=300) | st.sampled_from([b"[]", b"7", b"null", b"[" * 9_000, b'{"theme": [1]}', b"x" * 70_000])
)
def test_a_file_of_somebody_elses_is_as_good_as_none(data: bytes) -> None:
    file = remembered.path()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    found = remembered.get("theme")
    assert theme_at_start(fleet()) == "quarterdeck-night" or isinstance(found, dict)
    assert remember_theme("nord", fleet()) == ""
    assert theme_at_start(fleet()) == "nord"


@pytest.mark.parametrize(
    "kept",
    [3, "x", [], {"name": 3}, {"name": "nord", "instead_of": [1]}, {"name": "n" * 999}, {"instead_of": {"/a.toml": 4}}],
)
def test_a_choice_of_another_shape_is_none(kept: object) -> None:
    remembered.put("theme", kept)
    assert theme_at_start(fleet("gruvbox", "/a.toml")) == "gruvbox"
    assert theme_at_start(fleet()) in ("quarterdeck-night", "nord")


def test_a_pipe_in_the_place_of_the_file_holds_nobody_up() -> None:
    remembered.path().parent.mkdir(parents=True)
    os.mkfifo(remembered.path())
    assert remembered.get("theme") is None
    assert remembered.put("theme", "x") == ""
    assert remembered.get("theme") == "x"


def test_what_cannot_be_written_says_why_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert remembered.put("theme", "x") != ""
    assert remembered.get("theme") is None


def test_two_at_once_lose_nothing() -> None:
    threads = [
        threading.Thread(target=lambda key=f"key{number}": [remembered.put(key, each) for each in range(8)])
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = json.loads(remembered.path().read_text())
    assert kept == {f"key{number}": 7 for number in range(6)}
