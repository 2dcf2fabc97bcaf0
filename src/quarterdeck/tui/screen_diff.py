"""Under the compositor: of what Textual would send to the terminal, only the cells that differ from what is there.

Textual sends a line from its left end up to the last cell that changed, and the whole screen after every layout. Over a
slow line a key press then takes seconds to be seen. The screen as it stands is remembered here, cell by cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Size
from textual.strip import Strip

Cell = tuple[str, Style | None]
"""A character with its style; "" is the right half of a wide character."""
_NOTHING: Cell = ("\0", None)
"""Equal to no cell: what the terminal shows there is not known."""
_BRIDGE = 3
"""So many unchanged cells between two changed ones cost less than moving the cursor."""


class ScreenDiff:
    """What the terminal shows now, and updates cut down to what it doesn't show yet."""

    def __init__(self) -> None:
        self._size = Size(0, 0)
        self._lines: list[list[Cell]] = []

    def forget(self) -> None:
        """The terminal may show anything; the next updates are sent in full."""
        self._size = Size(0, 0)

    def cut_down(self, update: CompositorUpdate, size: Size) -> CompositorUpdate:
        """An update with the same result on a terminal of ``size``. It has to be rendered, once."""
        if not isinstance(update, (LayoutUpdate, ChopsUpdate)):
            self.forget()
            return update
        if size != self._size:
            self._size = size
            self._lines = [[_NOTHING] * size.width for _ in range(size.height)]
        return _Difference(self, update)

    def apply(self, pieces: Iterable[tuple[int, int, list[Cell]]]) -> Iterator[tuple[int, int, list[Cell]]]:
        """Put pieces (y, x, cells) on the screen; yields the pieces of them that changed it."""
        for y, x, cells in pieces:
            if y >= len(self._lines):
                continue
            line = self._lines[y]
            del cells[max(0, len(line) - x) :]
            for first, last in changed_ranges(line[x : x + len(cells)], cells):
                yield y, x + first, cells[first:last]
            line[x : x + len(cells)] = cells


class _Difference(CompositorUpdate):
    """An update that is compared with the screen when it is written."""

    def __init__(self, screen: ScreenDiff, update: LayoutUpdate | ChopsUpdate) -> None:
        self._screen = screen
        self._update = update

    def render_segments(self, console: Console) -> str:
        """The escape sequences that bring the terminal from what it shows to what it should show."""
        out: list[str] = []
        for y, x, cells in self._screen.apply(pieces(self._update)):
            out.append(f"\x1b[{y + 1};{x + 1}H{_joined(cells).render(console)}")
        return "".join(out)


def pieces(update: LayoutUpdate | ChopsUpdate) -> Iterator[tuple[int, int, list[Cell]]]:
    """What an update draws, as (y, x, cells)."""
    if isinstance(update, LayoutUpdate):
        for y, strips in enumerate(update.strips, update.region.y):
            yield y, update.region.x, [cell for strip in strips for cell in cells_of(strip)]
        return
    for y, left, right in update.spans:
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < right and end > left:
                first = max(x, left)
                yield y, first, cells_of(strip)[first - x : min(end, right) - x]


def cells_of(strip: Strip) -> list[Cell]:
    """A strip, cell by cell."""
    cells: list[Cell] = []
    for text, style, control in strip:
        if control:
            continue
        if text.isascii() or all(cell_len(character) == 1 for character in text):
            cells += [(character, style) for character in text]
            continue
        for character in text:
            width = cell_len(character)
            if width:
                cells += [(character, style), ("", style)][:width]
            elif cells:
                cells[-1] = (cells[-1][0] + character, cells[-1][1])
    return cells


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


def _joined(cells: Sequence[Cell]) -> Strip:
    """Cells as a strip with one segment for each change of style."""
    segments: list[Segment] = []
    text = ""
    style: Style | None = None
    for character, own in cells:
        if own is not style and own != style and text:
            segments.append(Segment(text, style))
            text = ""
        style = own
        text += character
    segments.append(Segment(text, style))
    return Strip(segments)
