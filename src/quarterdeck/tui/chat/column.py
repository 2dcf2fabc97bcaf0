"""One column: whose it is, what was said, the numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from textual.app import ComposeResult
from textual.message import Message
from textual.widget import Widget

from quarterdeck.tui.chat.stream_text import StreamText
from quarterdeck.tui.chat.transcript import Said
from quarterdeck.tui.chat.wrapping import clean
from quarterdeck.tui.lines import Line
from quarterdeck.tui.widgets.lines_view import LinesBlock

_APART = 3
"""Lines: at 200 tokens a second about one paint."""


class ChatColumn(Widget, can_focus=False):
    """Head, text, foot."""

    DEFAULT_CSS = """
    ChatColumn { width: 1fr; height: 1fr; layout: vertical; }
    ChatColumn.after { border-left: vkey $ink-faint; }
    """

    class Picked(Message):
        """Clicked."""

        def __init__(self, column: ChatColumn) -> None:
            super().__init__()
            self.column = column

    def __init__(self, place: int = 0) -> None:
        super().__init__()
        self.head = LinesBlock(height=1)
        self.text = StreamText(early=_APART * place)
        self.foot = LinesBlock(height=1)
        self._rendering: set[asyncio.Task[None]] = set()
        self.foot_height = 1

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield from (self.head, self.text, self.foot)

    def set_foot(self, height: int) -> None:
        """So many lines for the numbers."""
        if height != self.foot_height:
            self.foot_height = height
            self.foot.styles.height = height

    def show(self, head: Line, foot: Sequence[Line]) -> None:
        """What stands above and below."""
        self.head.show([head])
        ground = Line((), "head")
        self.foot.show([*foot, *[ground] * (self.foot_height - len(foot))])

    def on_click(self) -> None:
        """Select."""
        self.post_message(self.Picked(self))

    # ---- Markdown

    def render_done(self) -> None:
        """Have answers that are done rendered; they are shown as they came until then."""
        for said in self.text.transcript.unrendered():
            said.rendering = True
            task = asyncio.get_running_loop().create_task(self._format(said))
            self._rendering.add(task)
            task.add_done_callback(self._rendering.discard)

    async def _format(self, said: Said) -> None:
        from quarterdeck.tui.chat.markdown import LONGEST, rendered

        text = said.answer.text
        if len(text) > LONGEST:
            return
        try:
            lines = await rendered(clean(text), said.width)
        except Exception:  # noqa: BLE001  (what can't be rendered stays as it came)
            return
        if any(line.runs for line in lines):
            said.rendered = lines
            self.text.again()

    def on_unmount(self) -> None:
        """Nobody looks any more."""
        for task in self._rendering:
            task.cancel()
