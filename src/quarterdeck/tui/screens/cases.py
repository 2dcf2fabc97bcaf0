"""Cases × models with live progress: a cell for each, Enter reads one, failures are asked again."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult

from quarterdeck.engine.comparing.sitting import CasesRun
from quarterdeck.errors import QuarterdeckError
from quarterdeck.format import printable
from quarterdeck.model.cases.result import Comparison
from quarterdeck.tui.chat import matrix
from quarterdeck.tui.chat.matrix import Window
from quarterdeck.tui.commands import bindings
from quarterdeck.tui.contract import Frame
from quarterdeck.tui.lines import EMPTY_LINE, MUTED, WARN, Line, Run, cut
from quarterdeck.tui.screens.base import ConsoleScreen
from quarterdeck.tui.status import Status
from quarterdeck.tui.widgets.lines_view import LinesBlock, LinesView
from quarterdeck.tui.widgets.status_line import StatusLine

_HINTS = (("Esc", "chat"), ("Enter", "read"), ("x", "stop"), ("R", "go on, failures again"), ("?", "help"))
_LOOK_S = 0.5
"""Between two looks at how far the run is."""


class CaseTable(LinesView):
    """One row a case, a column for each model."""

    def __init__(self) -> None:
        super().__init__(id="cases")
        self.run: Comparison | None = None
        self._cells: matrix.Cells = {}
        self.row = self.model = 0
        self._first = 0

    def show(self, run: Comparison | None) -> None:
        """Show what is known now."""
        self.run = run
        if run is not None:
            self._cells = run.cells()
            self.row = min(self.row, len(run.cases) - 1)
            self.set_length(len(run.cases) + 1)
        self.update_lines()

    def move(self, rows: int, models: int = 0) -> None:
        """Select another cell."""
        if self.run is None:
            return
        self.row = max(0, min(self.row + rows, len(self.run.cases) - 1))
        self.model = max(0, min(self.model + models, len(self.run.targets) - 1))
        top, window = self.scroll_offset.y, max(1, self.size.height - 1)
        if not top <= self.row < top + window:
            self.scroll_to(y=max(0, self.row - window // 2), animate=False, immediate=True)
        self.update_lines()

    @property
    def window(self) -> Window:
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
            return matrix.header(self.run, self.window, self.model)
        case = y - 1 + self.scroll_offset.y
        if case >= len(self.run.cases):
            return EMPTY_LINE
        return matrix.case_line(self.run, self._cells, case, self.window, self.model if case == self.row else None)

    def on_click(self, event: events.Click) -> None:
        """Select."""
        if event.y and self.run is not None:
            self.move(event.y - 1 + self.scroll_offset.y - self.row)


class CasesScreen(ConsoleScreen):
    """The matrix of a run, and what it adds up to."""

    where = "cases"
    BINDINGS = bindings("cases")
    AUTO_FOCUS = ""

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
        app = self.console_app
        started = app.engine is not None
        self._status.show_status(
            Status(frame.fleet, app.interval, paused=app.paused, started=started, notice=app.notice, hints=_HINTS)
        )

    # ---- commands

    def do_back(self) -> None:
        """Back to the chat; the run goes on."""
        self.app.pop_screen()

    do_leave = do_back

    def do_up(self) -> None:
        """The case above."""
        self._table.move(-1)

    def do_down(self) -> None:
        """The case below."""
        self._table.move(1)

    def do_page_up(self) -> None:
        """A window up."""
        self._table.move(2 - self._table.size.height)

    def do_page_down(self) -> None:
        """A window down."""
        self._table.move(self._table.size.height - 2)

    def do_top(self) -> None:
        """The first case."""
        self._table.move(-(1 << 20))

    def do_bottom(self) -> None:
        """The last case."""
        self._table.move(1 << 20)

    def do_previous_column(self) -> None:
        """The model at the left."""
        self._table.move(0, -1)

    def do_next_column(self) -> None:
        """The model at the right."""
        self._table.move(0, 1)

    def do_open(self) -> None:
        """Read one cell."""
        run = self._run.comparison()
        if run is None:
            return
        from quarterdeck.tui.screens.reading import ReadingScreen

        case, model = self._table.row, self._table.model
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
