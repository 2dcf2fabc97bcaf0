"""Cases × models as a table."""

from __future__ import annotations

from quarterdeck.model.cases.result import Comparison
from quarterdeck.tui.chat import matrix
from quarterdeck.tui.chat.matrix import Window
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, Line, Run
from quarterdeck.tui.widgets.selection import RowsView


class CaseTable(RowsView):
    """One row a case, a column for each model."""

    def __init__(self) -> None:
        super().__init__(id="cases")
        self.run: Comparison | None = None
        self._cells: matrix.Cells = {}
        self.model = 0
        """The place of the selected model."""
        self._first = 0

    @property
    def count(self) -> int:
        """Rows."""
        return len(self.run.cases) if self.run is not None else 0

    @property
    def case(self) -> int:
        """The place of the selected case."""
        return self._at

    def show(self, run: Comparison | None) -> None:
        """Show what is known now."""
        self.run = run
        if run is not None:
            self._cells = run.cells()
            self._at = min(self._at, len(run.cases) - 1)
            self.set_length(len(run.cases) + 1)
        self.update_lines()

    def step(self, models: int) -> None:
        """Select a model so many columns to the right."""
        if self.run is not None:
            self.model = max(0, min(self.model + models, len(self.run.targets) - 1))
            self.update_lines()

    @property
    def models_shown(self) -> Window:
        """The models that have room."""
        width = self.scrollable_content_region.width
        count = matrix.fitting(len(self.run.targets), width) if self.run is not None else 1
        self._first = max(self.model - count + 1, min(self._first, self.model))
        return Window(self._first, count, width)

    def line_at(self, y: int) -> Line:
        """The models, then the cases in view."""
        if self.run is None:
            return Line((Run("  reading the cases …", MUTED),)) if y == 1 else EMPTY_LINE
        if y == 0:
            return matrix.header(self.run, self.models_shown, self.model)
        case = y - 1 + self.scroll_offset.y
        if case >= self.count:
            return EMPTY_LINE
        selected = self.model if case == self._at else None
        return matrix.case_line(self.run, self._cells, case, self.models_shown, selected)
