"""Text that streams in: only what changed is painted, nothing is laid out again, the reader keeps the line that is read.

The view goes on by half a window at a time while text comes in: every step repaints the window, every line in between only
itself. It has no scrollbar of Textual's, whose length would have the whole screen laid out anew with each line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip

from quarterdeck.engine.chat.columns import Turn
from quarterdeck.tui.chat.transcript import Transcript
from quarterdeck.tui.lines import FAINT, MUTED, Line, Run, width_of
from quarterdeck.tui.widgets.lines_view import LinesView

_MARKS = {"i": Style(italic=True), "u": Style(underline=True)}
_THUMB, _TRACK = "┃", " "
_WHEEL = 3


class StreamText(LinesView):
    """What was said in a column."""

    DEFAULT_CSS = """
    StreamText { overflow-y: hidden; overflow-x: hidden; }
    """

    def __init__(self, early: int = 0) -> None:
        """``early``: so many lines before its end the view goes on, so that columns beside each other don't do it together."""
        super().__init__()
        self.transcript = Transcript()
        self.top = 0
        """The first line in view."""
        self.following = True
        """Whether the end stays in view."""
        self.early = early
        self.empty: Sequence[Line] = ()
        """What stands here while nothing was said."""
        self._turns: Sequence[Turn] = ()
        self._now = 0.0
        self._window = (0, 0)
        """Lines in view and all lines, when it was last placed."""

    @property
    def columns(self) -> int:
        """Cells for the text: one is left free at the left, two at the right, for the thumb."""
        return max(4, self.size.width - 3)

    def show(self, turns: Sequence[Turn], now: float) -> None:
        """Show what was said so far."""
        self._turns, self._now = turns, now
        if not self.size.width:
            return
        before, width = self.transcript.length, self.transcript.width
        self.transcript.update(turns, self.columns, now)
        if width and width != self.columns and before and not self.following:
            self.top = self.top * self.transcript.length // before
        self._place()
        self.update_lines()

    def again(self) -> None:
        """Show the same anew: some of it reads otherwise now."""
        self.show(self._turns, self._now)

    def _place(self) -> None:
        """Where the view begins."""
        height, length = self.size.height, self.transcript.length
        if not self.following:
            self.top = max(0, min(self.top, max(0, length - 1)))
        elif length <= height:
            self.top = 0
        elif not self._streams:
            self.top = length - height
        elif length > self.top + height - self.early or length <= self.top:
            self.top = max(0, length - max(1, height // 2))
        self._window = (height, length)

    @property
    def _streams(self) -> bool:
        return bool(self._turns) and (not self._turns[-1].ended or self.transcript.behind)

    # ---- scrolling

    def scroll_by(self, lines: int) -> None:
        """Look back, or forth; at the end it follows again."""
        height, length = self.size.height, self.transcript.length
        last = max(0, length - height)
        if lines < 0:
            self.top = max(0, min(self.top, last) + lines) if self.top > last else max(0, self.top + lines)
            self.following = length <= height
        else:
            self.top = min(self.top + lines, max(self.top, last))
            self.following = self.top >= last
        self._place()
        self.update_lines()

    def to_end(self) -> None:
        """Follow."""
        self.following = True
        self._place()
        self.update_lines()

    def to_top(self) -> None:
        """Read from the beginning."""
        self.scroll_by(-(1 << 30))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Back."""
        event.stop()
        self.scroll_by(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Forth."""
        event.stop()
        self.scroll_by(_WHEEL)

    def resized(self) -> None:
        """Broken anew for the width."""
        self.again()

    # ---- drawing

    def line_at(self, y: int) -> Line:
        """A line, with a thumb at the right where there is more than is in view."""
        if not self._turns:
            return self.empty[y] if y < len(self.empty) else Line()
        runs = self.transcript.line(self.top + y).runs
        thumb = self._thumb(y)
        if thumb == _TRACK:
            return Line((Run(" "), *runs)) if runs else Line()
        gap = self.size.width - 2 - width_of(runs)
        return Line((Run(" "), *runs, Run(" " * gap), Run(thumb, FAINT if self.following else MUTED)))

    def every_line(self) -> list[Line]:
        """All that was said, as it is broken now; without the thumb."""
        if not self._turns:
            return list(self.empty)
        return [Line((Run(" "), *self.transcript.line(at).runs)) for at in range(self.transcript.length)]

    def _thumb(self, y: int) -> str:
        height, length = self._window
        if length <= height or not height:
            return _TRACK
        size = max(1, height * height // length)
        first = min(height - size, self.top * height // length)
        return _THUMB if first <= y < first + size else _TRACK

    def render_line(self, y: int) -> Strip:
        """As `LinesView`, with italics and underlines."""
        line = self._painted.get(y)
        if line is None:
            line = self._painted[y] = self.line_at(y)
        style = self.ink.style
        segments = []
        for text, tone in line.runs:
            name, _, mark = tone.partition("/")
            made = style(name, line.ground)
            segments.append(Segment(text, _marked(made, mark) if mark else made))
        return Strip(segments).adjust_cell_length(self.size.width, style("", line.ground))


@lru_cache(maxsize=256)
def _marked(style: Style, mark: str) -> Style:
    return style + _MARKS[mark]
