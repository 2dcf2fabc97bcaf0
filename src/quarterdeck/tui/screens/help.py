"""The help."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.help import help_lines
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock


class HelpScreen(PageScreen):
    """Keys, states and columns."""

    where = "help"
    BINDINGS = bindings("help")

    def __init__(self, about: str) -> None:
        """``about``: the screen from which it was asked for; its keys come first."""
        super().__init__()
        self._about = about

    def compose(self) -> ComposeResult:
        """One page."""
        yield LinesBlock(id="page")

    def draw(self, frame: Frame) -> None:
        """The same whatever the fleet does; only the width matters."""
        self.page.show(help_lines(max(1, self.room.width - 1), self._about, replay=bool(self.console_app.replay_bar)))
