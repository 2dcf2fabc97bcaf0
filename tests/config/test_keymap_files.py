"""[keys] and keys.toml as they are written: which counts, what is wrong, and what people call keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.config import keymap
from quarterdeck.config import load as loading
from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.keymap import Wish, read_file
from quarterdeck.config.keynames import is_text, read_key, read_keys
from quarterdeck.config.load import keys_file, load, loads
from quarterdeck.config.render import render_config


@pytest.mark.parametrize(
    ("text", "names", "shown"),
    [
        ("x", ("x",), "x"),
        ("G", ("G", "upper_g"), "G"),
        ("shift+g", ("G", "upper_g"), "G"),
        ("?", ("question_mark",), "?"),
        ("question_mark", ("question_mark",), "?"),
        ("ctrl+s", ("ctrl+s",), "^S"),
        ("Ctrl + S", ("ctrl+s",), "^S"),
        ("^s", ("ctrl+s",), "^S"),
        ("shift+f3", ("shift+f3", "f15"), "⇧F3"),
        ("shift+tab", ("shift+tab",), "⇧Tab"),
        ("ctrl+shift+left", ("ctrl+shift+left",), "^⇧←"),
        ("space", ("space",), "Space"),
        (" ", ("space",), "Space"),
        ("+", ("plus",), "+"),
        ("alt+x", ("alt+x",), "Alt+x"),
        ("alt+X", ("alt+shift+x",), "Alt+X"),
        ("f5", ("f5",), "F5"),
        ("PgUp", ("pageup",), "PgUp"),
        ("return", ("enter",), "Enter"),
        ("ctrl+m", ("enter",), "Enter"),
        ("ctrl+i", ("tab",), "Tab"),
        ("ctrl+[", ("escape",), "Esc"),
        ("ctrl+space", ("ctrl+at",), "^Space"),
        ("é", ("é",), "é"),
    ],
)
def test_keys_as_people_write_them(text: str, names: tuple[str, ...], shown: str) -> None:
    key = read_key(text)
    assert (key.names, key.shown) == (names, shown)


@pytest.mark.parametrize(
    "text", ["", "spcae", "ctrl+", "shift+?", "ctrl+1", "ctrl++", "foo bar", "\x1b", "f25", "shift+space"]
)
def test_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match=r"key|send|sign"):
        read_key(text)


@given(st.text(max_size=30))
def test_any_text_is_a_key_or_named(text: str) -> None:
    try:
        key = read_key(text)
    except ValueError:
        return
    assert key.names
    assert key.shown


def test_which_keys_are_text() -> None:
    assert all(is_text(name) for text in ("x", "G", "?", "/", "space", "日") for name in read_keys((text,)).names)
    assert not any(is_text(name) for name in read_keys(("ctrl+s", "f5", "enter", "up", "alt+x", "shift+f3")).names)


def test_the_table() -> None:
    loaded = loads(
        '[keys]\nsort = "o"\ncopy = ["y", "f2"]\nmark = []\npin = ""\n[keys.fleet]\nsort = "i"\n', Path("fleet.toml")
    )
    assert loaded.problems == ()
    assert loaded.config.keys == (
        Wish("sort", ("o",), "", "fleet.toml:2"),
        Wish("copy", ("y", "f2"), "", "fleet.toml:3"),
        Wish("mark", (), "", "fleet.toml:4"),
        Wish("pin", (), "", "fleet.toml:5"),
        Wish("sort", ("i",), "fleet", "fleet.toml:7"),
    )
    again = loads(render_config(loaded.config), Path("fleet.toml"))
    assert again.problems == ()
    assert [wish[:3] for wish in again.config.keys] == [wish[:3] for wish in loaded.config.keys]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[keys]\nsort = 3\n", "fleet.toml:2: keys.sort: expected a key"),
        ('[keys]\nsort = ["o", 3]\n', "fleet.toml:2: keys.sort: expected a key"),
        ('[keys]\nsort = ["o", ""]\n', "fleet.toml:2: keys.sort: expected a key"),
        ('[keys.fleet.more]\nsort = "o"\n', "fleet.toml:2: keys.fleet.more.sort: expected a key"),
        ('[keys.fleet.more]\n[keys.fleet.more.yet]\nsort = "o"\n', "keys.fleet.more.yet: expected a key"),
        ('keys = "o"\n', "fleet.toml:1: keys: expected a table: [keys], got a string"),
    ],
)
def test_other_forms_are_named(text: str, said: str) -> None:
    loaded = loads(text, Path("fleet.toml"))
    assert loaded.config.keys == ()
    (problem,) = map(str, loaded.problems)
    assert said in problem
    assert not loaded.config.console.read_only, "a key is no right to act"


def test_a_table_of_another_name_may_have_meant_it() -> None:
    (problem,) = loads('[keymap]\nsort = "o"\n', Path("fleet.toml")).problems
    assert "did you mean [keys]?" in str(problem)


def read(config: FleetConfig, folder: Path) -> keymap.Written:
    path = keys_file(config, folder)
    return keymap.Written() if path is None else read_file(path)


def test_keys_toml_beside_the_fleet_file_or_of_the_user(tmp_path: Path) -> None:
    fleet, user = tmp_path / "fleet", tmp_path / "user"
    fleet.mkdir()
    user.mkdir()
    (fleet / "fleet.toml").write_text('[keys]\nsort = "i"\n')
    config = load(fleet / "fleet.toml").config
    assert read(config, user) == keymap.Written()
    (user / "keys.toml").write_text('sort = "u"\n')
    assert [wish.keys for wish in read(config, user).wishes] == [("u",)]
    assert [wish.keys for wish in read(FleetConfig(), user).wishes] == [("u",)]
    (fleet / "keys.toml").write_text('# mine\nsort = "o"\n[fleet]\ncopy = "f2"\n')
    beside = read(config, user)
    assert beside.wishes == (
        Wish("sort", ("o",), "", f"{fleet}/keys.toml:2"),
        Wish("copy", ("f2",), "fleet", f"{fleet}/keys.toml:4"),
    )
    (fleet / "keys.toml").write_text('[keys]\nsort = "o"\n[keys.fleet]\ncopy = "f2"\n')
    assert [wish[:3] for wish in read(config, user).wishes] == [wish[:3] for wish in beside.wishes]


def test_a_keys_toml_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text("sort = \n")
    found = read_file(tmp_path / "keys.toml")
    assert found.wishes == ()
    assert "keys.toml:1" in str(found.problems[0])


def test_nobody_else_changes_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "keys.toml").write_text('delete = "j"\n')
    (tmp_path / "fleet.toml").write_text('[keys]\ndelete = "j"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: 12_345)
    monkeypatch.setattr(loading, "_ROOT", 54_321)
    found = read_file(tmp_path / "keys.toml")
    assert found.wishes == ()
    assert "another user" in str(found.problems[0])
    loaded = load(environ={})
    assert loaded.config.keys == ()
    assert "another user" in str(loaded.problems[0])


@pytest.mark.parametrize("text", ["^İ", "ctrl+İ", "^İİ"])
def test_a_letter_that_is_two_in_small_letters_is_no_key_with_ctrl(text: str) -> None:
    with pytest.raises(ValueError, match="unknown key"):
        read_key(text)


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=4),
    st.sampled_from(["", "^", "ctrl+", "alt+", "shift+"]),
)
def test_any_text_is_a_key_or_said_to_be_none(text: str, before: str) -> None:
    try:
        assert read_keys((before + text,)).names
    except ValueError as error:
        told = str(error)
        assert told
