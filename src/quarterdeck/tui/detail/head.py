"""What an endpoint is and how it is: name, state, why, since when, what to try, where it is and what it said of itself."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.format import DASH, age, duration, printable
from quarterdeck.model.advice import ADVICE
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.tui.cells import Moment, age_text, reason_text, start_failed
from quarterdeck.tui.detail.parts import INDENT, LABEL, Section, bulleted, worded
from quarterdeck.tui.lines import ACCENT, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cell_width, cut
from quarterdeck.tui.rows import engine_text, models_text
from quarterdeck.tui.states import look

_IDENTITY_LABEL = 36
"""Cells that what a server calls its settings has at most."""
_WELL = (None, "healthy")
_MOST_AILING = 3


def title_line(view: EndpointView, moment: Moment, width: int) -> Line:
    """Name, state and since when."""
    seen = look(view.state)
    since = "" if view.since is None else f" for {age(moment.now - view.since)}"
    runs = (
        Run(f"{INDENT}{printable(view.name, 80)}  ", STRONG),
        Run(f"{seen.glyph} {seen.word if view.state else 'not polled yet'}", seen.tone + "-word"),
        Run(since, MUTED),
    )
    return Line(cut(runs, width), "head")


def why_lines(view: EndpointView, width: int) -> list[Line]:
    """The reason of the state, the numbers that show it, what it means and what to try."""
    seen = look(view.state)
    lines: list[Line] = []
    reason = reason_text(view) if view.state is None or view.reason else ""
    if reason:
        lines += worded("why", reason, width, PLAIN)
    lines += _listed("evidence", view.evidence, width, MUTED)
    lines += _listed("! odd", view.odd, width, WARN)
    lines += _listed("! ails", _ailing(view), width, WARN)
    if view.state not in (None, State.OK):
        lines += worded("means", seen.meaning, width, MUTED)
    advice = ADVICE.get(view.state) if view.state is not None and not start_failed(view) else None
    if advice:
        lines += worded("try", advice, width, MUTED)
    return lines


def identity_lines(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    """What serves what, where, how far prompts travel, and how it is polled."""
    reach = f"{view.boundary.value}{', protected' if view.protected else ''}"
    place = " · ".join(part for part in (printable(view.host or "", 80), reach) if part)
    model = models_text(view)
    lines = worded("engine", " · ".join(part for part in (engine_text(view), model) if part) or DASH, width)
    lines += worded("url", printable(view.url, 200), width)
    lines += worded("host", place, width)
    lines += worded("polled", _polled(view, moment), width)
    return lines


def told_section(view: EndpointView, width: int) -> Section:
    """What else the server tells of itself: data types, sizes, flags."""
    longest = max((cell_width(printable(name, 60)) for name, _ in view.identity), default=0) + 2
    label = min(max(LABEL, longest), _IDENTITY_LABEL, max(8, width // 2))
    lines: list[Line] = []
    for name, value in view.identity:
        clean = printable(name, 60)
        if cell_width(clean) >= label:
            lines.append(Line((Run(INDENT + clean, FAINT),)))
            clean = ""
        lines += worded(clean, printable(value, 200), width, label_width=label)
    return Section("As the server tells", lines)


def notes_section(view: EndpointView, width: int) -> Section:
    """What is missing, and how to get it."""
    lines: list[Line] = []
    for note in view.notes:
        lines += bulleted(Run("·", ACCENT), printable(note, 600), width, MUTED)
    return Section("Notes", lines)


def _ailing(view: EndpointView) -> list[str]:
    """The deployments of a gateway that are not well, while it tells of them."""
    if view.state is None or not view.state.answers:
        return []
    ailing = [f"{one.backend} for {one.model}: {one.state}" for one in view.deployments if one.state not in _WELL]
    return ailing[:_MOST_AILING] + ([f"and {len(ailing) - _MOST_AILING} more"] if len(ailing) > _MOST_AILING else [])


def _listed(label: str, texts: Sequence[str], width: int, tone: str) -> list[Line]:
    lines: list[Line] = []
    for place, text in enumerate(texts):
        lines += worded("" if place else label, printable(text, 200), width, tone)
    return lines


def _polled(view: EndpointView, moment: Moment) -> str:
    fails = view.state in (State.DOWN, State.STALE, State.AUTH)
    every = f"every {view.interval:g} s" + (", less often while it fails" if fails else "")
    if view.answered is None:
        refuses = view.state in (State.LOADING, State.AUTH, State.BUSY)
        return f"{every}; {'no numbers' if refuses else 'has not answered'} yet"
    fresh = age_text(view, moment.now)
    answered = fresh if fresh == "now" else f"{fresh} ago"
    took = f" in {duration(view.latency_s)}" if view.latency_s is not None else ""
    return f"{every}; answered {answered}{took}"


def missing_line(text: str) -> Line:
    """A page with nothing on it but a reason."""
    return Line((Run(INDENT + text, MUTED),))
