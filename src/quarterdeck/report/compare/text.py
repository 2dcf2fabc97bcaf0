"""A comparison for the terminal: the matrix cases × models, why what failed did, and the sums. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quarterdeck.format import printable
from quarterdeck.model.cases.cells import COLUMNS, SPREADS, columns, dollars, mark, reason, row, share, took
from quarterdeck.model.cases.result import Comparison, Result, of_all
from quarterdeck.model.cases.verdict import Verdict

_MOST_ROWS = 200
_MOST_REASONS = 30


def text(run: Comparison) -> str:
    """All of it."""
    whole = of_all(run)
    parts = [_matrix(run), _reasons(run), _sums(run)]
    parts += ["".join(f"{printable(note, 400)}\n" for note in run.notes)] if run.notes else []
    cost = f", {dollars(whole.cost)}" if whole.cost is not None else ""
    unknown = f" ({whole.unpriced} answers of unknown cost)" if whole.cost is not None and whole.unpriced else ""
    parts.append(f"{share(whole)} passed{cost}{unknown}\n")
    return "\n".join(part for part in parts if part)


def _matrix(run: Comparison) -> str:
    cells = run.cells()
    places = range(len(run.targets))
    rows = [("case", *(printable(target.label, 40) for target in run.targets))]
    # What failed is shown first where not all fit.
    order = sorted(range(len(run.cases)), key=lambda number: (_all_well(cells, number, len(run.targets)), number))
    shown = sorted(order[:_MOST_ROWS])
    for number in shown:
        case = run.cases[number]
        name = " ".join(part for part in (case.id, case.description) if part)
        found = [cells.get((number, place), []) for place in places]
        rows.append((printable(name, 40), *(f"{mark(each)} {took(each)}".rstrip() for each in found)))
    more = len(run.cases) - len(shown)
    return _table(rows) + (f"… and {more} more cases that passed everywhere or failed as others\n" if more > 0 else "")


def _all_well(cells: Mapping[tuple[int, int], Sequence[Result | None]], number: int, targets: int) -> bool:
    found = [one for place in range(targets) for one in cells.get((number, place), [])]
    return all(one is not None and one.verdict is Verdict.PASS for one in found)


def _reasons(run: Comparison) -> str:
    lines = []
    for pair in run.pairs:
        one = run.results.get(pair.id)
        if one is None or one.verdict is Verdict.PASS:
            continue
        time = f" (time {pair.repeat + 1})" if run.repeat > 1 else ""
        where = f"{run.cases[pair.case].id} {run.targets[pair.target].label}{time}"
        lines.append(f"{one.verdict.value}  {printable(where, 120)}: {printable(reason(one, texts=True), 300)}\n")
    more = len(lines) - _MOST_REASONS
    return "".join(lines[:_MOST_REASONS]) + (f"… and {more} more\n" if more > 0 else "")


def _sums(run: Comparison) -> str:
    kept = columns(run)
    rows = [tuple(COLUMNS[place] for place in kept)]
    for place in range(len(run.targets)):
        full = row(run, place)
        rows.append(tuple(full[each] for each in kept))
    spread = run.repeat > 1 or len(run.cases) > 1
    return _table(rows) + (f"{SPREADS}\n" if spread else "")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in rows
    )
