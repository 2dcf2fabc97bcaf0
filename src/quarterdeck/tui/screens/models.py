"""Every model on every endpoint: where it is, what it takes, and the place to act on many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.models.lines import details, empty_lines, summary_line
from quarterdeck.tui.models.rows import Group, ModelRow
from quarterdeck.tui.models.state import ModelsState, licence_of
from quarterdeck.tui.models.table import ModelTable
from quarterdeck.tui.screens.acting import ActingScreen
from quarterdeck.tui.screens.filtering import ListingScreen
from quarterdeck.tui.screens.model import ModelScreen
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.tui.acting.choices import Target

HINTS = (
    ("back", "fleet"),
    ("help", "help"),
    ("act", "act"),
    ("filter", "filter"),
    ("open", "open"),
    ("chat", "chat"),
    ("group", "by name"),
    ("sort", "sort"),
)
GROUPED_HINTS = tuple(("group", "one by one") if key == "group" else (key, label) for key, label in HINTS)


class ModelsScreen(ActingScreen, ListingScreen):
    """The models, and below them the selected one."""

    where = "models"
    BINDINGS = bindings("models")
    filter_hint = "filter: qwen3  !mac  where:loaded  size>20GiB  quant:q4"

    def __init__(self, state: ModelsState) -> None:
        super().__init__()
        self.state = state
        self._summary = LinesBlock(id="summary", height=1)
        self._table = ModelTable(state)
        self._details = LinesBlock(id="details", height=0)
        self._status = StatusLine()
        self._frame: Frame | None = None
        self._height = -1
        self._opened: ModelScreen | None = None

    def compose(self) -> ComposeResult:
        """Summary, models, the selected one, status."""
        yield from (self._summary, self._table, self._details, self._status)

    @property
    def table(self) -> ModelTable:
        """The table."""
        return self._table

    def draw(self, frame: Frame) -> None:
        """Bring a frame to the widgets."""
        self._frame = frame
        self._learn_licence()
        width = self.room.width
        self._table.empty = empty_lines(frame.fleet, self.needle, self.console_app.welcome, width)
        self._table.show(frame)
        self._summary.show([summary_line(self._table.all, self._table.shown_models, self.state, width)])
        self.draw_selected()

    def draw_selected(self) -> None:
        """What follows the selection."""
        if self._frame is None:
            return
        shown = self._table.selected
        height = 0 if shown is None or self.room.height < 8 else 1 if self.room.height < 20 else 2
        if height != self._height:
            self._height = height
            self._details.styles.height = height
        known = self._table.known
        self._details.show(details(shown, known, self.room.width, height) if shown is not None else [])
        hints = GROUPED_HINTS if self.state.grouped else HINTS
        self._status.show_status(self.status_of(self._frame, hints)._replace(marked=len(self._table.marked)))

    def _learn_licence(self) -> None:
        """A page that was opened has asked for more than polls tell; its licence is worth keeping."""
        page, self._opened = self._opened, None
        if page is not None and page.told is not None and (licence := licence_of(page.told)):
            self.state.licences[page.about] = licence
            self._table.rearrange()

    # ---- what is acted on

    @property
    def endpoint_view(self) -> EndpointView | None:
        """The selected one's; of a group, the first one's."""
        shown = self._table.selected
        return self._table.newest(shown.models[0]) if shown is not None else None

    @property
    def targets(self) -> list[Target]:
        """What is marked, else what is selected."""
        return self._targets(self._table.acted_on)

    def _targets(self, rows: list[ModelRow]) -> list[Target]:
        from quarterdeck.tui.acting.choices import Target

        return [Target(self._table.newest(row), row.model) for row in rows]

    def hold_selection(self) -> None:
        """The row that is selected stays so until somebody has chosen."""
        self._table.hold()

    @property
    def takes_keys(self) -> bool:
        """Not while a filter is typed."""
        return not self.typing

    # ---- commands

    def document(self) -> object | None:
        """Every model of every endpoint."""
        from quarterdeck.tui.saving.documents import of_models

        return of_models(self.console_app)

    def open_selected(self) -> None:
        """The page of the selected model."""
        shown = self._table.selected
        if shown is None:
            self.console_app.say("there is nothing to open")
        elif isinstance(shown.row, Group):
            self.console_app.say("the rows below have a page each; a acts on all of them")
        else:
            self._open(shown.row)

    def _open(self, row: ModelRow) -> None:
        if self.console_app.replay_bar:  # no server is asked of a recording
            self.console_app.open_endpoint(row.view.name)
            return
        self._table.hold()
        model = row.model.id if row.listed or row.parent is None else row.parent[1]
        self._opened = ModelScreen(row.view.name, model)
        self.app.push_screen(self._opened)

    def do_back(self) -> None:
        """Take the marks away, else clear the filter, else back to the fleet."""
        if self.state.marked and not self.typing:
            self.state.marked = set()
            self._table.update_lines()
            self.draw_selected()
        elif not self.clear_filter():
            self.app.pop_screen()

    def do_mark(self) -> None:
        """Mark the row."""
        self._table.mark()
        self.draw_selected()

    def do_group(self) -> None:
        """By name, or one by one."""
        self._table.hold()
        self.state.grouped = not self.state.grouped
        self._table.change()
        if self.state.grouped and not any(isinstance(shown.row, Group) for shown in self._table.rows):
            self.console_app.say("by name: none of these models is on two endpoints")
        self.console_app.redraw()

    # ---- mouse

    def on_selection_view_acted_on(self) -> None:
        """Right click."""
        from quarterdeck.tui.acting.flow import begin

        self.draw_selected()
        begin(self.console_app, self._targets(self._table.pointed_at))
