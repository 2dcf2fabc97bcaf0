"""A page with charts, on which a cursor in time can be moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.tui.detail.charts import WINDOWS, Look
from quarterdeck.tui.screens.base import PageScreen

if TYPE_CHECKING:
    from quarterdeck.tui.detail.charts import Drawing
    from quarterdeck.tui.gpus.charts import Plot

_FAR = 1 << 20


class ChartingScreen(PageScreen):
    """Keeps what part of the history is looked at, and where the cursor stands in it."""

    _look = Look()

    @property
    def charts(self) -> Drawing | Plot | None:
        """The charts that are drawn."""
        raise NotImplementedError

    def bring_charts(self) -> None:
        """Draw them, and scroll to them where none of them is in view."""
        raise NotImplementedError

    def do_window(self) -> None:
        """The next window of the charts."""
        if self._has_charts():
            self._look = self._look._replace(window=(self._look.window + 1) % len(WINDOWS))
            self.bring_charts()

    def do_earlier(self) -> None:
        """The time cursor one column back."""
        self._move_cursor(-1)

    def do_later(self) -> None:
        """The time cursor one column forward."""
        self._move_cursor(1)

    def do_top(self) -> None:
        """The first line; where the time cursor stands, the beginning of the window."""
        if self._look.cursor is None:
            super().do_top()
        else:
            self._move_cursor(-_FAR)

    def do_bottom(self) -> None:
        """The last line; where the time cursor stands, the end of the window."""
        if self._look.cursor is None:
            super().do_bottom()
        else:
            self._move_cursor(_FAR)

    def do_back(self) -> None:
        """Take the time cursor away; without one, go back."""
        if self._look.cursor is None:
            super().do_back()
        else:
            self._look = self._look._replace(cursor=None)
            self.console_app.redraw()

    def _has_charts(self) -> bool:
        if self.charts is None:
            self.console_app.say("there is nothing to draw a chart of yet")
        return self.charts is not None

    def _move_cursor(self, by: int) -> None:
        """Columns to the right; the first time, the cursor appears at the end of the window."""
        charts = self.charts
        if not self._has_charts() or charts is None:
            return
        axis, cursor = charts.axis, charts.cursor
        place = axis.cells - 1 if cursor is None else min(max(0, cursor + by), axis.cells - 1)
        self._look = self._look._replace(cursor=axis.middle(place))
        self.bring_charts()
