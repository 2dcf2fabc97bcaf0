"""Where a typed line is wrong, marked in the line itself."""

from __future__ import annotations

from collections.abc import Callable

from rich.highlighter import Highlighter
from rich.style import Style
from rich.text import Text

from quarterdeck.tui.verbs.reading import Wrong

_UNDERLINED = Style(underline=True)


class Marking(Highlighter):
    """Shows where a typed line is wrong."""

    def __init__(self, style: Callable[[], Style]) -> None:
        self._style = style
        self.wrong: Wrong | None = None

    def highlight(self, text: Text) -> None:
        """Mark it."""
        if self.wrong is not None:
            text.stylize(self._style() + _UNDERLINED, self.wrong.start, self.wrong.end)
