"""A comparison as Markdown. What the models and the case file say is text, never markup. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quarterdeck.format import printable
from quarterdeck.model.cases.cells import (
    COLUMNS,
    SPREADS,
    circumstances,
    columns,
    dollars,
    mark,
    reason,
    row,
    share,
    took,
)
from quarterdeck.model.cases.result import Comparison, of_all
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.report.values import timestamp

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def markdown(run: Comparison, *, texts: bool) -> str:
    """All of it; answers that failed only with ``texts``."""
    whole = of_all(run)
    cost = f", {dollars(whole.cost)}" if whole.cost is not None else ""
    head = [f"# Comparison {escaped(run.id)}", "", f"{escaped(share(whole))} passed{escaped(cost)}.", ""]
    if (begun := timestamp(run.begun)) is not None:
        head += [f"Begun {begun}.", ""]
    if run.settings:
        told = ", ".join(f"{name} {value}" for name, value in run.settings.items())
        head += [f"The same for all: {escaped(told)}.", ""]
    lines = [*head, *_sums(run), "", SPREADS, ""]
    if run.notes:
        lines += [*(f"- {escaped(note)}" for note in run.notes), ""]
    return "\n".join([*lines, "## Cases", "", *_matrix(run), "", *_failures(run, texts=texts)]).rstrip() + "\n"


def _sums(run: Comparison) -> list[str]:
    kept = columns(run)
    rows = [[COLUMNS[place] for place in kept]]
    for place in range(len(run.targets)):
        full = row(run, place)
        rows.append([full[each] for each in kept])
    return _table(rows)


def _matrix(run: Comparison) -> list[str]:
    cells = run.cells()
    rows = [["case", *(target.label for target in run.targets)]]
    for number, case in enumerate(run.cases):
        found = [cells.get((number, place), []) for place in range(len(run.targets))]
        name = f"{case.id} {case.description}".strip()
        rows.append([name, *(f"{mark(each)} {took(each)}".rstrip() for each in found)])
    return _table(rows)


def _failures(run: Comparison, *, texts: bool) -> list[str]:
    lines: list[str] = []
    for pair in run.pairs:
        one = run.results.get(pair.id)
        if one is None or one.verdict is Verdict.PASS:
            continue
        case, target = run.cases[pair.case], run.targets[pair.target]
        time = f", time {pair.repeat + 1}" if run.repeat > 1 else ""
        seen = circumstances(one.circumstances)
        lines += [
            f"- **{one.verdict.value}** {escaped(f'{case.id} ({case.where})')}, {escaped(target.label)}{time}: "
            f"{escaped(reason(one, texts=texts))}" + (f" [{escaped(seen)}]" if seen else "")
        ]
        if texts and one.text:
            lines += ["", *_fenced(one.text), ""]
    return ["## Not passed", "", *lines] if lines else []


def _fenced(text: str) -> list[str]:
    """Indented under the list, in a fence longer than any inside."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    clean = ["".join(c for c in line if c.isprintable() or c == "\t") for line in text.split("\n")]
    return [f"  {line}".rstrip() for line in (fence + "text", *clean, fence)]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = [[escaped(cell) for cell in row] for row in rows]
    return [_line(head), _line(["---"] * len(head)), *map(_line, body)]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def escaped(text: str) -> str:
    """One line without markup."""
    return _MARKUP.sub(r"\\\1", printable(text, 2000))
