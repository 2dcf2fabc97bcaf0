"""A shorter page of an endpoint, which stands under the fleet table: what is known of it now."""

from __future__ import annotations

from quarterdeck.format import rate
from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.bars import chart
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.head import identity_lines, notes_section, title_line, why_lines
from quarterdeck.tui.detail.numbers import now_lines
from quarterdeck.tui.detail.parts import INDENT, heading
from quarterdeck.tui.lines import EMPTY_LINE, FAINT, Line, Run, beside, cut, fit

CHART_HEIGHT = 6
TWO_COLUMNS = 110
"""From so many cells on, there are two columns."""


def detail_lines(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    """What matters most; in two columns where there is room."""
    column = width if width < TWO_COLUMNS else width // 2
    why = why_lines(view, column)
    facts = [EMPTY_LINE, *why, *([EMPTY_LINE] if why else []), *now_lines(view, moment, column)]
    facts += [EMPTY_LINE, *identity_lines(view, moment, column)]
    rest = [*_trend(view, column), *_parts(view, moment, column), *notes_section(view, column).drawn]
    body = [*facts, *rest] if width < TWO_COLUMNS else beside(facts, rest, column)
    return [title_line(view, moment, width), *(Line(cut(line.runs, width), line.ground) for line in body)]


def _parts(view: EndpointView, moment: Moment, width: int) -> list[Line]:
    if not view.models and not view.replicas:
        return []  # as in the console's first frame, which shouldn't wait for what draws them
    from quarterdeck.tui.detail.replicas import replicas_section
    from quarterdeck.tui.detail.served import models_section

    return [*replicas_section(view, width).drawn, *models_section(view, moment, width).drawn]


def _trend(view: EndpointView, width: int) -> list[Line]:
    known = [value for value in view.tps_history if value is not None]
    room = min(120, width - 14)
    if not known or room < 10:
        return []
    shown = min(len(view.tps_history), room)
    lines = heading("tok/s", f"at the last {shown} polls, one column each; now every {view.interval:g} s")
    drawn = chart(view.tps_history, room, CHART_HEIGHT)
    top = max((value for value in view.tps_history[-room:] if value is not None), default=0.0)
    for place, text in enumerate(drawn):
        label = rate(top) if place == 0 else "0" if place == CHART_HEIGHT - 1 else ""
        lines.append(Line((Run(INDENT + fit(label, 6, right=True) + " ", FAINT), Run(text, "bar-used"))))
    return lines
