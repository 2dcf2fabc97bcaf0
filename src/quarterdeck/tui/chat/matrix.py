"""Cases × models as lines: what passed, what failed, how long it took; and one cell in full. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quarterdeck.engine.comparing.run import Progress
from quarterdeck.format import DASH, duration, percent, printable
from quarterdeck.model.cases.case import Case
from quarterdeck.model.cases.cells import COLUMNS, mark, row, took
from quarterdeck.model.cases.result import Comparison, Result
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cut, fit, spread, width_of, wrap

_CASE = 26
_CELL_LEAST, _CELL_MOST = 12, 26
TONES = {Verdict.PASS: "state-ok", Verdict.FAIL: BAD, Verdict.ERROR: WARN}


def cell_width(models: int, width: int) -> int:
    """Cells of a model's column; the case has what is left."""
    return max(_CELL_LEAST, min(_CELL_MOST, (width - _least_case(width) - 2) // max(1, models)))


def _least_case(width: int) -> int:
    return _CASE if width >= 80 else 12


def fitting(models: int, width: int) -> int:
    """How many models have room side by side."""
    return max(1, min(models, (width - _least_case(width) - 2) // _CELL_LEAST))


def title(run: Comparison, progress: Progress | None, running: bool, width: int) -> Line:
    """How far it is."""
    left = [Run("  Cases  ", STRONG)]
    if progress is not None:
        done = progress.done / progress.total if progress.total else None
        left.append(Run(f"{progress.done} of {progress.total} {percent(done)}  ", STRONG if running else PLAIN))
        left.append(Run(f"✓ {progress.passed}  ", "state-ok"))
        left.append(Run(f"✗ {progress.failed}  ", BAD if progress.failed else MUTED))
        left.append(Run(f"! {progress.errors}  ", WARN if progress.errors else MUTED))
    word = "running" if running else "stopped" if progress is not None and progress.done < progress.total else "done"
    return Line(spread(left, (Run(f"{word}  run {run.id} ", MUTED),), width), "head")


class Window(NamedTuple):
    """The models in view, and the cells of a line."""

    first: int
    shown: int
    width: int

    @property
    def places(self) -> range:
        """Which models."""
        return range(self.first, self.first + self.shown)

    @property
    def case_cells(self) -> int:
        """Cells of the column that names the case."""
        return max(_least_case(self.width), self.width - 2 - self.shown * cell_width(self.shown, self.width))


def header(run: Comparison, window: Window, chosen: int) -> Line:
    """The models."""
    cells = cell_width(window.shown, window.width)
    runs = [Run(fit("  case", window.case_cells + 2), MUTED)]
    for place in window.places:
        label = printable(run.targets[place].label, 120)
        runs.append(Run(fit(label, cells - 1) + " ", STRONG if place == chosen else MUTED))
    return Line(cut(runs, window.width), "head")


Cells = Mapping[tuple[int, int], list[Result | None]]


def case_line(run: Comparison, cells: Cells, case: int, window: Window, chosen: int | None) -> Line:
    """One case with every model; ``chosen`` is the model of the selected cell, where it is on this line."""
    each = cell_width(window.shown, window.width)
    runs = [
        Run("▌ " if chosen is not None else "  ", "accent"),
        Run(fit(case_name(run.cases[case], case), window.case_cells), STRONG if chosen is not None else PLAIN),
    ]
    for place in window.places:
        results = cells[case, place]
        text = f"{mark(results)} {took(results)}".rstrip()
        shown = f"[{fit(text, each - 3).rstrip()}]" if place == chosen else f" {fit(text, each - 2)}"
        runs.append(Run(fit(shown, each), _tone(results)))
    return Line(cut(runs, window.width), "selected" if chosen is not None else "")


def case_name(case: Case, place: int) -> str:
    """What it is called, else its number and how it begins."""
    name = case.description or ""
    if not name:
        name = " ".join(case.messages[-1].text.split()) if case.messages else ""
    return printable(f"{place + 1} {name}", 120)


def _tone(results: Sequence[Result | None]) -> str:
    known = [one for one in results if one is not None]
    if not known:
        return FAINT
    worst = (Verdict.FAIL, Verdict.ERROR, Verdict.PASS)
    return next(TONES[verdict] for verdict in worst if any(one.verdict is verdict for one in known))


def sums_lines(run: Comparison, width: int) -> list[Line]:
    """A line for each model: passed, times, tokens, cost."""
    rows = [COLUMNS, *(row(run, place) for place in range(len(run.targets)))]
    used = [
        place
        for place in range(len(COLUMNS))
        if place < 2 or any(each[place] not in ("0", "", DASH) for each in rows[1:])
    ]
    widths = [max(len(each[place]) for each in rows) + 2 for place in used]
    lines = []
    for number, each in enumerate(rows):
        runs = [Run("  ")]
        for place, cells in zip(used, widths, strict=True):
            if width_of(runs) + cells <= width:
                runs.append(Run(fit(each[place], cells), MUTED if not number else STRONG if not place else PLAIN))
        lines.append(Line(cut(runs, width), "head" if not number else ""))
    return lines


def cell_lines(run: Comparison, case: int, target: int, width: int) -> list[Line]:
    """One case with one model in full: the prompt, what was expected, what came of it."""
    lines = [Line((Run(f"  {printable(run.targets[target].label, 120)}", STRONG),))]
    for message in run.cases[case].messages:
        lines += _told(message.role.value, message.text, width)
    for number, result in enumerate(run.cell(case, target)):
        lines.append(Line())
        if result is None:
            lines.append(Line((Run("  not answered yet", MUTED),)))
            continue
        lines += _result_lines(result, number, width)
    return lines


def _result_lines(result: Result, number: int, width: int) -> list[Line]:
    head = f"  {number + 1}. {result.verdict.value}"
    lines = [Line((Run(head, TONES[result.verdict]), Run(f"  {printable(result.reason, 300)}", PLAIN)))]
    for finding in result.findings:
        sign = "✓" if finding.passed else "✗" if finding.passed is False else "–"
        said = " ".join(part for part in (finding.label, finding.reason, finding.detail) if part)
        lines += _told(sign, said, width)
    if result.text is not None:
        lines += _told("answer", result.text, width)
    facts = [f"TTFT {duration(result.ttft_s)}", f"total {duration(result.total_s)}", f"finish {result.finish or DASH}"]
    seen = result.circumstances
    if seen.waiting is not None:
        facts.append(f"queue {seen.waiting}")
    if seen.kv_used is not None:
        facts.append(f"KV {seen.kv_used:.0%}")
    if seen.watts is not None:
        facts.append(f"{seen.watts:.0f} W")
    lines += _told("measured", "  ".join(facts), width)
    for note in result.notes:
        lines += _told("note", note, width)
    return lines


_LABEL = 12


def _told(label: str, text: str, width: int) -> list[Line]:
    lines: list[Line] = []
    for paragraph in text.splitlines() or [""]:
        for part in wrap(printable(paragraph, 4000), max(10, width - _LABEL - 1)) or [""]:
            lines.append(Line((Run(fit(f"  {label}" if not lines else "", _LABEL), MUTED), Run(part, PLAIN))))
    return lines
