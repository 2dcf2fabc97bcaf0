"""The models as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.format import percent, printable
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.tui.columns import Layout
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, Line
from quarterdeck.tui.models.cells import Known, header, row_line, told_columns, wanted_widths
from quarterdeck.tui.models.columns import layout
from quarterdeck.tui.models.rows import ModelRow, Shown, arranged, model_rows, same_told
from quarterdeck.tui.widgets.selection import Remembering, RowsView

if TYPE_CHECKING:
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.job import Job
    from quarterdeck.tui.models.state import ModelsState


class ModelTable(Remembering, RowsView):
    """One row a model of an endpoint, under a line of titles. What was selected stays selected wherever it moves."""

    def __init__(self, state: ModelsState) -> None:
        super().__init__(state, id="models")
        self.state: ModelsState = state
        self.all: list[ModelRow] = []
        self.rows: list[Shown] = []
        self.empty: list[Line] = []
        """Shown while there is no row."""
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self._known = Known()
        self._layout = Layout(0, ())
        self._made_of: tuple[EndpointView, ...] = ()
        self._timed = False

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.rows)

    @property
    def layout_now(self) -> Layout:
        """The columns shown."""
        return self._layout

    @property
    def known(self) -> Known:
        """What is known besides the rows."""
        return self._known

    @property
    def selected(self) -> Shown | None:
        """The selected row."""
        return self.rows[self._at] if self.rows else None

    @property
    def shown_models(self) -> int:
        """How many models the filter keeps."""
        return sum(isinstance(shown.row, ModelRow) for shown in self.rows)

    def show(self, frame: Frame) -> None:
        """Show a snapshot; where its endpoints and jobs are those already shown, only the times left can change."""
        old, new = self._frame.fleet, frame.fleet
        self._frame = frame
        jobs = self._known.jobs if new.jobs is old.jobs else _working(new)
        self._known = Known(frame.unix, self.state.licences, jobs)
        changed = new.endpoints is not old.endpoints and self._make_rows(new)
        if changed or new.jobs is not old.jobs or self._timed:
            self.rearrange()
        self.update_lines()

    def _make_rows(self, fleet: FleetSnapshot) -> bool:
        """Make the rows anew; ``False`` where they would be the same."""
        made, new = self._made_of, fleet.endpoints
        if len(made) == len(new) and all(map(same_told, made, new)):
            return False
        self._made_of = new
        self.all = model_rows(fleet)
        return True

    def newest(self, row: ModelRow) -> EndpointView:
        """The endpoint of a row as it is known now: its load isn't part of the row."""
        views = (view for view in self._frame.fleet.endpoints if view.name == row.view.name)
        return next(views, row.view)

    def rearrange(self) -> None:
        """Find rows and columns anew: another snapshot, order, filter, mode or width."""
        state = self.state
        state.told |= told_columns(self.all, self._known)
        self.rows = arranged(self._kept(), state.order, grouped=state.grouped)
        self._layout = layout(max(0, self.full_width - 1), wanted_widths(self.all, self._known), state.told)
        self._find_selected()
        self.set_length(len(self.rows) + 1)

    def _kept(self) -> list[ModelRow]:
        """What the filter keeps."""
        if not self.needle.strip():
            self.said, self._timed = "", False
            return self.all
        from quarterdeck.tui.sieve import sieved

        kept = sieved(self.all, self.needle, "models", self._frame, self.state.licences)
        self.said, self._timed = kept.said, kept.timed
        return kept.rows

    def change(self) -> None:
        """The state says otherwise."""
        self.rearrange()
        self.keep_in_view()
        self.update_lines()

    def _find_selected(self) -> None:
        if not self.rows or self.state.selected is None:
            self._at = 0
            return
        for place, shown in enumerate(self.rows):
            if shown.row.key == self.state.selected:
                self._at = place
                return
        self._at = min(self._at, len(self.rows) - 1)

    # ---- moving and marking

    def chosen(self) -> None:
        """Also after the view was left."""
        self.state.selected = self.rows[self._at].row.key

    def mark(self) -> None:
        """Mark the selected row, or take its mark away, and go to the next; of a group, all its rows."""
        shown = self.selected
        if shown is None:
            return
        keys = {row.key for row in shown.models}
        self.state.marked = self.state.marked - keys if keys <= self.state.marked else self.state.marked | keys
        self.move(1)

    @property
    def marked(self) -> list[ModelRow]:
        """The marked rows that are still shown."""
        marked = self.state.marked
        return [s.row for s in self.rows if isinstance(s.row, ModelRow) and s.row.key in marked] if marked else []

    @property
    def acted_on(self) -> list[ModelRow]:
        """The marked rows, else what the selected one stands for."""
        shown = self.selected
        return self.marked or (list(shown.models) if shown is not None else [])

    @property
    def pointed_at(self) -> list[ModelRow]:
        """What the right button means: the selected row, and where that is one of the marked ones, all of them."""
        shown = self.selected
        if shown is None or all(row.key in self.state.marked for row in shown.models):
            return self.acted_on
        return list(shown.models)

    def order_at(self, x: int) -> str:
        """By the columns shown."""
        return self._layout.order_at(x, self.state.orders)

    # ---- drawing

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        if not self.rows:
            return self._empty_line(y)
        if y == 0:
            return header(self._layout, self.state.order)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.rows):
            return EMPTY_LINE
        shown = self.rows[place]
        marked = bool(self.state.marked) and all(row.key in self.state.marked for row in shown.models)
        return row_line(shown, self._layout, self._known, selected=place == self._at, marked=marked)

    def _empty_line(self, y: int) -> Line:
        place = y - max(0, (self.size.height - len(self.empty)) // 3)
        return self.empty[place] if 0 <= place < len(self.empty) else EMPTY_LINE

    def resized(self) -> None:
        """Other columns may fit now. The first size is the moment to scroll to where one was."""
        self.rearrange()
        self.restore()
        self.keep_in_view()


def _working(fleet: FleetSnapshot) -> dict[tuple[str, str], str]:
    """(endpoint, model) → the job that goes on with it, and how far it is."""
    found: dict[tuple[str, str], str] = {}
    for job in fleet.jobs:
        if not job.state.ended and (model := job.order.model):
            found.setdefault((job.order.target, model), _far(job))
    return found


def _far(job: Job) -> str:
    done = f" {percent(job.progress.fraction)}" if job.progress.fraction is not None else ""
    return printable(job.order.action, 20) + done
