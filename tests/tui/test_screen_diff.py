"""After every update the terminal shows what Textual meant it to show, and was sent no more than that."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from quarterdeck.tui.screen_diff import ScreenDiff, cells_of, changed_ranges

SIZE = Size(12, 3)
CONSOLE = Console(file=io.StringIO(), color_system="truecolor", force_terminal=True)
TEXT = st.text(alphabet="ab 日🚀é", min_size=SIZE.width, max_size=SIZE.width)
SCREENS = st.lists(st.tuples(TEXT, st.sampled_from(["red", "blue"])), min_size=SIZE.height, max_size=SIZE.height)


def strips(screen: Iterable[tuple[str, str]]) -> list[Strip]:
    return [Strip([Segment(text, Style(color=colour))]).adjust_cell_length(SIZE.width) for text, colour in screen]


class Emulator:
    """Just enough of a terminal: moves the cursor, remembers characters with their colours."""

    def __init__(self) -> None:
        self.cells = [[("?", "")] * SIZE.width for _ in range(SIZE.height)]

    def feed(self, data: str) -> None:
        x = y = 0
        colour = ""
        for move, style, character in re.findall(r"\x1b\[(\d+;\d+)H|\x1b\[([\d;]*)m|([^\x1b])", data):
            if move:
                y, x = (int(part) - 1 for part in move.split(";"))
            elif character:
                width = cell_len(character)
                self.cells[y][x : x + width] = [(character, colour), ("", colour)][:width]
                x += width
            else:
                colour = "" if style in ("", "0") else style


def shown(screen: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    emulator = Emulator()
    for y, strip in enumerate(strips(screen)):
        emulator.feed(f"\x1b[{y + 1};1H{strip.render(CONSOLE)}")
    return emulator.cells


def full(screen: Iterable[tuple[str, str]]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips(screen)], SIZE.region)


def partial(screen: Iterable[tuple[str, str]], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    return ChopsUpdate([{0: strip} for strip in strips(screen)], spans, [[SIZE.width]] * SIZE.height)


@given(st.lists(SCREENS, min_size=1, max_size=4))
def test_the_terminal_shows_the_last_screen(screens: list[list[tuple[str, str]]]) -> None:
    diff, terminal = ScreenDiff(), Emulator()
    for screen in screens:
        terminal.feed(diff.cut_down(full(screen), SIZE).render_segments(CONSOLE))
        assert terminal.cells == shown(screen)


@given(SCREENS, SCREENS)
def test_a_partial_update_of_everything_is_the_screen(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    diff, terminal = ScreenDiff(), Emulator()
    terminal.feed(diff.cut_down(full(before), SIZE).render_segments(CONSOLE))
    spans = [(y, 0, SIZE.width) for y in range(SIZE.height)]
    terminal.feed(diff.cut_down(partial(after, spans), SIZE).render_segments(CONSOLE))
    assert terminal.cells == shown(after)


def test_what_the_terminal_shows_already_is_not_sent() -> None:
    screen = [("aaaaaaaaaaaa", "red")] * 3
    diff = ScreenDiff()
    assert diff.cut_down(full(screen), SIZE).render_segments(CONSOLE)
    assert diff.cut_down(full(screen), SIZE).render_segments(CONSOLE) == ""


def test_of_a_line_only_the_cells_that_changed_are_sent() -> None:
    diff = ScreenDiff()
    diff.cut_down(full([("aaaaaaaaaaaa", "red")] * 3), SIZE).render_segments(CONSOLE)
    changed = [("aaaaaaaaaaaa", "red"), ("aaaaaabaaaaa", "red"), ("aaaaaaaaaaaa", "red")]
    sent = diff.cut_down(partial(changed, [(1, 0, 12)]), SIZE).render_segments(CONSOLE)
    assert sent == "\x1b[2;7H\x1b[31mb\x1b[0m"


def test_after_forgetting_or_another_size_everything_is_sent() -> None:
    screen = [("aaaaaaaaaaaa", "red")] * 3
    diff = ScreenDiff()
    diff.cut_down(full(screen), SIZE).render_segments(CONSOLE)
    diff.forget()
    assert diff.cut_down(full(screen), SIZE).render_segments(CONSOLE).count("a") == 36
    assert diff.cut_down(full(screen), Size(20, 3)).render_segments(CONSOLE).count("a") == 36


def test_wide_characters_are_never_split() -> None:
    old, new = cells_of(Strip([Segment("a日b")])), cells_of(Strip([Segment("a本b")]))
    assert changed_ranges(old, new) == [(1, 3)]
    narrow = cells_of(Strip([Segment("axyb")]))
    assert changed_ranges(old, narrow) == [(1, 3)]
    assert changed_ranges(narrow, old) == [(1, 3)]


def test_a_zero_width_character_does_not_hide_a_wide_one() -> None:
    assert [text for text, _ in cells_of(Strip([Segment("x\u0301漢")]))] == ["x\u0301", "漢", ""]


def test_an_update_beyond_the_screen_is_harmless() -> None:
    diff = ScreenDiff()
    update = LayoutUpdate([[Strip([Segment("x" * 40)])]] * 9, Region(0, 0, 40, 9))
    assert diff.cut_down(update, Size(4, 2)).render_segments(CONSOLE).count("x") == 8
