"""One model of an endpoint: what the polls tell, and what its server tells when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.models import ModelReading
from quarterdeck.tui.acting.sheet import known_lines, told_lines
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, STRONG, WARN, Line, Run, spread, wrap
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.base import PageScreen
from quarterdeck.tui.visits import Place
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.tui.acting.choices import Target

HINTS = (("back", "back"), ("act", "act"), ("newer", "newer upstream?"), ("refresh", "refresh"), ("help", "help"))


class ModelScreen(ActingScreen, PageScreen):
    """The page of a model."""

    where = "model"
    BINDINGS = bindings("model")

    def __init__(self, endpoint: str, model: str) -> None:
        super().__init__()
        self._endpoint, self._model = endpoint, model
        self._head = LinesBlock(id="title", height=1)
        self._page = LinesBlock(id="page")
        self._status = StatusLine()
        self._view: EndpointView | None = None
        self._told: Mapping[str, object] | None = None
        self._why = ""

    def compose(self) -> ComposeResult:
        """Title, page, status."""
        yield from (self._head, self._page, self._status)

    @property
    def about(self) -> tuple[str, str]:
        """Endpoint and model."""
        return self._endpoint, self._model

    @property
    def place(self) -> Place:
        """This model."""
        return self.where, self._endpoint, self._model

    @property
    def told(self) -> Mapping[str, object] | None:
        """What its server told when it was asked."""
        return self._told

    @property
    def page(self) -> LinesBlock:
        """The lines that scroll."""
        return self._page

    @property
    def endpoint_view(self) -> EndpointView | None:
        """Its endpoint."""
        return self._view

    @property
    def reading(self) -> ModelReading | None:
        """What the last poll told of it; ``None`` where it is no longer listed."""
        models = self._view.models if self._view is not None else ()
        return next((model for model in models if model.id == self._model), None)

    @property
    def targets(self) -> list[Target]:
        """This model."""
        from quarterdeck.tui.acting.choices import Target

        return [Target(self._view, self.reading)] if self._view is not None and self.reading is not None else []

    def on_mount(self) -> None:
        """Ask its server."""
        super().on_mount()
        self.run_worker(self._ask(), exit_on_error=False)

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the page."""
        self._view = next((view for view in frame.fleet.endpoints if view.name == self._endpoint), None)
        width = max(1, self.room.width - 1)
        title = (Run(f"  {printable(self._model, 120)}", STRONG), Run(f"  on {printable(self._endpoint, 60)}", MUTED))
        self._head.show([Line(spread(title, (), self.room.width), "head")])
        self._page.show(self._lines(Moment(frame.now, frame.unix), width))
        self._status.show_status(self.status_of(frame, HINTS))

    def _lines(self, moment: Moment, width: int) -> list[Line]:
        reading = self.reading
        lines = [EMPTY_LINE]
        if reading is None:
            lines.append(Line((Run("  It is no longer listed by its endpoint.", WARN),)))
        else:
            lines += known_lines(reading, moment, width)
        lines.append(EMPTY_LINE)
        if self._told is not None:
            lines += told_lines(self._told, width)
        else:
            text = self._why or "asking its server …"
            lines += [Line((Run(f"  {part}", MUTED),)) for part in wrap(text, max(8, width - 4))]
        return lines

    async def _ask(self) -> None:
        from quarterdeck.engine.asking import show

        engine = self._engine
        try:
            self._told = await show(self.console_app.watched, self._endpoint, engine, self._model)
        except QuarterdeckError as error:
            self._why = printable(f"nothing more is known: {error.message}", 300)
        self.console_app.redraw()

    @property
    def _engine(self) -> str:
        return (self._view.engine if self._view is not None else None) or "openai"

    def document(self) -> object | None:
        """The polls of it, and what its server told."""
        from quarterdeck.tui.saving.documents import of_model

        return of_model(self.console_app, self._endpoint, self._model, self._told)

    def do_refresh(self) -> None:
        """Ask again."""
        self.console_app.refresh_endpoint(self._endpoint)
        self.run_worker(self._ask(), exit_on_error=False)

    def do_newer(self) -> None:
        """Has its registry a newer one?"""
        self.console_app.say(f"asking the registry about {printable(self._model, 60)} …", 30.0)
        self.run_worker(self._compare(), exit_on_error=False)

    async def _compare(self) -> None:
        from quarterdeck.engine.asking import newer

        try:
            words = await newer(self.console_app.watched, self._endpoint, self._engine, self._model)
        except QuarterdeckError as error:
            words = error.message
        self.console_app.say(printable(f"{self._model}: {words}", 300), 12.0)
