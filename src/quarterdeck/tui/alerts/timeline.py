"""What happened in the fleet, a line each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quarterdeck.format import printable
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.tui.columns import Order, titled
from quarterdeck.tui.helping.legend import Sign
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, STRONG, Line, Run, cut, fit, width_of
from quarterdeck.tui.states import LOOKS

_TIME, _SUBJECT, _WORD = 9, 14, 13
_STATES = {state.value: (seen.glyph, seen.tone) for state, seen in LOOKS.items()}
_ALERTS = {"critical": ("▲", "state-down"), "warning": ("△", "state-busy")}
_CLEARED = ("○", "state-ok")
_OTHER = ("·", MUTED)
_TOPICS = {
    Topic.RESTART: ("↻", "state-restarted"),
    Topic.MODEL: _OTHER,
    Topic.JOB: ("▶", "accent"),
    Topic.ACTION: ("›", "accent"),
    Topic.SINK: ("✗", "state-down"),
}
COLUMNS = (
    Sign("time", "When it happened; of another day, the date."),
    Sign("where", "The endpoint, the machine, the GPU or the model."),
    Sign("what", "In a word, then in full."),
)
"""The titles, and what stands below each."""
SIGNS = (
    Sign("● ▲ ✗ …", "An endpoint went to that state; the list of states below has each.", "state-ok"),
    Sign(_ALERTS["critical"][0], "A critical alert was raised.", _ALERTS["critical"][1]),
    Sign(_ALERTS["warning"][0], "A warning was raised.", _ALERTS["warning"][1]),
    Sign(_CLEARED[0], "An alert was cleared.", _CLEARED[1]),
    Sign(_TOPICS[Topic.RESTART][0], "A server was restarted.", _TOPICS[Topic.RESTART][1]),
    Sign(_TOPICS[Topic.MODEL][0], "A model came, went, was loaded or unloaded; or anything else.", _TOPICS[Topic.MODEL][1]),
    Sign(_TOPICS[Topic.JOB][0], "A job began or ended.", _TOPICS[Topic.JOB][1]),
    Sign(_TOPICS[Topic.ACTION][0], "Somebody did something.", _TOPICS[Topic.ACTION][1]),
    Sign(_TOPICS[Topic.SINK][0], "Somebody could not be told of an alert.", _TOPICS[Topic.SINK][1]),
)  # fmt: skip
"""What stands left of what happened."""


ORDERS = (
    Order("time", "the newest on top", "time", lambda one: one.at, None, True, "the oldest on top"),
    Order("name", "by place", "where", lambda one: one.subject.casefold()),
)
TITLES = {"time": "time", "where": "name"}
"""The orders that titles stand for."""


def header(width: int, order: Order) -> Line:
    """The titles, with an arrow at the one that sorts."""
    time, where = titled("time", "time", order), titled("where", "where", order)
    runs = [
        Run(f"   {time:<11}", STRONG if order.column == "time" else MUTED),
        Run(f"{where:<14}", STRONG if order.column == "where" else MUTED),
        Run("what", MUTED),
    ]
    return Line(cut(runs, width), "head")


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
        return _STATES.get(one.word, _OTHER)
    if one.topic is Topic.ALERT:
        return _CLEARED if one.word == "cleared" else _ALERTS.get(one.severity, ("△", "state-busy"))
    return _TOPICS.get(one.topic, _OTHER)
