"""What happened to an endpoint lately: as a list, and as marks on the time axis of its charts."""

from __future__ import annotations

from quarterdeck.format import age, printable
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.chart import Mark
from quarterdeck.tui.detail.parts import INDENT, Section, bulleted
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, Line, Run, fit
from quarterdeck.tui.scales import clock
from quarterdeck.tui.states import LOOKS

_MOST = 12
_DAY_S = 86_400.0
_STATES = {state.value: seen for state, seen in LOOKS.items()}
_RESTARTED = LOOKS[State.RESTARTED]


def events_section(view: EndpointView, moment: Moment, width: int) -> Section:
    """Time, glyph, word and text, the newest first."""
    lines: list[Line] = []
    for event in reversed(view.events[-_MOST:]):
        glyph, tone = _look(event)
        when = Run(f"{_when(event.at, moment)} ", MUTED)
        bullet = Run(f"{when.text}{glyph} {fit(printable(event.word, 12), 10)}", tone)
        first, *rest = bulleted(bullet, printable(event.text, 200), width, PLAIN)
        shown = Run(bullet.text.removeprefix(when.text), tone)
        lines += [Line((Run(INDENT), when, shown, *first.runs[2:])), *rest]
    if len(view.events) > _MOST:
        lines.append(Line((Run(f"{INDENT}… {len(view.events) - _MOST} earlier ones", FAINT),)))
    return Section("Events", lines)


def marks(view: EndpointView) -> list[Mark]:
    """Restarts and changes of state, oldest first."""
    return [
        Mark(event.at, *_look(event), printable(event.word, 12))
        for event in view.events
        if event.kind in (EventKind.STATE, EventKind.RESTART)
    ]


def _look(event: Event) -> tuple[str, str]:
    if event.kind is EventKind.RESTART:
        return _RESTARTED.glyph, _RESTARTED.tone
    seen = _STATES.get(event.word)
    return (seen.glyph, seen.tone) if seen is not None else ("·", MUTED)


def _when(at: float, moment: Moment) -> str:
    """The time of day; how long ago where that was another day."""
    passed = moment.now - at
    return clock(moment.unix - passed) if passed < _DAY_S else fit(f"{age(passed)} ago", 8)
