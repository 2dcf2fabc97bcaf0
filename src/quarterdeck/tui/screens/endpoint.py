"""One endpoint, in full: its page scrolls, its charts stand beside it or in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal

from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.detail.head import missing_line
from quarterdeck.tui.detail.page import CHARTS, VALUES, Sheet, sheet
from quarterdeck.tui.detail.raw import raw_text
from quarterdeck.tui.lines import EMPTY_LINE
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.charting import ChartingScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.acting.choices import Target
    from quarterdeck.tui.copying.doing import Copyable
    from quarterdeck.tui.detail.charts import Drawing
    from quarterdeck.tui.visits import Place

HINTS = (
    ("back", "back"),
    ("help", "help"),
    ("act", "act"),
    ("next_section", "section"),
    ("window", "window"),
    ("earlier later", "cursor"),
    ("copy", "copy"),
    ("time_request", "time a request"),
    ("refresh", "refresh"),
)


_PANES = {"the charts": CHARTS, "the values": VALUES}


class EndpointScreen(ActingScreen, ChartingScreen):
    """The page of the endpoint called ``endpoint``."""

    where = "endpoint"
    BINDINGS = bindings("endpoint")
    DEFAULT_CSS = """
    EndpointScreen Horizontal { height: 1fr; }
    EndpointScreen #charts { scrollbar-size-vertical: 0; }
    """

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        self._title = LinesBlock(id="title", height=1)
        self._page = LinesBlock(id="page")
        self._charts = LinesBlock(id="charts")
        self._charts.display = False
        self._status = StatusLine()
        self._sheet: Sheet | None = None
        self._drawn = False
        """Whether there are charts, also while the values have all the room."""
        self._view: EndpointView | None = None
        self._moment = Moment(0.0)

    def compose(self) -> ComposeResult:
        """The title, the page with the charts beside it, and the status line."""
        yield self._title
        yield Horizontal(self._page, self._charts)
        yield self._status

    @property
    def page(self) -> LinesBlock:
        """The lines that scroll."""
        return self._page

    @property
    def place(self) -> Place:
        """This endpoint."""
        return self.where, self.endpoint

    @property
    def endpoint_view(self) -> EndpointView | None:
        """The one that is shown."""
        return self._view

    @property
    def targets(self) -> list[Target]:
        """The same."""
        from quarterdeck.tui.acting.choices import Target

        return [Target(self._view)] if self._view is not None else []

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        self._view = next((view for view in frame.fleet.endpoints if view.name == self.endpoint), None)
        self._moment = Moment(frame.now, frame.unix)
        if self._view is None:
            self._sheet = None
            self._lay_out(0)
            self._title.show([EMPTY_LINE])
            self._page.display = True
            self._page.show([missing_line("This endpoint is no longer watched.")])
        else:
            width, height = max(1, self.room.width - 1), max(1, self.room.height - 2)
            alone = _PANES.get(self.alone, "")
            self._sheet = sheet(self._view, self._moment, self._look, width, height, alone=alone)
            self._drawn = self._drawn if alone == VALUES else self._sheet.charts is not None
            self._lay_out(self._sheet.text_width + 1 if self._sheet.pane else 0)
            self._page.display = bool(self._sheet.text)
            self._title.show([self._sheet.title])
            self._page.show(self._sheet.text)
            self._charts.show(self._sheet.pane)
        self._status.show_status(self.status_of(frame, HINTS))

    @property
    def panes(self) -> tuple[str, ...]:
        """The charts and the values."""
        return tuple(_PANES) if self._view is not None and self._drawn else ()

    def _lay_out(self, text_width: int) -> None:
        """Give the text so many cells and the charts the rest; 0 = no charts beside it."""
        beside = text_width > 0
        if self._charts.display is not beside:
            self._charts.display = beside
        width: int | str = text_width if beside else "1fr"
        if getattr(self, "_text_width", None) != width:
            self._text_width = width
            self._page.styles.width = width

    # ---- commands

    def do_refresh(self) -> None:
        """Poll this endpoint now."""
        self.console_app.refresh_endpoint(self.endpoint)

    def to_copy(self) -> Sequence[Copyable]:
        """The raw values and where they came from; then what a row of the fleet has."""
        from quarterdeck.tui.copying.doing import Copyable

        rest = super().to_copy()
        if self._view is None or not (self._view.engines or self._view.origins):
            return rest
        text, number = raw_text(self._view, self._moment)
        values = "1 raw value" if number == 1 else f"{number} raw values"
        return (Copyable(f"{values} of {self.endpoint}", text), *rest)

    def document(self) -> object | None:
        """This endpoint, and the machine it runs on."""
        from quarterdeck.tui.saving.documents import of_endpoint

        return of_endpoint(self.console_app, self._view) if self._view is not None else None

    def do_time_request(self) -> None:
        """Send one small request and time it."""
        from quarterdeck.tui.timing import ask

        if self._view is None:
            self.console_app.say(f"{self.endpoint} is no longer watched")
        else:
            ask(self.console_app, self._view)

    def do_next_section(self) -> None:
        """The next section to the top of the page."""
        below = [line for _, line in self._sections() if line > self._offset]
        self._go_to(below[0] if below and self._offset < self._furthest else 0)

    def do_previous_section(self) -> None:
        """The section before to the top of the page."""
        above = [line for _, line in self._sections() if line < self._offset]
        self._go_to(above[-1] if above else self._furthest)

    # ---- the charts

    @property
    def charts(self) -> Drawing | None:
        """The charts that are drawn."""
        return self._sheet.charts if self._sheet is not None else None

    def bring_charts(self) -> None:
        """Draw them, and scroll to them where none of them is in view."""
        self.console_app.redraw()
        place = next((line for title, line in self._sections() if title == CHARTS), None)
        after = next((line for _, line in self._sections() if place is not None and line > place), self._page_length)
        if place is not None and not (self._offset < after - 2 and place < self._offset + self.page.size.height - 4):
            self._go_to(place)

    # ---- scrolling

    def _sections(self) -> list[tuple[str, int]]:
        return self._sheet.sections if self._sheet is not None else []

    @property
    def _page_length(self) -> int:
        return len(self._sheet.text) if self._sheet is not None else 0

    @property
    def _offset(self) -> int:
        return self.page.scroll_offset.y

    @property
    def _furthest(self) -> int:
        """How far the page scrolls."""
        return max(0, self._page_length - self.page.size.height)

    def _go_to(self, line: int) -> None:
        self._scroll(line - self._offset)
