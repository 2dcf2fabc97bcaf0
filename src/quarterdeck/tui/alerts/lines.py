"""Alerts as rows, and the selected one in full. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from quarterdeck.format import age, printable
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.tui.columns import Order, titled
from quarterdeck.tui.helping.legend import Sign
from quarterdeck.tui.lines import (
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    Line,
    Run,
    cut,
    fit,
    shortened,
    spread,
    width_of,
    wrap,
)
from quarterdeck.tui.scales import clock

_WORD = 10
_AGE = 6
_SUBJECT_LEAST, _SUBJECT_MOST = 10, 24


class AlertLook(NamedTuple):
    """How an alert is seen."""

    glyph: str
    word: str
    tone: str
    meaning: str


LOOKS: Mapping[Severity, AlertLook] = {
    Severity.CRITICAL: AlertLook("▲", "critical", "state-down", "Requests fail or soon will: look now."),
    Severity.WARNING: AlertLook(
        "△", "warning", "state-busy", "Something is not as it should be: look when there is time."
    ),
}
CLEARED = AlertLook("○", "cleared", FAINT, "It doesn't hold any more; it stays in the list for a while.")
COLUMNS = (
    Sign("severity", "How bad it is."),
    Sign("where", "The endpoint, the machine, or MACHINE/GPU."),
    Sign("what", "What is wrong, with its number."),
    Sign("for", "How long it has been so; of a cleared one, how long it was."),
)
"""The titles, and what stands below each."""
FACTS = (
    Sign("ack", "Somebody has acknowledged it; seen: who, when, with which note."),
    Sign("silent", "Nobody is told of it until then; it is shown all the same."),
    Sign("since", "When it began to be so; raised: when it had been so for as long as its rule wants."),
    Sign("cause", "Why it is so, most likely."),
    Sign("try", "What to try first."),
    Sign("evidence", "The numbers when it was raised, and now."),
)
"""What is told of the selected one."""


def look(alert: Alert) -> AlertLook:
    """By its severity while it is open."""
    return LOOKS[alert.severity] if alert.open else CLEARED


def summary(alerts: Sequence[Alert], width: int) -> Line:
    """How many are open, and what was said to them."""
    opened = [alert for alert in alerts if alert.open]
    runs = [Run("  Alerts  ", STRONG)]
    if not opened:
        return Line(cut([*runs, Run("● none open", "state-ok")], width), "head")
    for severity, seen in LOOKS.items():
        count = sum(alert.severity is severity for alert in opened)
        if count:
            runs.append(Run(f"{seen.glyph} {count} {seen.word}  ", seen.tone))
    said = sum(alert.acknowledged is not None for alert in opened)
    if said:
        runs.append(Run(f"{said} acknowledged  ", MUTED))
    return Line(cut(runs, width), "head")


def _rank(alert: Alert) -> int:
    return list(LOOKS).index(alert.severity) if alert.open else len(LOOKS)


ORDERS = (
    Order("state", "gravest first", "severity", _rank, turned_label="least grave first"),
    Order("name", "by place", "where", lambda alert: alert.subject.casefold()),
    Order("time", "latest first", "for", lambda alert: -alert.since, turned_label="longest first"),
)
"""Equal ones stay as the rules tell them: the newest first."""
TITLES = {"severity": "state", "where": "name", "for": "time"}
"""The orders that titles stand for."""


def header(width: int, subject: int, order: Order | None = None) -> Line:
    """The titles, with an arrow at the one that sorts."""

    def title(column: str, cells: int, before: str = "", *, right: bool = False) -> Run:
        shown = titled(column, column, order)
        return Run(before + fit(shown, cells, right=right), STRONG if shown != column else MUTED)

    left = [title("severity", _WORD + 1, "   "), title("where", subject), Run("what", MUTED)]
    return Line(spread(left, (title("for", _AGE, right=True), Run(" ")), width), "head")


def subject_width(alerts: Sequence[Alert], width: int) -> int:
    """Cells of the column that says where."""
    longest = max((width_of((Run(printable(alert.subject, 60)),)) for alert in alerts), default=0) + 2
    return max(_SUBJECT_LEAST, min(longest, _SUBJECT_MOST, width // 3))


def row_line(alert: Alert, width: int, unix: float, subject: int, *, selected: bool) -> Line:
    """One alert: how bad, where, what, what was said to it, for how long."""
    seen = look(alert)
    lasted = (alert.cleared_at if alert.cleared_at is not None else unix) - alert.since
    right = [Run(f" {age(max(0.0, lasted)):>{_AGE}} ", MUTED)]
    if word := _said(alert, unix):
        right.insert(0, Run(f"  {word}", MUTED))
    left = [
        Run("▌ " if selected else "  ", "accent"),
        Run(seen.glyph, seen.tone),
        Run(fit(" " + seen.word, _WORD + 1), seen.tone),
        Run(fit(printable(alert.subject, 60), subject - 1) + " ", STRONG if alert.open else MUTED),
    ]
    room = max(0, width - width_of(left) - width_of(right) - 1)
    left.append(Run(fit(printable(alert.what, 300), room), PLAIN if alert.open else FAINT))
    return Line(spread(left, right, width), "selected" if selected else "")


def _said(alert: Alert, unix: float) -> str:
    if not alert.open:
        return ""
    if alert.acknowledged is not None:
        return "ack"
    return "silent" if alert.silenced_until is not None and alert.silenced_until > unix else ""


def details(alert: Alert, width: int, unix: float, height: int) -> list[Line]:
    """Everything that is known of an alert, in at most ``height`` lines."""
    seen = look(alert)
    title = (Run(f"  {printable(alert.subject, 60)}  ", STRONG), Run(printable(alert.rule, 60), MUTED))
    lines = [Line(spread(title, (Run(f"{seen.glyph} {seen.word} ", seen.tone),), width), "head")]
    lines += _told("what", (alert.what,), width, STRONG)
    lines += _told("since", (_times(alert, unix),), width)
    lines += _told("cause", (alert.cause,), width)
    lines += _told("try", (alert.advice,), width, STRONG)
    if alert.acknowledged is not None:
        seen_by = alert.acknowledged
        note = f": {printable(seen_by.note, 200)}" if seen_by.note else ""
        lines += _told("seen", (f"by {printable(seen_by.by, 60)} at {clock(seen_by.at)}{note}",), width)
    if alert.silenced_until is not None and alert.silenced_until > unix:
        lines += _told("silent", (f"until {clock(alert.silenced_until)}: nobody is told",), width)
    lines += _told("evidence", alert.evidence, width)  # last: it may be long, and what to do must not be cut
    return list(shortened(lines, height, "a taller terminal shows them"))


def _times(alert: Alert, unix: float) -> str:
    began = f"{clock(alert.since)}, {age(max(0.0, unix - alert.since))} ago; raised {clock(alert.raised_at)}"
    return began if alert.cleared_at is None else f"{began}; cleared {clock(alert.cleared_at)}"


_LABEL = 12


def _told(label: str, texts: Sequence[str], width: int, tone: str = PLAIN) -> list[Line]:
    lines: list[Line] = []
    for text in texts:
        for part in wrap(printable(text, 400), max(10, width - _LABEL - 1)):
            lines.append(Line((Run(fit("  " + (label if not lines else ""), _LABEL), MUTED), Run(part, tone))))
    return lines


NOTHING = (
    "Nothing is wrong, and nothing was lately.",
    "Rules: [alerts] and [[alert]] in fleet.toml. Tab shows what happened.",
)
"""What an empty list says."""


def marks(alerts: Sequence[Alert]) -> dict[str, str]:
    """Endpoint → tone of the mark on its row: its worst alert that is open and that nobody has acknowledged."""
    found: dict[str, Severity] = {}
    for alert in alerts:
        if alert.open and alert.acknowledged is None and alert.endpoint is not None:
            worst = found.get(alert.endpoint)
            found[alert.endpoint] = (
                Severity.CRITICAL if Severity.CRITICAL in (worst, alert.severity) else alert.severity
            )
    return {name: LOOKS[severity].tone for name, severity in found.items()}
