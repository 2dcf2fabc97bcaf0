"""The fleet as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import events

from quarterdeck.model.fleet import EMPTY_FLEET, EndpointView
from quarterdeck.tui.cells import Moment, header, row_line
from quarterdeck.tui.columns import MARKER, Layout, RowsState, in_order, layout
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, FAINT, MUTED, PLAIN, STRONG, Line, Run, cell_width, wrap
from quarterdeck.tui.rows import IN_TURN, ORDERS, Key, Row, has_parts, rows, wanted_widths, widening
from quarterdeck.tui.widgets.selection import Remembering, RowsView

if TYPE_CHECKING:
    from quarterdeck.model.alerts.alert import Alert


class FleetTable(Remembering, RowsView):
    """One row an endpoint, under a line of titles. What was selected stays selected wherever it moves."""

    def __init__(self) -> None:
        super().__init__(RowsState(ORDERS, IN_TURN), id="fleet")
        self.state: RowsState[Key]
        self.opened: set[str] = set()
        self.rows: list[Row] = []
        self.marked: set[Key] = set()
        self.empty: list[Line] = []
        """Shown, centred, while there is no row."""
        self._timed = False
        self._alarms: dict[str, str] = {}
        self._frame = Frame(EMPTY_FLEET, 0.0, 0.0)
        self._layout: Layout = layout(0, {})
        self._made_for: tuple[int, list[tuple[object, ...]]] = (0, [])

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.rows)

    @property
    def layout_now(self) -> Layout:
        """The columns shown."""
        return self._layout

    @property
    def selected_view(self) -> EndpointView | None:
        """The selected endpoint."""
        return self.rows[self._at].view if self.rows else None

    @property
    def selected_row(self) -> Row | None:
        """The selected row, an endpoint's or one below it."""
        return self.rows[self._at] if self.rows else None

    @property
    def shown_endpoints(self) -> int:
        """How many endpoints the filter keeps."""
        return sum(row.part is None for row in self.rows)

    def show(self, frame: Frame) -> None:
        """Show a snapshot; where its endpoints are those already shown, only ages can change."""
        same = frame.fleet.endpoints is self._frame.fleet.endpoints
        if frame.fleet.alerts is not self._frame.fleet.alerts:
            self._alarms = _marks(frame.fleet.alerts)
        self._frame = frame
        if not same or self._timed:
            self.rearrange()
        self.update_lines()

    def rearrange(self) -> None:
        """Find rows and columns anew: another snapshot, order, filter, width, or something folded."""
        fleet = self._frame.fleet
        self.rows = rows(in_order(self._kept(), self.order), self.opened)
        made_for = self._table_width(), [widening(view) for view in fleet.endpoints]
        if made_for != self._made_for:
            self._made_for, self._layout = made_for, layout(made_for[0], wanted_widths(fleet))
        self._find_selected()
        self.set_length(len(self.rows) + 1)

    def _kept(self) -> Sequence[EndpointView]:
        """What the filter keeps."""
        fleet = self._frame.fleet
        if not self.needle.strip():
            self.said, self._timed = "", False
            return fleet.endpoints
        from quarterdeck.tui.sieve import sieved  # not before something is typed

        kept = sieved(fleet.endpoints, self.needle, "fleet", self._frame)
        self.said, self._timed = kept.said, kept.timed
        return kept.rows

    def change(self) -> None:
        """Sort or filter otherwise."""
        self.rearrange()
        self.keep_in_view()
        self.update_lines()

    def _table_width(self) -> int:
        """One cell is kept for the scrollbar, so that columns stay where they are when it appears."""
        return max(0, self.full_width - 1)

    def _find_selected(self) -> None:
        if (
            not self.rows or self.state.selected is None
        ):  # until somebody chooses, it is the first: the gravest is on top
            self._at = 0
            return
        for place, row in enumerate(self.rows):
            if row.key == self.state.selected:
                self._at = place
                return
        owner = self.state.selected[0]
        at_owner = next((place for place, row in enumerate(self.rows) if row.key == (owner, "")), None)
        self._at = at_owner if at_owner is not None else min(self._at, len(self.rows) - 1)
        if at_owner is not None:
            self.state.selected = self.rows[self._at].key

    # ---- moving and folding

    def chosen(self) -> None:
        """From now on it is this row that is selected, not the one on top."""
        self.state.selected = self.rows[self._at].key

    def fold(self, opened: bool) -> bool:
        """Open or close the selected endpoint; ``False`` if there is nothing to do."""
        row = self.selected_row
        if row is None or (opened and not has_parts(row.view)) or opened is (row.view.name in self.opened):
            return False
        self.opened ^= {row.view.name}
        self.state.selected = (row.view.name, "")
        self.rearrange()
        self.keep_in_view()
        self.update_lines()
        return True

    def mark(self) -> None:
        """Mark the selected row, or take its mark away, and go to the next."""
        row = self.selected_row
        if row is not None:
            self.marked ^= {row.key}
            self.move(1)

    @property
    def acted_on(self) -> list[Row]:
        """The marked rows that are still shown, else the selected one."""
        marked = [row for row in self.rows if row.key in self.marked]
        return marked or ([self.rows[self._at]] if self.rows else [])

    @property
    def pointed_at(self) -> list[Row]:
        """What the right button means: the selected row, and where that is one of the marked ones, all of them."""
        row = self.selected_row
        return self.acted_on if row is None or row.key in self.marked else [row]

    def order_at(self, x: int) -> str:
        """By the columns shown."""
        return self._layout.order_at(x, self.state.orders)

    # ---- drawing

    def line_at(self, y: int) -> Line:
        """The titles, then the rows in view."""
        if not self.rows:
            return self._empty_line(y)
        if y == 0:
            return header(self._layout, self.order)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.rows):
            return EMPTY_LINE
        row = self.rows[place]
        moment = Moment(self._frame.now, self._frame.unix)
        opened = row.view.name in self.opened
        marked = row.key in self.marked
        alarm = self._alarms.get(row.view.name, "")
        return row_line(
            row, self._layout, moment, selected=place == self._at, opened=opened, marked=marked, alarm=alarm
        )

    def _empty_line(self, y: int) -> Line:
        first = max(0, (self.size.height - len(self.empty)) // 3)
        place = y - first
        return self.empty[place] if 0 <= place < len(self.empty) else EMPTY_LINE

    def resized(self) -> None:
        """Other columns may fit now."""
        self.rearrange()
        self.restore()
        self.keep_in_view()

    # ---- mouse

    def clicked(self, event: events.Click) -> None:
        """A click on the triangle unfolds."""
        row = self.rows[self._at]
        if event.x < MARKER and row.part is None:
            self.fold(row.view.name not in self.opened)


def empty_lines(welcome: tuple[str, ...], width: int, *, filtered: bool) -> list[Line]:
    """What an empty table says: what is being looked for, or what was found missing and what to do."""
    if filtered:
        return [_centred("no endpoint matches the filter", width, STRONG), _centred("Esc clears it", width, MUTED)]
    texts = [part for text in welcome for part in (wrap(text, max(1, min(76, width - 4))) or [""])]
    block = max((cell_width(text) for text in texts), default=0)
    indent = " " * max(0, (width - block) // 2)
    tones = [STRONG, *([PLAIN] * len(texts))]
    return [Line((Run(indent, FAINT), Run(text, tone))) for text, tone in zip(texts, tones, strict=False)]


def _centred(text: str, width: int, tone: str) -> Line:
    return Line((Run(" " * max(0, (width - cell_width(text)) // 2) + text, tone),))


def _marks(alerts: tuple[Alert, ...]) -> dict[str, str]:
    from quarterdeck.tui.alerts.lines import marks  # not before there is an alert

    return marks(alerts)
