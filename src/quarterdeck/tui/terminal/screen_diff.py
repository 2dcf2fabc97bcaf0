"""Under the compositor: what the terminal shows, what it should show, and the way from one to the other, a part at a time.

Textual sends a line from its left end up to the last cell that changed, and the whole screen after every layout. Over a
slow line a key press then takes seconds to be seen. Here its updates only say what should be there. What is sent is the
difference to what was sent before, as much of it as the line takes now; what changes again meanwhile is never sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from rich.cells import cell_len, split_graphemes
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

from quarterdeck.tui.terminal.sgr import Pen

Cell = tuple[str, Style | None]
"""A character with its style; "" is the right half of a wide character."""
Glyphs = Callable[[list[Cell]], list[Cell]]
_NOTHING: Cell = ("\0", None)
"""Equal to no cell: what the terminal shows there is not known, or nobody said what should be there."""
_NARROW = re.compile("[ -~¡-¬®-ÿ–…─-▟]*")
"""Nearly all that is shown: a cell each."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BRIDGE = 3
"""So many unchanged cells between two changed ones cost less than moving the cursor."""
_LONGEST = 64
"""Cells sent in one piece: the line may have no room for more."""


class Part(NamedTuple):
    """Of a strip at ``x`` of the line ``y``, the cells from ``left`` up to ``right``."""

    y: int
    x: int
    strip: Strip
    left: int
    right: int


class ScreenDiff:
    """Two screens of cells, and the lines on which they may differ."""

    def __init__(self, glyphs: Glyphs | None = None) -> None:
        """``glyphs``: what cells become on a terminal that can't show every glyph."""
        self._glyphs = glyphs
        self._size = Size(0, 0)
        self._wanted: list[list[Cell]] = []
        self._shown: list[list[Cell]] = []
        self._urgent: dict[int, tuple[int, int]] = {}
        self._late: dict[int, tuple[int, int]] = {}
        """Lines that may differ, from which cell to which; those that changed first come first."""

        self._first = range(0)

    @property
    def behind(self) -> bool:
        """Whether something may have to be sent."""
        return bool(self._urgent or self._late)

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for some of it."""
        return bool(self._urgent)

    def forget(self) -> None:
        """The terminal may show anything: everything has to be sent."""
        width, height = self._size
        self._shown = [[_NOTHING] * width for _ in range(height)]
        self._late.update((y, (0, width)) for y in range(height))

    @property
    def size(self) -> Size:
        """The size of the terminal."""
        return self._size

    def resize(self, size: Size) -> None:
        """Another terminal: neither what it shows is known, nor what it should show."""
        self._size = size
        self._wanted = [[_NOTHING] * size.width for _ in range(size.height)]
        self._urgent.clear()
        self._late.clear()
        self.forget()

    def put(
        self, update: LayoutUpdate | ChopsUpdate, size: Size, *, urgent: bool = False, first: range | None = None
    ) -> None:
        """Take in what should be on a terminal of ``size``.

        ``urgent``: somebody pressed a key for it, and looks at the lines ``first``.
        """
        if size != self._size:
            self.resize(size)
        self._put(pieces(update, self._glyphs), urgent=urgent, first=first)

    def put_parts(self, parts: Iterable[Part], *, urgent: bool = False, first: range | None = None) -> None:
        """As `put`, of parts of lines."""
        self._put(cut_out(parts, self._glyphs), urgent=urgent, first=first)

    def _put(self, found: Iterable[tuple[int, int, list[Cell]]], *, urgent: bool, first: range | None) -> None:
        width, height = self._size
        marked = self._urgent if urgent else self._late
        if urgent and first is not None:
            self._first = first
        for y, x, cells in found:
            if y >= height or x >= width:
                continue
            line = self._wanted[y]
            del cells[max(0, width - x) :]
            end = x + len(cells)
            if line[x:end] == cells:
                continue
            line[x:end] = cells
            left, right = self._late.pop(y, (x, end))
            if y in self._urgent:  # it stays so
                left, right = min(left, self._urgent[y][0]), max(right, self._urgent[y][1])
                self._urgent[y] = (min(left, x), max(right, end))
                continue
            marked[y] = (min(left, x), max(right, end))

    def take(self, room: int, colours: ColorSystem = ColorSystem.TRUECOLOR) -> str:
        """Escape sequences that bring the terminal nearer to what it should show: about ``room`` characters at most, one piece at least.

        They count as sent. What is urgent comes first, and of that what is looked at, then the smallest changes.
        """
        pen = Pen(colours)
        for y, x, cells in self._changes():
            pen.write(y, x, cells)
            self._shown[y][x : x + len(cells)] = cells
            if pen.written >= room:
                break
        return pen.finish()

    def _changes(self) -> Iterator[tuple[int, int, list[Cell]]]:
        """Pieces in the order in which they should be sent. What was taken has to be put into ``_shown`` at once."""
        for marked in (self._urgent, self._late):
            lines: Iterable[tuple[int, list[tuple[int, int]]]]
            lines = ((y, self._ranges(y, *bounds)) for y, bounds in list(marked.items()))
            if marked is self._urgent:
                lines = sorted(lines, key=self._rank)
            for y, ranges in lines:
                right = marked[y][1]
                wanted = self._wanted[y]
                for first, last in ranges:
                    for start, end in _parts(wanted, first, last):
                        marked[y] = (start, right)
                        yield y, start, wanted[start:end]
                del marked[y]

    def _rank(self, line: tuple[int, list[tuple[int, int]]]) -> tuple[bool, int]:
        return line[0] not in self._first, sum(last - first for first, last in line[1])

    def _ranges(self, y: int, left: int, right: int) -> list[tuple[int, int]]:
        old, new = self._shown[y], self._wanted[y]
        if left and new[left][0] == "":
            left -= 1
        if old.count(_NOTHING) == len(old):  # the first frame, say
            return [(left, right)]
        found = changed_ranges(old[left:right], new[left:right])
        return [(left + first, left + last) for first, last in found]


def _parts(cells: Sequence[Cell], first: int, last: int) -> Iterator[tuple[int, int]]:
    """A range in pieces that split no wide character; cells of which nobody said what they should be are left out."""
    while first < last:
        if cells[first] is _NOTHING:
            first += 1
            continue
        end = min(first + _LONGEST, last)
        if end < last and cells[end][0] == "":
            end -= 1
        gap = next((place for place in range(first, end) if cells[place] is _NOTHING), end)
        yield first, gap
        first = max(gap, first + 1)


def pieces(update: LayoutUpdate | ChopsUpdate, glyphs: Glyphs | None = None) -> Iterator[tuple[int, int, list[Cell]]]:
    """What an update draws, as (y, x, cells)."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            cells = [cell for strip in strips for cell in cells_of(strip)]
            yield y, update.region.x, glyphs(cells) if glyphs else cells
        return
    yield from cut_out(_parts_of(update), glyphs)


def _parts_of(update: ChopsUpdate) -> Iterator[Part]:
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < right and end > left:
                yield Part(y, x, strip, max(x, left) - x, min(end, right) - x)


def cut_out(parts: Iterable[Part], glyphs: Glyphs | None = None) -> Iterator[tuple[int, int, list[Cell]]]:
    """Parts as (y, x, cells); those of one strip follow one another. What a glyph becomes may depend on the one before."""
    last: Strip | None = None
    cells: list[Cell] = []
    for y, x, strip, left, right in parts:
        if strip is not last:
            last, cells = strip, cells_of(strip)
            cells = glyphs(cells) if glyphs else cells
        yield y, x + left, cells[left:right]


def cells_of(strip: Strip) -> list[Cell]:
    """A strip, cell by cell."""
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if _NARROW.fullmatch(text) or _is_narrow(text):
            cells += [(character, style) for character in text]
        else:
            _add(cells, text, style)
    return cells


def _add(cells: list[Cell], text: str, style: Style | None) -> None:
    """Characters as wide as the layout takes them to be: "⚠" with a selector that makes it an emoji is two cells. No control characters."""
    end = len(cells) + cell_len(text)
    for first, last, width in split_graphemes(text)[0]:
        character = _CONTROL.sub("", text[first:last])
        if width:
            cells += [(character, style), ("", style)][:width]
        elif character and cells:
            place = -2 if cells[-1][0] == "" and len(cells) > 1 else -1
            cells[place] = (cells[place][0] + character, cells[place][1])
    del cells[end:]
    cells += [(" ", style)] * (end - len(cells))  # of joiners without anything to join the two counts differ


@lru_cache(maxsize=4096)
def _is_narrow(text: str) -> bool:
    return all(cell_len(character) == 1 for character in text)


def changed_ranges(old: Sequence[Cell], new: Sequence[Cell]) -> list[tuple[int, int]]:
    """Where ``new`` differs from ``old``, as half-open ranges that split no wide character."""
    if old == new:
        return []
    ranges: list[tuple[int, int]] = []
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        first = place - 1 if after[0] == "" and place else place
        last = place + 2 if place + 1 < len(new) and new[place + 1][0] == "" else place + 1
        if ranges and first <= ranges[-1][1] + _BRIDGE:
            ranges[-1] = (ranges[-1][0], max(last, ranges[-1][1]))
        else:
            ranges.append((first, last))
    return ranges
