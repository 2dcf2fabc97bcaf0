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
        self._page = LinesBlock(id="page")

    def compose(self) -> ComposeResult:
        """One page."""
        yield self._page

    @property
    def page(self) -> LinesBlock:
        """The lines that scroll."""
        return self._page

    def on_mount(self) -> None:
        """Who has found the help needs no hint at it."""
        super().on_mount()
        if (first_run := self.console_app.first_run) is not None:
            first_run.helped()

    def draw(self, frame: Frame) -> None:
        """The same whatever the fleet does; only the width matters."""
        app = self.console_app
        width = max(1, self.room.width - 1)
        self._page.show(
            help_lines(width, self._about, replay=bool(app.replay_bar), ascii_only=app.ascii_only, keys=app.key_table)
        )
