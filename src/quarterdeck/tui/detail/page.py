"""The whole page of an endpoint, laid out for a width: text that scrolls, charts beside it where there is room."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.charts import Drawing, Look, drawing, has_charts, inline_lines, pane_lines
from quarterdeck.tui.detail.happened import events_section
from quarterdeck.tui.detail.head import identity_lines, notes_section, title_line, told_section, why_lines
from quarterdeck.tui.detail.latency import latency_section
from quarterdeck.tui.detail.numbers import estimate_lines, now_lines, requests_section
from quarterdeck.tui.detail.parts import Section
from quarterdeck.tui.detail.raw import raw_section
from quarterdeck.tui.detail.replicas import replicas_section
from quarterdeck.tui.detail.served import adapters_section, deployments_section, models_section
from quarterdeck.tui.detail.traffic import access_section, own_section
from quarterdeck.tui.lines import EMPTY_LINE, Line, beside, cut

BESIDE_FROM = 110
"""From so many cells on, charts stand beside the text."""
_TEXT_SHARE = 0.46
_TEXT_AT_MOST = 96
_ASIDE_FROM = 36
CHARTS, VALUES = "Charts", "Values"


class Sheet(NamedTuple):
    """A page: its title, the text below it, and the charts beside that (none where they are part of the text)."""

    title: Line
    text: list[Line]
    sections: list[tuple[str, int]]
    """Where each section begins: its title and line."""
    pane: list[Line]
    text_width: int
    charts: Drawing | None = None


def sheet(view: EndpointView, moment: Moment, look: Look, width: int, height: int, *, alone: str = "") -> Sheet:
    """The page of an endpoint for ``width`` cells and, of charts beside the text, ``height`` lines.

    ``alone`` is `VALUES` or `CHARTS` where that gets all the room.
    """
    if alone == CHARTS and (charts := drawing(view, moment, look, width)) is not None:
        return Sheet(title_line(view, moment, width), [], [], pane_lines(charts, look, width, height), 0, charts)
    apart = width >= BESIDE_FROM and has_charts(view) and not alone
    text_width = min(_TEXT_AT_MOST, int(width * _TEXT_SHARE)) if apart else width
    chart_width = width - text_width - 1 if apart else width
    charts = None if alone == VALUES else drawing(view, moment, look, chart_width)
    pane = pane_lines(charts, look, chart_width, height) if charts is not None and apart else []
    inline = inline_lines(charts, look, text_width) if charts is not None and not apart else []
    column = width // 2 if width >= BESIDE_FROM and not apart else text_width
    head = [EMPTY_LINE, *why_lines(view, column), *identity_lines(view, moment, column)]
    now, more = _now(view, moment, column), _more(view, moment, column, inline)
    if column == text_width:
        text, sections = _stacked(head, [*now, *more])
    else:
        left, first = _stacked(head, now)
        right, second = _stacked([], more)
        text, sections = beside(left, right, column), sorted([*first, *second], key=lambda section: section[1])
    text = [Line(cut(line.runs, text_width), line.ground) for line in text]
    return Sheet(title_line(view, moment, width), text, sections, pane, text_width, charts)


def _stacked(head: list[Line], sections: list[Section]) -> tuple[list[Line], list[tuple[str, int]]]:
    """Sections one below the other, and where each begins."""
    lines, places = list(head), [("", 0)] if head else []
    for section in sections:
        drawn = section.drawn
        if drawn:
            places.append((section.title, len(lines) + 1))
            lines += drawn
    return lines, places


def _now(view: EndpointView, moment: Moment, width: int) -> list[Section]:
    return [
        Section("Now", [*now_lines(view, moment, width), *estimate_lines(view, width)], _aside(view, width)),
        *([notes_section(view, width)] if _dashes(view) else []),
        latency_section(view, width),
        requests_section(view, width),
    ]


def _dashes(view: EndpointView) -> bool:
    """Whether nothing is known of its load: why not, then stands right below."""
    return view.running is None and view.generation_tps is None


def _aside(view: EndpointView, width: int) -> str:
    """The time that the percentiles are of, where there are any."""
    known = view.ttft_p95_s is not None or view.itl_p95_s is not None
    return "p95: of the last minute" if known and width >= _ASIDE_FROM else ""


def _more(view: EndpointView, moment: Moment, width: int, inline: list[Line]) -> list[Section]:
    return [
        Section(CHARTS, inline),
        replicas_section(view, width),
        models_section(view, moment, width),
        adapters_section(view),
        deployments_section(view, width),
        access_section(view, width),
        own_section(view, moment, width),
        events_section(view, moment, width),
        told_section(view, width),
        *([] if _dashes(view) else [notes_section(view, width)]),
        raw_section(view, width),
    ]
