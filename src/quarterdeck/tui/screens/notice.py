"""Says why something can't be done, over the screen it was asked for on. What is typed ahead ends here, and runs nothing."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from quarterdeck.format import printable
from quarterdeck.tui.lines import MUTED, PLAIN, STRONG, Line, Run, cut, shortened, spread, wrap
from quarterdeck.tui.widgets.lines_view import LinesBlock

WIDTH = 66
_FRAME = 2


class NoticeScreen(ModalScreen[None]):
    """A title and a sentence. Only Esc, Enter and a click close it: letters may be the name of a model, typed ahead."""

    DEFAULT_CSS = f"""
    NoticeScreen {{ align: center middle; background: transparent; }}
    NoticeScreen > LinesBlock {{
        width: {WIDTH}; max-width: 100%; max-height: 100%; background: $ground-head; border: round $ink-faint;
    }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter", "close", "Back", show=False)]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._title, self._text = title, text
        self._box = LinesBlock(id="notice", height=0)

    def compose(self) -> ComposeResult:
        """The box."""
        yield self._box

    def on_mount(self) -> None:
        """As high as the sentence, if there is room."""
        self._draw()

    def on_resize(self) -> None:
        """Another size."""
        self._draw()

    def on_click(self) -> None:
        """Read."""
        self.action_close()

    def action_close(self) -> None:
        """Back to where it was asked for."""
        if self.is_current:
            self.app.pop_screen()

    def _draw(self) -> None:
        size = self.app.size
        width = min(WIDTH, size.width) - _FRAME
        parts = wrap(printable(self._text, 400), max(8, width - 4))
        said = [Line(cut((Run(f"  {part}", PLAIN),), width), "box") for part in parts]
        title = spread(
            (Run(f"  {printable(self._title, 120)}", STRONG),), (Run("Enter, Esc goes back ", MUTED),), width
        )
        room = max(1, size.height - _FRAME - 1)
        lines = [Line(title, "box"), *shortened(said, room, "widen the terminal")]
        self._box.styles.height = len(lines) + _FRAME
        self._box.show([Line(line.runs, "box") for line in lines])
