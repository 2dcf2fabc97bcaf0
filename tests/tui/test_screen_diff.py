"""After every update the terminal shows what Textual meant it to show, and was sent no more than that."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from quarterdeck.tui.terminal.screen_diff import ScreenDiff, cells_of, changed_ranges
from quarterdeck.tui.terminal.sgr import change, codes_of
from small_terminal import Cell, SmallTerminal

SIZE = Size(12, 3)
ALL = 1 << 20
TEXT = st.text(alphabet="ab 日🚀é", min_size=SIZE.width, max_size=SIZE.width)
STYLES = ["red", "blue", "bold red", "on blue", "italic", "bold #102030 on #405060", "reverse"]
SCREENS = st.lists(st.tuples(TEXT, st.sampled_from(STYLES)), min_size=SIZE.height, max_size=SIZE.height)


def strips(screen: Iterable[tuple[str, str]]) -> list[Strip]:
    return [Strip([Segment(text, Style.parse(style))]).adjust_cell_length(SIZE.width) for text, style in screen]


def shown(screen: Iterable[tuple[str, str]]) -> list[list[Cell]]:
    terminal = SmallTerminal(*SIZE)
    for y, strip in enumerate(strips(screen)):
        text = "".join(
            Strip.render_style(style or Style.null(), text, ColorSystem.TRUECOLOR) for text, style, _ in strip
        )
        terminal.feed(f"\x1b[{y + 1};1H{text}".encode())
    return terminal.cells


def full(screen: Iterable[tuple[str, str]]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips(screen)], SIZE.region)


def partial(screen: Iterable[tuple[str, str]], spans: list[tuple[int, int, int]]) -> ChopsUpdate:
    return ChopsUpdate([{0: strip} for strip in strips(screen)], spans, [[SIZE.width]] * SIZE.height)


@given(st.lists(SCREENS, min_size=1, max_size=4))
def test_the_terminal_shows_the_last_screen(screens: list[list[tuple[str, str]]]) -> None:
    diff, terminal = ScreenDiff(), SmallTerminal(*SIZE)
    for screen in screens:
        diff.put(full(screen), SIZE)
        terminal.feed(diff.take(ALL).encode())
        assert terminal.cells == shown(screen)
        assert not diff.behind


@given(st.lists(st.tuples(SCREENS, st.booleans(), st.integers(1, 60)), min_size=1, max_size=5))
def test_taken_bit_by_bit_it_comes_to_the_same(steps: list[tuple[list[tuple[str, str]], bool, int]]) -> None:
    diff, terminal = ScreenDiff(), SmallTerminal(*SIZE)
    for screen, urgent, room in steps:
        diff.put(full(screen), SIZE, urgent=urgent, first=range(1, 2))
        terminal.feed(diff.take(room).encode())
    while diff.behind:
        terminal.feed(diff.take(20).encode())
    assert terminal.cells == shown(steps[-1][0])


@given(SCREENS, SCREENS)
def test_a_partial_update_of_everything_is_the_screen(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    diff, terminal = ScreenDiff(), SmallTerminal(*SIZE)
    diff.put(full(before), SIZE)
    terminal.feed(diff.take(ALL).encode())
    diff.put(partial(after, [(y, 0, SIZE.width) for y in range(SIZE.height)]), SIZE)
    terminal.feed(diff.take(ALL).encode())
    assert terminal.cells == shown(after)


def drawn(diff: ScreenDiff, text: str, lines: int = 3) -> str:
    diff.put(full([(text, "red")] * lines), SIZE)
    return diff.take(ALL)


def test_what_the_terminal_shows_already_is_not_sent() -> None:
    diff = ScreenDiff()
    assert drawn(diff, "a" * 12)
    assert drawn(diff, "a" * 12) == ""


def test_of_a_line_only_the_cells_that_changed_are_sent() -> None:
    diff = ScreenDiff()
    drawn(diff, "a" * 12)
    changed = [("aaaaaaaaaaaa", "red"), ("aaaaaabaaaaa", "red"), ("aaaaaaaaaaaa", "red")]
    diff.put(partial(changed, [(1, 0, 12)]), SIZE)
    assert diff.take(ALL) == "\x1b[2;7H\x1b[31mb\x1b[0m"


def test_what_changed_and_changed_back_is_never_sent() -> None:
    diff = ScreenDiff()
    drawn(diff, "a" * 12)
    for text in ("b" * 12, "a" * 12):
        diff.put(full([(text, "red")] * 3), SIZE)
    assert diff.take(ALL) == ""
    assert not diff.behind


def test_an_echo_comes_before_what_moved_with_it_and_what_moved_before() -> None:
    diff = ScreenDiff()
    drawn(diff, " " * 12)
    diff.put(partial([("x" * 12, "red")] * 3, [(0, 0, 12)]), SIZE)
    diff.put(partial([("y" * 12, "red")] * 3, [(1, 0, 3), (2, 0, 12)]), SIZE, urgent=True, first=range(2, 3))
    order = [diff.take(1).partition("H")[0] for _ in range(3)]
    assert order == ["\x1b[3;1", "\x1b[2;1", "\x1b[1;1"]


def test_a_line_that_is_urgent_stays_so_when_it_changes_again() -> None:
    diff = ScreenDiff()
    drawn(diff, " " * 12)
    diff.put(partial([("y" * 12, "red")] * 3, [(2, 0, 12)]), SIZE, urgent=True)
    diff.put(full([("z" * 12, "red")] * 3), SIZE)
    assert diff.take(1).startswith("\x1b[3;1H\x1b[31mz")


def test_after_forgetting_or_another_size_everything_is_sent() -> None:
    diff = ScreenDiff()
    drawn(diff, "a" * 12)
    diff.forget()
    assert diff.take(ALL).count("a") == 36, "also without another update"
    diff.put(full([("a" * 12, "red")] * 3), Size(20, 3))
    assert diff.take(ALL).count("a") == 36
    diff.resize(SIZE)
    assert diff.take(ALL) == "", "nobody said yet what should be there"


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
    diff.put(LayoutUpdate([[Strip([Segment("x" * 40)])]] * 9, Region(0, 0, 40, 9)), Size(4, 2))
    assert diff.take(ALL).count("x") == 8


def test_of_a_style_only_what_changes_is_sent() -> None:
    def codes(style: str) -> tuple[str, str, str]:
        return codes_of(Style.parse(style), ColorSystem.TRUECOLOR)

    assert codes("bold #102030 on #405060") == ("1", "38;2;16;32;48", "48;2;64;80;96")
    assert codes("bright_red on default") == ("", "91", "")
    assert change(codes("#102030 on #405060"), codes("#112233 on #405060")) == "\x1b[38;2;17;34;51m"
    assert change(codes("bold red"), codes("red")) == "\x1b[0;31m"
    assert change(codes("red on blue"), codes("red")) == "\x1b[49m"
    assert change(codes("red"), codes("italic red")) == "\x1b[3m"


@given(st.text(alphabet="ab日⚠❤1👨👩e\ufe0f\u200d\u0301\u20e3\x1b\x00\t\x9b", max_size=12))
def test_cells_are_as_many_as_the_layout_counts_and_hold_no_control_character(text: str) -> None:
    strip = Strip([Segment(text, Style.parse("red"))])
    cells = cells_of(strip)
    assert len(cells) == strip.cell_length
    assert all(ord(character) >= 32 and not 127 <= ord(character) < 160 for cell, _ in cells for character in cell)


def test_what_follows_an_emoji_stands_at_its_place_on_every_terminal() -> None:
    diff = ScreenDiff()
    diff.put(LayoutUpdate([[Strip([Segment("a⚠\ufe0fb日c")])]], Region(0, 0, 7, 1)), Size(7, 1))
    sent = diff.take(ALL)
    assert "\x1b[1;2H⚠\ufe0f\x1b[1;4Hb日c" in sent
    for width in (1, 2):  # of the emoji
        terminal = SmallTerminal(7, 1)
        terminal.feed(sent.replace("⚠\ufe0f", "!" * width).encode())
        assert terminal.text.rstrip() == "a" + ("! " if width == 1 else "!!") + "b日c"
