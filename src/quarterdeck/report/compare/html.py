"""A comparison as one HTML page that needs nothing else. All text is escaped; no script, nothing fetched. Pure."""

from __future__ import annotations

from html import escape
from typing import Any

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
from quarterdeck.model.cases.result import Comparison, Result, of_all
from quarterdeck.model.cases.verdict import Verdict
from quarterdeck.report.values import timestamp

_STYLE = """\
body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1b2430;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #d4dae2;padding:.3rem .6rem;text-align:left;vertical-align:top}
th{background:#f2f5f8}.pass{background:#e7f6ea}.fail{background:#fde8e8}.error{background:#fff3d6}
summary{cursor:pointer}pre{white-space:pre-wrap;max-width:50rem;margin:.4rem 0}small{color:#5a6675}
@media(prefers-color-scheme:dark){body{background:#10151c;color:#dbe3ec}th{background:#1b232e}th,td{border-color:#2d3947}
.pass{background:#12331c}.fail{background:#431d1d}.error{background:#41330f}small{color:#93a1b1}}"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(run: Comparison, *, texts: bool) -> str:
    """All of it; prompts and answers only with ``texts``."""
    whole = of_all(run)
    cost = f", {dollars(whole.cost)}" if whole.cost is not None else ""
    begun = timestamp(run.begun)
    told = ", ".join(f"{name} {value}" for name, value in run.settings.items())
    notes = "".join(f"<li>{_text(note)}</li>" for note in run.notes)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>Comparison {_text(run.id)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Comparison {_text(run.id)}</h1>",
        f"<p>{_text(share(whole))} passed{_text(cost)}.{f' Begun {begun}.' if begun else ''}</p>",
        f"<p>The same for all: {_text(told)}.</p>" if told else "",
        _sums(run),
        f"<p><small>{SPREADS}</small></p>",
        f"<ul>{notes}</ul>" if notes else "",
        "<h2>Cases</h2>",
        _matrix(run, texts=texts),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _sums(run: Comparison) -> str:
    kept = columns(run)
    head = "".join(f"<th>{COLUMNS[place]}</th>" for place in kept)
    body = ""
    for place in range(len(run.targets)):
        full = row(run, place)
        body += "<tr>" + "".join(f"<td>{_text(full[each])}</td>" for each in kept) + "</tr>\n"
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>"


def _matrix(run: Comparison, *, texts: bool) -> str:
    cells = run.cells()
    head = "<th>case</th>" + "".join(f"<th>{_text(target.label)}</th>" for target in run.targets)
    lines = []
    for number, case in enumerate(run.cases):
        name = f"<b>{_text(case.id)}</b> {_text(case.description)}<br><small>{_text(case.where)}</small>"
        if texts:
            asked = "\n\n".join(f"{message.role.value}: {message.text}" for message in case.messages)
            name += f"<details><summary>prompt</summary><pre>{escape(asked)}</pre></details>"
        found = [_cell(cells.get((number, place), []), texts=texts) for place in range(len(run.targets))]
        lines.append(f"<tr><td>{name}</td>{''.join(found)}</tr>")
    body = "\n".join(lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _cell(results: list[Result | None], *, texts: bool) -> str:
    known = [one for one in results if one is not None]
    worst = next(
        (v for v in (Verdict.FAIL, Verdict.ERROR, Verdict.PASS) if any(one.verdict is v for one in known)), None
    )
    inside = _text(f"{mark(results)} {took(results)}".rstrip())
    inside += "".join(_answer(one, texts=texts) for one in known)
    return f'<td class="{worst.value if worst is not None else "none"}">{inside}</td>'


def _answer(one: Result, *, texts: bool) -> str:
    why = reason(one, texts=texts)
    seen = circumstances(one.circumstances)
    more = "; ".join(part for part in (seen, *one.notes) if part)
    parts = [f"<br>{_text(why)}" if why else "", f"<br><small>{_text(more)}</small>" if more else ""]
    if texts and one.text:
        parts.append(f"<details><summary>answer</summary><pre>{escape(one.text)}</pre></details>")
    return "".join(parts)


def _text(value: Any) -> str:
    return escape(printable(str(value), 2000))
