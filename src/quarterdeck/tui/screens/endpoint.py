"""One endpoint, in full."""

from __future__ import annotations

from textual.app import ComposeResult

from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.detail import detail_lines
from quarterdeck.tui.lines import MUTED, Line, Run
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

HINTS = (("Esc", "back"), ("r", "refresh"), ("↓", "scroll"), ("?", "help"))


class EndpointScreen(PageScreen):
    """The page of the endpoint called ``endpoint``."""

    where = "endpoint"
    BINDINGS = bindings("endpoint")

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        self._page = LinesBlock(id="page")
        self._status = StatusLine()

    def compose(self) -> ComposeResult:
        """The page and the status line."""
        yield from (self._page, self._status)

    @property
    def page(self) -> LinesBlock:
        """The lines."""
        return self._page

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        view = next((view for view in frame.fleet.endpoints if view.name == self.endpoint), None)
        if view is None:
            self._page.show([Line((Run("  This endpoint is no longer watched.", MUTED),))])
        else:
            width = max(1, self.room.width - 1)
            self._page.show(detail_lines(view, Moment(frame.now, frame.unix), width))
        app = self.console_app
        started = app.engine is not None
        self._status.show_status(
            Status(frame.fleet, app.interval, paused=app.paused, started=started, notice=app.notice, hints=HINTS)
        )

    def do_refresh(self) -> None:
        """Poll this endpoint now."""
        self.console_app.refresh_endpoint(self.endpoint)
