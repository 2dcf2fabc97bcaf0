"""From a row of the fleet table to a line: what stands in each column, in which tone. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quarterdeck.format import DASH, age, count, duration, percent, printable, rate, size, spark
from quarterdeck.model.fleet import EndpointView, State, is_well
from quarterdeck.tui.columns import MARKER, Layout, Order, Place
from quarterdeck.tui.lines import ACCENT, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cell_width, cut, fit
from quarterdeck.tui.rows import Row, engine_text, has_parts, models_text
from quarterdeck.tui.states import look

FRESH_S = 3.0
"""Numbers younger than this are "now": an age that counts 0s 1s 2s 0s … tells nothing and costs a repaint a second."""
NEARLY_FULL = 0.9
ALARM = "!"
"""On the row of an endpoint that has an alert."""
REASON_UNPOLLED = "waiting for the first answer"


class Moment(NamedTuple):
    """When a line is drawn: monotonic and Unix seconds."""

    now: float
    unix: float = 0.0


Cell = tuple[str, str]
"""Text and tone."""


def header(layout: Layout, order: Order) -> Line:
    """The titles, with an arrow at the column that sorts."""
    runs: list[Run] = []
    x = 0
    for place in layout.places:
        sorts = place.column.id == order.column
        title = layout.title(place.column) + (order.arrow if sorts else "")
        runs += placed(x, place.x, Run(fit(title, place.width, right=place.column.right), STRONG if sorts else MUTED))
        x = place.x + place.width
    return Line(tuple(runs), "head")


def row_line(
    row: Row,
    layout: Layout,
    moment: Moment,
    *,
    selected: bool = False,
    opened: bool = False,
    marked: bool = False,
    alarm: str = "",
) -> Line:
    """One row of the table; ``alarm`` is the tone of the mark for an alert that nobody has acknowledged."""
    runs = [_marker(row, selected=selected, opened=opened, marked=marked)]
    if alarm and row.part is None:
        runs = [Run(runs[0].text[:-1], runs[0].tone), Run(ALARM, alarm)]
    if row.part is None:
        runs += _endpoint_runs(row.view, layout, moment)
    else:
        from quarterdeck.tui.part_cells import part_runs  # nothing is unfolded at the start

        runs += part_runs(row, layout, moment)
    return Line(cut(runs, layout.width), "selected" if selected else "")


def age_text(view: EndpointView, now: float) -> str:
    """How old the numbers are: "now" while they are fresh."""
    if view.answered is None:
        return DASH
    seconds = now - view.answered
    return "now" if seconds < FRESH_S else age(seconds)


def reason_text(view: EndpointView) -> str:
    """Why the state is what it is; where that is nothing to tell of, in what it differs from its replicas."""
    if view.state is None:
        return REASON_UNPOLLED
    if view.odd and not view.reason and view.state is State.OK:
        return printable(f"odd: {view.odd[0]}", 200)
    told = printable(view.reason, 200)
    return f"{told}; a starts it again, 6 shows it" if start_failed(view) else told


def start_failed(view: EndpointView) -> bool:
    """Whether it is down because a job could not start its server."""
    if view.state is not State.DOWN:
        return False
    from quarterdeck.engine.starting import START_FAILED  # no first frame needs it

    return view.reason.startswith(START_FAILED)


def _marker(row: Row, *, selected: bool, opened: bool, marked: bool) -> Run:
    bar = "✓" if marked else "▌" if selected else " "
    if row.part is not None or not has_parts(row.view):
        return Run(bar + "  ", ACCENT)
    return Run(bar + ("▾ " if opened else "▸ "), ACCENT if selected or marked else FAINT)


def _endpoint_runs(view: EndpointView, layout: Layout, moment: Moment) -> list[Run]:
    runs: list[Run] = []
    x = MARKER
    spanned = _reason_span(view, layout)
    lasting = None if layout.has("since") else moment.now
    for shown in layout.places:
        place = shown
        if spanned and spanned.x < place.x < spanned.x + spanned.width:
            continue
        if spanned and place.x == spanned.x:
            place = spanned
            cell = _reason_runs(view, place.width, lasting)
        else:
            cell = _endpoint_cell(place, view, layout, moment)
        runs += placed(x, place.x, *cell)
        x = place.x + place.width
    return runs


def placed(x: int, at: int, *cell: Run) -> tuple[Run, ...]:
    """A cell that begins at ``at``, with the gap from ``x`` in front of it."""
    return (Run(" " * (at - x) + cell[0].text, cell[0].tone), *cell[1:])


def _reason_span(view: EndpointView, layout: Layout) -> Place | None:
    """The places that the reason takes where no column has room for it: those of unknown numbers, or what serves what."""
    reason = reason_text(view)
    if layout.has("reason") or view.state is State.OK or not reason:
        return None
    if any(place.column.id == "trend" and cell_width(reason) <= place.width for place in layout.places):
        return None
    numbers = (view.running, view.waiting, view.generation_tps, view.kv_used, view.vram_bytes)
    if all(value is None for value in numbers):
        free = {"running", "waiting", "tps", "memory"} | (set() if view.models else {"models"})
    elif layout.has("trend") or view.state in (None, State.SLEEPING):
        return None
    else:
        free = {"engine", "models"}
    places = [place for place in layout.places if place.column.id in free]
    if not places:
        return None
    first, last = places[0], places[-1]
    return Place(first.column, first.x, last.x + last.width - first.x)


def _reason_runs(view: EndpointView, width: int, now: float | None = None) -> list[Run]:
    """The reason, cut after its first clause where it is cut at all; with ``now``, for how long, if there is room for it."""
    text = reason_text(view)
    news = text.split("; ")[0]
    if cell_width(text) > width and cell_width(news) <= width < cell_width(news) + 4:
        text = news
    shown = Run(fit(text, width), _reason_tone(view))
    if now is None or view.since is None or view.state is State.STALLED:  # whose reason has a time in it
        return [shown]
    lasting = f", for {age(now - view.since)}"
    room = width - cell_width(text)
    return [Run(text, shown.tone), Run(fit(lasting, room), MUTED)] if len(lasting) <= room else [shown]


def says_why(view: EndpointView, layout: Layout) -> bool:
    """Whether the row of an endpoint has its whole reason in it."""
    own = "reason" if layout.has("reason") else "trend" if _in_trouble(view) else ""
    place = _reason_span(view, layout) or next((place for place in layout.places if place.column.id == own), None)
    return place is not None and cell_width(reason_text(view)) <= place.width


def _endpoint_cell(place: Place, view: EndpointView, layout: Layout, moment: Moment) -> list[Run]:
    if place.column.id == "state":
        return state_runs(view, place.width)
    if place.column.id == "trend" and not layout.has("reason") and _in_trouble(view) and not _reason_span(view, layout):
        return _reason_runs(view, place.width)
    text, tone = _CELLS[place.column.id](view, place.width, moment.now)
    if not text:
        text, tone = DASH, FAINT
    if text == DASH:
        tone = FAINT
    elif view.state is not None and not view.state.answers and tone in (PLAIN, WARN, "bar-used"):
        tone = MUTED
    elif view.state is State.STALLED and place.column.id in ("ttft", "itl"):
        tone = MUTED  # of tokens that came before
    return [Run(fit(text, place.width, right=place.column.right), tone)]


def _in_trouble(view: EndpointView) -> bool:
    return not is_well(view) and bool(reason_text(view))


def _reason_tone(view: EndpointView) -> str:
    if view.odd and view.state is State.OK:
        return WARN
    return PLAIN if view.state is not None and _in_trouble(view) else MUTED


def state_runs(view: EndpointView, width: int) -> list[Run]:
    """Glyph and word of a state; the word is coloured only where it is news."""
    seen = look(view.state)
    calm = view.state in (State.OK, State.SLEEPING)
    if view.state is None:
        return [Run(fit(seen.glyph, width), FAINT)]
    return [Run(seen.glyph, seen.tone), Run(fit(" " + seen.word, width - 1), MUTED if calm else seen.tone + "-word")]


def _memory(view: EndpointView) -> Cell:
    if view.kv_used is not None:
        return percent(view.kv_used), WARN if view.kv_used >= NEARLY_FULL else PLAIN
    return size(view.vram_bytes), PLAIN


def estimated(view: EndpointView, field: str, text: str) -> str:
    """``text``, with "~" before it where the field's value is a bound or an estimate."""
    return f"~{text}" if field in view.estimates and text != DASH else text


def counted(value: int | None, tone: str = PLAIN) -> Cell:
    """A number of things; nothing to count is faint."""
    return count(value), FAINT if value == 0 else tone


def _number(view: EndpointView, field: str, width: int) -> str:
    """A number of the table; an estimate that is too long for its column loses digits, not its "~"."""
    value = getattr(view, field)
    text = estimated(view, field, count(value) if field in ("running", "waiting") else rate(value))
    return text if len(text) <= width or value is None else estimated(view, field, rate(value))


def _requests(view: EndpointView, field: str, width: int, tone: str = PLAIN) -> Cell:
    return _number(view, field, width), FAINT if getattr(view, field) == 0 else tone


def _tokens(view: EndpointView, field: str, width: int) -> Cell:
    return _number(view, field, width), PLAIN if getattr(view, field) else FAINT


_CELLS: dict[str, Callable[[EndpointView, int, float], Cell]] = {
    "name": lambda view, width, now: (printable(view.name, 60), STRONG),
    "engine": lambda view, width, now: (engine_text(view, width), MUTED),
    "models": lambda view, width, now: (models_text(view), PLAIN),
    "running": lambda view, width, now: _requests(view, "running", width),
    "waiting": lambda view, width, now: _requests(view, "waiting", width, WARN),
    "tps": lambda view, width, now: _tokens(view, "generation_tps", width),
    "prompt": lambda view, width, now: _tokens(view, "prompt_tps", width),
    "ttft": lambda view, width, now: (duration(view.ttft_p95_s), PLAIN),
    "itl": lambda view, width, now: (duration(view.itl_p95_s), PLAIN),
    "memory": lambda view, width, now: _memory(view),
    "latency": lambda view, width, now: (duration(view.latency_s), MUTED),
    "age": lambda view, width, now: (age_text(view, now), MUTED),
    "since": lambda view, width, now: (age(None if view.since is None else now - view.since), MUTED),
    "trend": lambda view, width, now: (trend(view, width), "bar-used"),
    "reason": lambda view, width, now: (reason_text(view) or " ", _reason_tone(view)),
    "host": lambda view, width, now: (printable(view.host or "", 60), MUTED),
    "url": lambda view, width, now: (printable(view.url, 100), FAINT),
}


def trend(view: EndpointView, width: int) -> str:
    """tok/s of the last polls as blocks; a space where there is nothing known at all."""
    known = any(value is not None for value in view.tps_history[-width:])
    return spark(view.tps_history, width) if known else " "
