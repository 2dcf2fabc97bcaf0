"""A theme on the screen for as long as it is selected in a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quarterdeck.tui.everywhere import Everywhere


class ThemePreview:
    """Shows the theme that was named last, once for all keys that wait already: all rules are read anew for each."""

    def __init__(self, app: Everywhere) -> None:
        self._app = app
        self._wanted = ""
        self._waits = False

    def show(self, name: str) -> None:
        """Show a theme soon; "" = the one in force."""
        if name == self._wanted:
            return
        self._wanted = name
        if not self._waits:
            self._waits = True
            self._app.call_later(self._apply)

    def end(self) -> None:
        """The theme in force is seen again."""
        self._wanted = ""
        self._app.preview_theme("")

    def _apply(self) -> None:
        self._waits = False
        self._app.preview_theme(self._wanted)
