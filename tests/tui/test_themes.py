from __future__ import annotations

import re
from pathlib import Path

import pytest
from textual.color import Color
from textual.theme import BUILTIN_THEMES

from quarterdeck.model.fleet import State
from quarterdeck.tui.colors import themes
from quarterdeck.tui.colors.ink import Ink
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, MUTED, PLAIN, STRONG, TITLE, WARN
from quarterdeck.tui.states import LOOKS

OURS = sorted(path.stem for path in themes.packaged_folder().glob("*.toml"))
GROUNDS = ("background", "ground-head", "ground-selected")


def ours(name: str) -> dict[str, str]:
    theme = themes.load(name, [themes.packaged_folder()]).theme
    return {**theme.to_color_system().generate(), **theme.variables}


def contrast(ink: str, ground: str) -> float:
    def luminance(colour: str) -> float:
        parts = [part / 255 for part in Color.parse(colour).rgb]
        r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_there_are_dark_and_light_ones() -> None:
    loaded = [themes.load(name, [themes.packaged_folder()]) for name in OURS]
    assert not any(one.problem for one in loaded)
    assert {one.theme.name for one in loaded if not one.theme.dark} == {
        "lisbon-noon",
        "quarterdeck-day",
        "reykjavik-frost",
    }
    assert len(loaded) == 8


@pytest.mark.parametrize("name", OURS)
def test_ours_set_every_variable(name: str) -> None:
    theme = themes.load(name, [themes.packaged_folder()]).theme
    assert set(theme.variables) == themes.VARIABLES
    assert set(themes.derived_variables(theme)) == themes.VARIABLES


@pytest.mark.parametrize("name", OURS)
def test_text_can_be_read_on_every_ground(name: str) -> None:
    colours = ours(name)
    states = [f"state-{state.value.lower()}" for state in State]
    for ground in GROUNDS:
        for ink in ("ink", "ink-strong", "ink-muted", "ink-accent", *states):
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["ink-faint"], colours[ground]) >= 2.2, ground


@pytest.mark.parametrize("name", [*OURS, "textual-dark", "textual-light", "nord", "gruvbox", "textual-ansi"])
def test_every_tone_has_a_style_in_every_theme(name: str) -> None:
    theme = themes.load(name, [themes.packaged_folder()]).theme
    variables = {**themes.derived_variables(theme), **theme.to_color_system().generate(), **theme.variables}
    ink = Ink(variables)
    tones = [PLAIN, MUTED, FAINT, STRONG, ACCENT, TITLE, WARN, BAD, "bar-used", "bar-memory", "bar-rest"]
    tones += [tone for seen in LOOKS.values() for tone in (seen.tone, seen.tone + "-word")]
    for tone in tones:
        for ground in ("", "head", "selected", "box"):
            assert ink.style(tone, ground).color is not None


def test_without_colour_the_selected_row_is_reversed() -> None:
    ink = Ink(ours("quarterdeck-night"), no_color=True)
    assert ink.style("", "selected").reverse
    assert not ink.style("", "").reverse


def test_a_users_own_theme_comes_before_ours(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck-night.toml").write_text('dark = true\n[colors]\nprimary = "#ff0000"\n')
    loaded = themes.load("quarterdeck-night", [tmp_path, themes.packaged_folder()])
    assert loaded.theme.primary == "#ff0000"
    assert not loaded.problem


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dark = ", "Invalid value"),
        ("\udcff", "utf-8"),
        ('[colors]\nprimary = "bluish"', "primary: expected a colour"),
        ("[colors]\nprimary = 7", "primary: expected a colour"),
        ("colors = 3", "[colors] must be a table"),
        ("[colors]", 'needs at least "primary"'),
        ('[colors]\nprimary = "#fff"\nprimry = "#fff"', 'unknown key "primry"'),
        ('[colours]\nprimary = "#fff"', 'unknown key "colours"'),
        ("x = 1\n" * 30_000, "too large"),
        ("x = " + "[" * 20_000, "nested too deeply"),
        ("x = " + "9" * 5_000, "digits"),
    ],
)
def test_a_broken_theme_is_one_message_and_the_default(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    loaded = themes.load("mine", [tmp_path, themes.packaged_folder()])
    assert loaded.theme.name == "quarterdeck-night"
    assert str(path) in loaded.problem
    assert told in loaded.problem
    assert "using quarterdeck-night" in loaded.problem


@pytest.mark.parametrize("name", ["nowhere", "../../etc/passwd", "", "a/b"])
def test_a_missing_theme_is_one_message(name: str, tmp_path: Path) -> None:
    loaded = themes.load(name, [tmp_path, themes.packaged_folder()])
    assert loaded.theme.name == "quarterdeck-night"
    assert re.search("there is no theme", loaded.problem)


def test_where_even_the_default_is_broken_there_is_textuals(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck-night.toml").write_text("nonsense")
    loaded = themes.load("quarterdeck-night", [tmp_path])
    assert loaded.theme is BUILTIN_THEMES["textual-dark"]
    assert loaded.problem
