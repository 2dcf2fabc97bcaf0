"""The one way the console draws: lines as data, compared with what is on the screen, only the difference repainted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from quarterdeck.tui.lines import EMPTY_LINE, Line, changed_spans

if TYPE_CHECKING:
    from textual.scrollbar import ScrollBar

    from quarterdeck.tui.colors.ink import Ink


class LinesView(ScrollView, can_focus=False, inherit_bindings=False):
    """Draws ``line_at(y)`` for every line of its window.

    Textual sends a whole widget again when it is refreshed; over a slow line that is seconds. So `update_lines` keeps the
    lines that are on the screen and refreshes only the cells that differ.
    """

    DEFAULT_CSS = """
    LinesView {
        width: 1fr; height: 1fr;
        background: $background;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-color: $ink-faint; scrollbar-color-hover: $ink-muted; scrollbar-color-active: $ink-muted;
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background;
    }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 (Textual's name)
        super().__init__(id=id)
        self._painted: dict[int, Line] = {}
        self.repainted_cells = 0
        """Cells refreshed so far by `update_lines`; tests hold it to what really changed."""

    def line_at(self, y: int) -> Line:
        """The line to draw at ``y`` of the window."""
        raise NotImplementedError

    def every_line(self) -> list[Line]:
        """All lines, also those that are scrolled out of view."""
        top = self.scroll_y
        self.set_reactive(LinesView.scroll_y, 0.0)  # nothing is painted in between, and nobody is told
        try:
            return [self.line_at(y) for y in range(max(self.virtual_size.height, self.size.height))]
        finally:
            self.set_reactive(LinesView.scroll_y, top)

    @property
    def ink(self) -> Ink:
        """The styles of the theme in force."""
        ink: Ink = self.app.ink  # type: ignore[attr-defined]
        return ink

    @property
    def full_width(self) -> int:
        """Cells of a line. All these widgets are as wide as the screen, whose width is known before the first layout."""
        return self.size.width or self.app.size.width

    def update_lines(self) -> None:
        """Draw anew what changed."""
        width, height = self.scrollable_content_region.size
        regions: list[Region] = []
        for y in range(height):
            new = self.line_at(y)
            old = self._painted.get(y)
            if new != old:
                spans = changed_spans(old, new)
                regions += [Region(x, y, min(cells, width - x), 1) for x, cells in spans if x < width]
                self._painted[y] = new
        if regions:
            self.repainted_cells += sum(region.width for region in regions)
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """One line of the window, as Textual wants it."""
        line = self._painted.get(y)
        if line is None:
            line = self._painted[y] = self.line_at(y)
        style = self.ink.style
        ground = line.ground
        width = self.scrollable_content_region.width
        segments = [Segment(run.text, style(run.tone, ground)) for run in line.runs if run.text]
        return Strip(segments).adjust_cell_length(width, style("", ground))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: the difference to what is on the screen is repainted, not the whole window."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.update_lines()

    def on_resize(self, event: events.Resize) -> None:
        """Another size: Textual draws what moved; what reads otherwise now is drawn here."""
        self.resized()
        self.update_lines()

    def resized(self) -> None:
        """For subclasses that lay out by width."""

    @property
    def vertical_scrollbar(self) -> ScrollBar:
        """As Textual's; without half cells where the terminal may have no glyphs for them."""
        bar = super().vertical_scrollbar
        if getattr(self.app, "glyphs", None) is not None:
            from quarterdeck.tui.terminal.plain import WholeCells

            vars(bar)["renderer"] = WholeCells
        return bar

    def set_length(self, lines: int) -> None:
        """How many lines there are to scroll through. (A change makes Textual lay out and send the whole screen.)"""
        if lines != self.virtual_size.height:
            self.virtual_size = Size(1, lines)


class LinesBlock(LinesView):
    """Given lines, scrolled where they don't fit."""

    def __init__(self, *, id: str | None = None, height: int | None = None) -> None:  # noqa: A002 (Textual's name)
        """``height`` in lines, without scrolling; ``None`` = what room there is."""
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()
        self._scrolls = height is None
        if height is not None:
            self.styles.height = height
            self.styles.overflow_y = "hidden"

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        keys = getattr(self.app, "key_table", None)  # `quarterdeck.tui.everywhere`
        if keys is not None:
            from quarterdeck.tui.keys.saying_keys import told_line

            where = getattr(self.app.in_view, "where", "")  # type: ignore[attr-defined]
            lines = [told_line(line, where, keys) for line in lines]
        self._lines = lines
        if self._scrolls:
            self.set_length(len(lines))
        self.update_lines()

    def line_at(self, y: int) -> Line:
        """The line at ``y`` of the window."""
        place = y + self.scroll_offset.y
        return self._lines[place] if place < len(self._lines) else EMPTY_LINE
