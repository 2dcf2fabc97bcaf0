"""Whatever colours a terminal has, or none: text can be read on its ground, and what is selected is seen."""

from __future__ import annotations

import os
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console as RichConsole
from rich.style import Style
from textual.color import Color
from textual.theme import BUILTIN_THEMES, Theme

from console_driver import console
from fakes import config
from gpu_fleets import full_gpu
from in_terminal import in_terminal
from quarterdeck.model.alerts.alert import Severity
from quarterdeck.model.fleet import State
from quarterdeck.model.gpu import Ecc, Xid
from quarterdeck.model.job import JobState
from quarterdeck.model.models import ModelState
from quarterdeck.tui.alerts.lines import CLEARED
from quarterdeck.tui.alerts.lines import LOOKS as ALERTS
from quarterdeck.tui.colors import themes
from quarterdeck.tui.colors.few_colors import adapted
from quarterdeck.tui.colors.ink import Ink
from quarterdeck.tui.colors.legible import MARKS, TEXT, another_ground, brightens, contrast, few, legible, number, shown
from quarterdeck.tui.gpus.scene import marks
from quarterdeck.tui.jobs.lines import LOOKS as JOBS
from quarterdeck.tui.lines import ACCENT, BAD, FAINT, MUTED, PLAIN, STRONG, TITLE, WARN
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.states import LOOKS, WAITING
from quarterdeck.tui.terminal import charset

OURS = sorted(path.stem for path in themes.packaged_folder().glob("*.toml"))
SYSTEMS = [ColorSystem.STANDARD, ColorSystem.EIGHT_BIT]
GROUNDS = ("", "head", "selected", "box")
TEXTS = [PLAIN, MUTED, STRONG, ACCENT, TITLE, WARN, BAD, *(seen.tone for seen in LOOKS.values())]
TEXTS += [f"{seen.tone}-word" for seen in LOOKS.values()]
RGB = st.tuples(*[st.integers(0, 255)] * 3).map(lambda parts: Color(*parts))
HERE = Path(__file__).parent


def theme_of(name: str) -> Theme:
    return themes.load(name, [themes.packaged_folder()]).theme


def ink_of(theme: Theme, system: ColorSystem | None) -> Ink:
    seen = theme if system is None else adapted(theme, system)
    return Ink({**seen.to_color_system().generate(), **themes.all_variables(seen)}, colours=system)


def seen_on(style: Style, system: ColorSystem | None) -> tuple[Color, Color]:
    """Ink and ground, as the terminal shows them."""
    found = []
    for color in (style.color, style.bgcolor):
        assert color is not None
        found.append(shown(Color(*color.get_truecolor()), system))
    return found[0], found[1]


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
@pytest.mark.parametrize("name", [*OURS, *(name for name, theme in BUILTIN_THEMES.items() if not theme.ansi)])
def test_text_can_be_read_on_few_colours(name: str, system: ColorSystem) -> None:
    ink = ink_of(theme_of(name), system)
    for ground in GROUNDS:
        for tone in TEXTS:
            text, behind = seen_on(ink.style(tone, ground), system)
            assert contrast(text, behind) >= TEXT, (tone, ground, text.hex, behind.hex)
        for tone in (FAINT, "bar-used", "bar-memory"):
            assert contrast(*seen_on(ink.style(tone, ground), system)) >= MARKS, (tone, ground)


@pytest.mark.parametrize("name", [name for name, theme in BUILTIN_THEMES.items() if not theme.ansi])
def test_text_can_be_read_in_textuals_themes(name: str) -> None:
    ink = ink_of(theme_of(name), None)
    for ground in GROUNDS:
        for tone in TEXTS:
            assert contrast(*seen_on(ink.style(tone, ground), None)) >= TEXT - 0.01, (tone, ground)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_the_selected_row_is_seen_on_few_colours(name: str, system: ColorSystem) -> None:
    ink = ink_of(theme_of(name), system)
    grounds = {ground: seen_on(ink.style("", ground), system)[1].rgb for ground in GROUNDS}
    assert grounds["selected"] not in (grounds[""], grounds["box"])
    assert grounds["head"] != grounds[""] or ink.style("", "head").bold, "a head is told by its ground, or it is bold"


@pytest.mark.parametrize("name", OURS)
def test_of_sixteen_no_grey_is_used_that_may_be_the_ground(name: str) -> None:
    theme = theme_of(name)
    ink = ink_of(theme, ColorSystem.STANDARD)
    for ground in GROUNDS:
        for tone in (*TEXTS, FAINT):
            text, behind = seen_on(ink.style(tone, ground), ColorSystem.STANDARD)
            dark = behind.rgb == (0, 0, 0)
            assert number(text) not in ((8,) if dark else (3, 7, 8)), (tone, ground)


@pytest.mark.parametrize("name", OURS)
def test_bold_does_not_brighten_text_away(name: str) -> None:
    ink = ink_of(theme_of(name), ColorSystem.STANDARD)
    for ground in GROUNDS:
        for tone in TEXTS:
            style = ink.style(tone, ground)
            if style.bold:
                assert not brightens(*seen_on(style, ColorSystem.STANDARD), ColorSystem.STANDARD)


@pytest.mark.parametrize("name", ["ansi-dark", "ansi-light"])
@pytest.mark.parametrize("system", [None, *SYSTEMS])
def test_a_theme_of_the_terminals_own_colours_stays_so(name: str, system: ColorSystem | None) -> None:
    ink = ink_of(theme_of(name), system)
    assert ink.style("", "selected").reverse
    assert not ink.style("", "").reverse
    for tone in TEXTS:
        color = ink.style(tone, "").color
        assert color is not None
        assert color.triplet is None, "none that the terminal didn't choose"


@given(RGB, RGB, st.sampled_from([None, *SYSTEMS]))
def test_what_is_legible_can_be_read(wanted: Color, ground: Color, system: ColorSystem | None) -> None:
    text, behind = shown(legible(wanted, [ground], system), system), shown(ground, system)
    best = max(contrast(shown(end, system), behind) for end in (Color(0, 0, 0), Color(255, 255, 255)))
    assert contrast(text, behind) >= min(TEXT, best) - 1e-9


@given(RGB, RGB)
def test_what_can_be_read_is_left_alone(wanted: Color, ground: Color) -> None:
    if contrast(wanted, ground) >= TEXT:
        assert legible(wanted, [ground]) == wanted


@given(RGB, st.lists(RGB, max_size=3), st.sampled_from(SYSTEMS), st.booleans())
def test_another_ground_is_another(wanted: Color, others: list[Color], system: ColorSystem, dark: bool) -> None:
    end = shown(Color(255, 255, 255) if dark else Color(0, 0, 0), system).rgb
    found = shown(another_ground(wanted, others, system, dark=dark), system).rgb
    assert found not in {shown(other, system).rgb for other in others} or found == end


def test_contrast_is_that_of_the_rule() -> None:
    assert contrast(Color(0, 0, 0), Color(255, 255, 255)) == pytest.approx(21)
    assert contrast(Color(119, 119, 119), Color(255, 255, 255)) == pytest.approx(4.48, abs=0.01)


# ---- what a terminal says of itself


@pytest.mark.parametrize(
    ("term", "colorterm", "system"),
    [
        ("xterm", None, ColorSystem.STANDARD),
        ("linux", None, ColorSystem.STANDARD),
        ("screen", None, ColorSystem.STANDARD),
        ("xterm-256color", None, ColorSystem.EIGHT_BIT),
        ("screen-256color", None, ColorSystem.EIGHT_BIT),
        ("tmux-256color", "truecolor", None),
        ("xterm-kitty", None, None),
        ("alacritty", None, None),
        ("foot", "", None),
        ("xterm-direct", None, None),
    ],
)
def test_colours_of_a_terminal(term: str, colorterm: str | None, system: ColorSystem | None) -> None:
    environ = {"TERM": term} | ({} if colorterm is None else {"COLORTERM": colorterm})
    charset.tell_all_colours(environ)
    found = RichConsole(force_terminal=True, _environ=environ).color_system
    assert few(found) is system


def sent(**environ: str | None) -> str:
    """What the console sends to a real terminal up to its first frame with the fleet in it."""
    known = {**os.environ, "COLORTERM": None, "LC_ALL": None, "LC_CTYPE": None, "LANG": "en_US.UTF-8", **environ}
    clean = {name: value for name, value in known.items() if value is not None}
    with in_terminal([str(HERE / "console_in_pty.py")], environment=clean) as terminal:
        terminal.until("llama-batch")
        terminal.until("age")
        terminal.type("q")
        assert terminal.ended() == 0
        return terminal.output


def parameters(output: str) -> set[str]:
    """Every parameter of every SGR sequence, those of colours with what belongs to them."""
    codes = ";".join(re.findall(r"\x1b\[([\d;]*)m", output))
    return set(re.findall(r"[34]8;(?:2;\d+;\d+;\d+|5;\d+)|\d+", codes))


SIXTEEN = {str(code) for base in (30, 40, 90, 100) for code in range(base, base + 8)}
ATTRIBUTES = {"0", "1", "2", "3", "4", "7", "22", "23", "24", "27", "39", "49"}


@pytest.mark.parametrize("term", ["xterm", "linux", "screen", "xterm-16color"])
def test_a_terminal_with_sixteen_colours_gets_no_others(term: str) -> None:
    used = parameters(sent(TERM=term))
    assert used <= SIXTEEN | ATTRIBUTES
    assert "90" not in used, "dark grey is the background in many palettes"
    assert {"30", "47"} <= used, "the selected row"


def test_a_terminal_with_256_colours_gets_those() -> None:
    used = parameters(sent(TERM="xterm-256color"))
    assert not any(code.startswith(("38;2", "48;2")) for code in used)
    assert any(code.startswith("38;5") for code in used)


def test_a_terminal_with_all_colours_gets_all_also_where_ssh_does_not_say_so() -> None:
    assert any(code.startswith("38;2") for code in parameters(sent(TERM="xterm-kitty")))


def test_who_wants_no_colour_gets_none() -> None:
    used = parameters(sent(TERM="xterm-256color", COLORTERM="truecolor", NO_COLOR="1"))
    assert used <= ATTRIBUTES
    assert "7" in used, "the selected row is reversed"


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "C"}, {"LC_ALL": "de_DE.ISO-8859-1"}, {"LC_CTYPE": "ru_RU.KOI8-R"}],
    ids=lambda locale: next(f"{name}={value}" for name, value in locale.items()),
)
def test_a_terminal_that_knows_no_utf8_gets_none(locale: dict[str, str]) -> None:
    output = sent(TERM="xterm-256color", **locale)
    assert output.isascii()
    assert "X DOWN" in re.sub(r"\x1b\[[\d;]*[mH]", "", output)


@pytest.mark.parametrize("locale", [{}, {"LANG": "C.UTF-8"}, {"LANG": None}, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}])
def test_a_terminal_that_knows_utf8_or_says_nothing_gets_it(locale: dict[str, str | None]) -> None:
    assert "✗" in sent(TERM="xterm-256color", **locale)


def test_the_linux_console_gets_what_its_font_has() -> None:
    output = sent(TERM="linux")
    assert not set("✗◐⊘↻◌●▸…–▁▂▃━╾") & set(output)
    assert "■" in output


# ---- no colour at all


@pytest.mark.parametrize(
    ("name", "found", "named"),
    [
        ("states", [*LOOKS.values(), WAITING], len(State) + 1),
        ("models", [model_look(state) for state in ModelState], len(ModelState)),
        ("alerts", [*ALERTS.values(), CLEARED], len(Severity) + 1),
        ("jobs", list(JOBS.values()), len(JobState)),
    ],
    ids=["states", "models", "alerts", "jobs"],
)
def test_every_state_is_told_by_its_text_alone(name: str, found: list[object], named: int) -> None:
    texts = [f"{seen.glyph} {seen.word}" for seen in found]  # type: ignore[attr-defined]
    assert len({*texts}) == named, name
    for one, other in combinations([seen.word for seen in found], 2):  # type: ignore[attr-defined]
        assert one.casefold() != other.casefold(), "and read aloud, by its word"


async def test_without_colour_what_is_selected_is_reversed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with console(configured=config(theme="lisbon-noon")) as it:
        lines = it.app.screen._compositor.render_strips(it.app.size)
        reversed_lines = {
            y for y, strip in enumerate(lines) for part in strip if part.style is not None and part.style.reverse
        }
        assert len(reversed_lines) == 1
        assert "▌" in lines[reversed_lines.pop()].text


def test_every_trouble_of_a_gpu_is_told_by_its_text_alone() -> None:
    found = []
    for trouble in (
        {"lost": True},
        {"at": 9_000.0},
        {"xids": (Xid(79, 9_990.0, "fell off the bus"),)},
        {"ecc": Ecc(0, 2, 0, remap_pending=False, remap_failed=False)},
        {"ecc": Ecc(0, 0, 0, remap_pending=True, remap_failed=False)},
        {"ecc": Ecc(0, 0, 0, remap_pending=False, remap_failed=True)},
        {"throttle": ("power cap",)},
        {"throttle": ("hardware thermal slowdown",)},
        {"temperature_c": 86.0},
    ):
        words = [mark.word for mark in marks(full_gpu(0, **trouble), 10_000.0)]
        assert len(words) == 1, trouble
        found += words
    assert len({*found}) == len(found), found
    assert all(any(letter.isalpha() for letter in word) for word in found)
