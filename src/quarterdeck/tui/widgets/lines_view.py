"""The one way the console draws: lines as data, compared with what is on the screen, only the difference repainted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from quarterdeck.tui.lines import EMPTY_LINE, Line, changed_spans
from quarterdeck.tui.terminal.screen_diff import Part
from quarterdeck.tui.terminal.where import Where

if TYPE_CHECKING:
    from rich.style import Style
    from textual.scrollbar import ScrollBar

    from quarterdeck.tui.colors.ink import Ink


class LinesView(ScrollView, can_focus=False, inherit_bindings=False):
    """Draws ``line_at(y)`` for every line of its window.

    Textual sends a whole widget again when it is refreshed; over a slow line that is seconds. So `update_lines` keeps the
    lines that are on the screen and draws only the cells that differ: straight to the terminal where nothing lies over the
    widget, else through Textual's compositor, which takes three times as long. Both take the same strips.
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
        self._strips: dict[int, tuple[Line, Strip]] = {}
        self._styles: dict[Style | None, Style | None] = {}
        """What the app's filters make of them."""
        self._look: tuple[object, ...] = ()
        """What strips and styles were made for."""
        self._terminal = Where()
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
            if not self._send(regions):
                self.refresh(*regions)

    def _send(self, regions: Sequence[Region]) -> bool:
        """Send these parts of lines past Textual; ``False`` where that can't be."""
        send: Callable[[Sequence[Part]], bool] | None = getattr(self.app, "send_parts", None)
        place = self._terminal.of(self) if send is not None else None
        if send is None or place is None:
            return False
        self._fresh()
        return send([Part(place.y + y, place.x, self._strip(y), x, x + width) for x, y, width, _ in regions])

    def render_lines(self, crop: Region) -> list[Strip]:
        """As Textual's, which looks through all styles of the widget for every line: these have a background only."""
        if self.styles.gutter:
            return super().render_lines(crop)
        self._fresh()
        strips = [self._strip(y) for y in crop.line_range]
        width = self.outer_size.width
        strips = [strip.adjust_cell_length(width) for strip in strips]  # under a scrollbar there is nothing
        return strips if crop.column_span == (0, width) else [strip.crop(*crop.column_span) for strip in strips]

    def _fresh(self) -> None:
        """Forget strips that were made for another look."""
        look = (self.scrollable_content_region.width, self.ink)
        if look != self._look:
            self._look = look
            self._strips.clear()
            self._styles.clear()

    def _strip(self, y: int) -> Strip:
        line, known = self._painted.get(y), self._strips.get(y)
        if known is not None and known[0] is line:
            return known[1]
        strip = self.render_line(y)
        if any(style not in self._styles for _, style, _ in strip):
            self._filter(strip)
        filtered = Strip([Segment(text, self._styles[style]) for text, style, _ in strip], strip.cell_length)
        self._strips[y] = (self._painted[y], filtered)
        return filtered

    def _filter(self, strip: Strip) -> None:
        """Learn what the app's filters (no colours, the terminal's own ones) make of its styles."""
        background, filters = self.background_colors[1], self.get_line_filters()
        for _, style, _ in strip:
            made = [Segment("x", style)]
            for each in filters:
                made = each.apply(made, background)
            self._styles[style] = made[0].style

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
