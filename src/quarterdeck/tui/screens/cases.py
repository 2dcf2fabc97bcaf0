"""Cases × models with live progress: a cell for each, Enter reads one, failures are asked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult

from quarterdeck.engine.comparing.sitting import CasesRun
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.tui.chat import matrix
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import MUTED, WARN, Line, Run, cut
from quarterdeck.tui.screens.base import RowsScreen
from quarterdeck.tui.widgets.case_table import CaseTable
from quarterdeck.tui.widgets.lines_view import LinesBlock
from quarterdeck.tui.widgets.status_line import StatusLine

if TYPE_CHECKING:
    from quarterdeck.tui.copying.doing import Copyable

_HINTS = (
    ("back", "chat"),
    ("open", "read"),
    ("stop_cases", "stop"),
    ("rerun_cases", "go on, failures again"),
    ("help", "help"),
)
_LOOK_S = 0.5
"""Between two looks at how far the run is."""


class CasesScreen(RowsScreen):
    """The matrix of a run, and what it adds up to."""

    where = "cases"
    BINDINGS = bindings("cases")

    def __init__(self, run: CasesRun) -> None:
        super().__init__()
        self._run = run
        self._title = LinesBlock(id="title", height=1)
        self._table = CaseTable()
        self._sums = LinesBlock(id="sums", height=0)
        self._status = StatusLine()
        self._sums_height = 0
        self._seen_of_run: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        """Title, matrix, sums, status."""
        yield from (self._title, self._table, self._sums, self._status)

    @property
    def table(self) -> CaseTable:
        """The matrix."""
        return self._table

    def draw_selected(self) -> None:
        """Nothing else follows the selection."""

    def on_mount(self) -> None:
        """The run goes on between the fleet's frames."""
        super().on_mount()
        self.set_interval(_LOOK_S, self._look)

    def _look(self) -> None:
        seen = (self._run.progress, self._run.running, self._run.problem)
        if seen != self._seen_of_run:
            self._seen_of_run = seen
            self.console_app.redraw()

    def draw(self, frame: Frame) -> None:
        """Bring what is known to the widgets."""
        run, width = self._run.comparison(), self.room.width
        self._table.show(run)
        if run is not None:
            self._title.show([matrix.title(run, self._run.progress, self._run.running, width)])
            lines = matrix.sums_lines(run, width)
            lines += [Line(cut((Run(f"  {printable(note, 300)}", MUTED),), width)) for note in run.notes]
            if self._run.problem:
                lines.append(Line(cut((Run(f"  stopped: {printable(self._run.problem, 300)}", WARN),), width)))
            room = max(0, self.room.height - 5)
            lines = lines[: min(len(lines), room // 2)]
            if len(lines) != self._sums_height:
                self._sums_height = len(lines)
                self._sums.styles.height = len(lines)
            self._sums.show(lines)
        self._status.show_status(self.status_of(frame, _HINTS))

    # ---- commands

    def to_copy(self) -> Sequence[Copyable]:
        """The answer of the selected cell; all of the cell."""
        run = self._run.comparison()
        if run is None:
            return ()
        from quarterdeck.tui.copying.doing import Copyable

        case, model = self._table.case, self._table.model
        answers = [result.text or "" for result in run.cell(case, model) if result is not None]
        whole = matrix.cell_lines(run, case, model, 100)
        return (
            Copyable("the answer", next((text for text in reversed(answers) if text), "")),
            Copyable("prompt, answer and verdict", "\n".join(line.text.rstrip() for line in whole)),
        )

    def document(self) -> object | None:
        """The run so far, without prompts and answers."""
        from quarterdeck.report.compare.document import document

        run = self._run.comparison()
        return document(run, texts=False) if run is not None else None

    def do_previous_column(self) -> None:
        """The model at the left."""
        self._table.step(-1)

    def do_next_column(self) -> None:
        """The model at the right."""
        self._table.step(1)

    def do_open(self) -> None:
        """Read one cell."""
        run = self._run.comparison()
        if run is None:
            return
        from quarterdeck.tui.screens.reading import ReadingScreen

        case, model = self._table.case, self._table.model
        name = matrix.case_name(run.cases[case], case)
        self.app.push_screen(ReadingScreen(name, lambda width: matrix.cell_lines(run, case, model, width)))

    def do_stop_cases(self) -> None:
        """Ask no more."""
        if self._run.running:
            self._run.stop()
            self.console_app.say("stopping; what was answered is kept, R goes on")
        else:
            self.console_app.say("nothing is running")

    def do_rerun_cases(self) -> None:
        """Go on where it was stopped; where all is answered, ask once more what did not pass."""
        progress = self._run.progress
        if self._run.running or progress is None:
            self.console_app.say("it is running")
            return
        try:
            missing = progress.total - progress.done
            count = missing or self._run.again()
        except QuarterdeckError as error:
            self.console_app.say(printable(error.message, 300))
            return
        if not count:
            self.console_app.say("everything has passed")
            return
        self._run.start()
        self.console_app.say(f"asking {count} {'that are missing' if missing else 'that did not pass again'}")
