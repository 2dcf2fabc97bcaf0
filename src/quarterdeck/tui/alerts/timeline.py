"""What happened in the fleet, a line each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quarterdeck.format import printable
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, STRONG, Line, Run, cut, fit, width_of
from quarterdeck.tui.states import LOOKS

_TIME, _SUBJECT, _WORD = 9, 14, 13
_STATES = {state.value: (seen.glyph, seen.tone) for state, seen in LOOKS.items()}
_ALERTS = {"critical": ("▲", "state-down"), "warning": ("△", "state-busy")}
_TOPICS = {
    Topic.RESTART: ("↻", "state-restarted"),
    Topic.MODEL: ("·", MUTED),
    Topic.JOB: ("▶", "accent"),
    Topic.ACTION: ("›", "accent"),
    Topic.SINK: ("✗", "state-down"),
}


def matches(one: Happening, needle: str) -> bool:
    """Whether a filter keeps it: a word in its topic, subject, word or text; "!x" keeps the others."""
    wanted = needle.strip().casefold()
    inverse = wanted.startswith("!")
    wanted = wanted.removeprefix("!").strip()
    if not wanted:
        return True
    fields = (one.topic.value, one.subject, one.word, one.text, one.severity)
    return any(wanted in field.casefold() for field in fields) is not inverse


def event_line(one: Happening, width: int, unix: float) -> Line:
    """Time, glyph, where, word, text. What is from another day has its date."""
    glyph, tone = _look(one)
    there, now = datetime.fromtimestamp(one.at), datetime.fromtimestamp(unix)  # local time, as all clocks on the screen
    when = there.strftime("%H:%M:%S") if there.date() == now.date() else there.strftime("%d %b ")
    runs = [
        Run(f" {fit(when, _TIME)}", MUTED),
        Run(f"{glyph} ", tone),
        Run(fit(printable(one.subject, 60), _SUBJECT - 1) + " ", STRONG),
        Run(fit(printable(one.word, 40), _WORD - 1) + " ", tone),
    ]
    runs.append(Run(fit(printable(one.text, 300), max(0, width - width_of(runs))).rstrip(), PLAIN))
    return Line(cut(runs, width))


def sidebar(happenings: Sequence[Happening], width: int, height: int, unix: float) -> list[Line]:
    """The latest, newest on top, under a title."""
    lines = [Line((Run(fit(" Events", width), MUTED),), "head")]
    latest = happenings[-(height - 1) :] if height > 1 else ()
    lines += [_short(one, width, unix) for one in reversed(latest)]
    if len(lines) == 1:
        lines.append(Line((Run(fit(" nothing yet", width), FAINT),)))
    return lines[:height]


def _short(one: Happening, width: int, unix: float) -> Line:
    """Without a column for the word: as much of it as fits."""
    glyph, tone = _look(one)
    there, now = datetime.fromtimestamp(one.at), datetime.fromtimestamp(unix)
    when = there.strftime("%H:%M") if there.date() == now.date() else there.strftime("%d %b")
    runs = (
        Run(f" {when} ", MUTED),
        Run(f"{glyph} ", tone),
        Run(printable(one.subject, 20) + " ", STRONG),
        Run(printable(one.word, 20) + " ", tone),
        Run(printable(one.text, 120), PLAIN),
    )
    return Line(cut(runs, width))


def _look(one: Happening) -> tuple[str, str]:
    if one.topic is Topic.STATE:
        return _STATES.get(one.word, ("·", MUTED))
    if one.topic is Topic.ALERT:
        return ("○", "state-ok") if one.word == "cleared" else _ALERTS.get(one.severity, ("△", "state-busy"))
    return _TOPICS.get(one.topic, ("·", MUTED))
