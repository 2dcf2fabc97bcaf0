"""The charts of an endpoint's page: which there are, what stands under the cursor, and how they fit where they are put."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from quarterdeck.format import DASH, count, duration, percent, rate, size
from quarterdeck.model.fleet import EndpointView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.chart import GUTTER, Mark, TimeAxis, columns, highest, mean, panel, placed, ruler, time_axis
from quarterdeck.tui.detail.happened import marks
from quarterdeck.tui.detail.parts import INDENT, flow
from quarterdeck.tui.lines import ACCENT, EMPTY_LINE, FAINT, MUTED, STRONG, TITLE, Line, Run, cut
from quarterdeck.tui.scales import BYTES, COUNT, FRACTION, PER_SECOND, SECONDS, Unit, clock

WINDOWS = ((60.0, "1 min"), (300.0, "5 min"), (900.0, "15 min"), (3600.0, "1 h"))
"""What can be looked at: seconds, and how it reads."""
INLINE_HEIGHT = 4
"""Lines of a plot where charts stand one below the other on a scrolling page."""
NARROWEST = 30
"""Cells that charts need at least."""
_HEIGHTS = (12, 10, 9, 8, 6, 4, 3, 2)
"""Heights of a plot at whose edges round values can stand."""
_SMALLEST = 3
_MARGIN = 2
_FEW = 2
"""So many charts have times each; more have them below the last one."""
_WIDE = 80
"""From so many cells on, the values of all charts fit in two lines."""
_BEFORE_S = 120.0
"""Samples before the window tell what is usual."""


class Chart(NamedTuple):
    """One series as it is drawn."""

    series: str
    title: str
    unit: Unit
    text: Callable[[float], str]
    """A value with its unit."""
    tone: str
    pick: Callable[[Sequence[float]], float] = mean
    """What a column shows that holds several samples."""


CHARTS = (
    Chart("generation_tps", "generated", PER_SECOND, lambda value: f"{rate(value)} tok/s", "bar-used"),
    Chart("running", "running", COUNT, lambda value: count(round(value)), "bar-used", highest),
    Chart("waiting", "waiting", COUNT, lambda value: count(round(value)), "state-busy", highest),
    Chart("kv_used", "KV cache", FRACTION, percent, "bar-memory", highest),
    Chart("ttft_p95_s", "TTFT p95", SECONDS, duration, "bar-used", highest),
    Chart("vram_bytes", "GPU memory", BYTES, size, "bar-memory", highest),
    Chart("prompt_tps", "prompts", PER_SECOND, lambda value: f"{rate(value)} tok/s", "bar-used"),
    Chart("itl_p95_s", "ITL p95", SECONDS, duration, "bar-used", highest),
)
"""The most telling first; where there isn't room for all, the last are left out."""


class Look(NamedTuple):
    """What the operator chose: the window (a place in `WINDOWS`), and the moment under the cursor (monotonic)."""

    window: int = 1
    cursor: float | None = None

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return WINDOWS[self.window][0]


class Drawing(NamedTuple):
    """All that the charts are drawn from."""

    axis: TimeAxis
    values: dict[str, list[float | None]]
    """By series; only those of which something is known in the last hour."""
    marks: list[Mark]
    cursor: int | None
    interval: float
    now: dict[str, float | None]
    """The newest values by series; none where they are old."""
    estimates: frozenset[str]

    def text(self, chart: Chart, value: float | None) -> str:
        """A value with its unit, with "~" where it is an estimate."""
        about = "~" if chart.series in self.estimates else ""
        return DASH if value is None else about + chart.text(value)


def has_charts(view: EndpointView) -> bool:
    """Whether anything was recorded of an endpoint."""
    return view.history is not None and len(view.history) > 0


def drawing(view: EndpointView, moment: Moment, look: Look, width: int) -> Drawing | None:
    """What to draw in ``width`` cells; ``None`` where there is nothing, or no room for it."""
    cells = width - GUTTER - _MARGIN
    history = view.history
    if history is None or not history.last_at or width < NARROWEST:
        return None
    fresh = moment.now - history.last_at < 2.5 * view.interval
    until = history.last_at if fresh else moment.now
    axis = time_axis(until, moment.unix - (moment.now - until), look.seconds, cells)
    values: dict[str, list[float | None]] = {}
    for chart in CHARTS:
        if chart.series not in history.names:
            continue
        samples = history.samples(chart.series, axis.first - _BEFORE_S)
        drawn = columns(samples, axis, view.interval, chart.pick)
        if any(value is not None for value in drawn) or _ever_known(view, chart.series):
            values[chart.series] = drawn
    cursor = None if look.cursor is None else min(max(0, axis.column(look.cursor)), axis.cells - 1)
    answers = view.state is not None and view.state.answers
    now = {series: getattr(view, series, None) if answers else None for series in values}
    return Drawing(axis, values, marks(view), cursor, view.interval, now, view.estimates) if values else None


def inline_lines(shown: Drawing, look: Look, width: int) -> list[Line]:
    """Charts one below the other, each with its own times, for a page that scrolls."""
    lines = [*_heading(shown, look, width), *_under_cursor(shown, width)]
    for place, chart in enumerate(_drawn(shown)):
        if place:
            lines.append(EMPTY_LINE)
        lines += _chart_lines(shown, chart, INLINE_HEIGHT, labelled=True)
    return [*lines, *_legend(shown, width)]


def pane_lines(shown: Drawing, look: Look, width: int, height: int) -> list[Line]:
    """As many charts as ``height`` lines have room for, the times below the last; never more lines than that."""
    head = [Line((Run(INDENT + "Charts", TITLE),)), *_heading(shown, look, width)]
    under = _under_cursor(shown, width, lines=2 if width >= _WIDE else 3)
    legend = _legend(shown, width) or [EMPTY_LINE]
    room = height - len(head) - len(under) - len(legend)
    charts = _drawn(shown)
    while len(charts) > 1 and room // len(charts) < _SMALLEST + 2:
        charts.pop()
    plot = next((lines for lines in _HEIGHTS if (lines + 2) * len(charts) <= room), None)
    if plot is None:
        return [*head, *under][:height]
    gap = plot >= INLINE_HEIGHT and (plot + 3) * len(charts) <= room
    lines = [*head, *under]
    for place, chart in enumerate(charts):
        last = place == len(charts) - 1
        lines += _chart_lines(shown, chart, plot, labelled=last or len(charts) <= _FEW)
        lines += [EMPTY_LINE] if gap and not last else []
    return [*lines, *legend]


def _drawn(shown: Drawing) -> list[Chart]:
    return [chart for chart in CHARTS if chart.series in shown.values]


def _chart_lines(shown: Drawing, chart: Chart, height: int, *, labelled: bool) -> list[Line]:
    values = shown.values[chart.series]
    plot = panel(values, height, chart.unit, chart.tone, shown.cursor)
    return [
        _title(shown, chart, values),
        *plot,
        ruler(shown.axis, placed(shown.marks, shown.axis), shown.cursor, labelled=labelled),
    ]


def _title(shown: Drawing, chart: Chart, values: Sequence[float | None]) -> Line:
    """What is drawn, its value under the cursor or now, and the highest that is drawn."""
    known = [value for value in values if value is not None]
    now = shown.cursor is None
    value = shown.now.get(chart.series) if shown.cursor is None else values[shown.cursor]
    highest = [*known, *([value] if now and known and value is not None else [])]  # a column may be drawn as its mean
    peak = f"  peak {shown.text(chart, max(highest))}" if highest else "  not known in this time"
    return Line(
        (
            Run(f"{INDENT}{chart.title}  ", MUTED),
            Run(shown.text(chart, value), FAINT if value is None else STRONG if now else ACCENT),
            Run(" now" if now and value is not None else "", FAINT),
            Run(peak, FAINT),
        )
    )


def _window_line(look: Look, width: int) -> Line:
    runs = [Run(INDENT)]
    for place, (_, word) in enumerate(WINDOWS):
        chosen = place == look.window
        runs += [Run(f"[{word}]" if chosen else f" {word} ", STRONG if chosen else MUTED)]
    keys = Run("  w window  ← → cursor" + ("  Esc ends it" if look.cursor is not None else ""), FAINT)
    return Line(cut([*runs, keys], width))


def _heading(shown: Drawing, look: Look, width: int) -> list[Line]:
    """The windows to choose from; where a column holds several samples, what is drawn of them."""
    lines = [_window_line(look, width)]
    if shown.axis.step > shown.interval * 1.5:
        told = f"{INDENT}a column is {duration(shown.axis.step)}: its highest (tok/s: its mean)"
        lines.append(Line(cut((Run(told, FAINT),), width)))
    return lines


def _under_cursor(shown: Drawing, width: int, lines: int = 0) -> list[Line]:
    """The values of all charts at the cursor, one after the other; at least ``lines`` lines."""
    found: list[Line] = []
    if shown.cursor is not None:
        when = clock(shown.axis.unix(shown.axis.middle(shown.cursor)))
        parts: list[tuple[Run, ...]] = [(Run(f"at {when}", ACCENT),)]
        parts += [_valued(shown, chart, shown.values[chart.series][shown.cursor]) for chart in _drawn(shown)]
        found = flow(parts, width)
    return found + [EMPTY_LINE] * (lines - len(found))


def _valued(shown: Drawing, chart: Chart, value: float | None) -> tuple[Run, ...]:
    return (Run(f"{chart.title} ", MUTED), Run(shown.text(chart, value), STRONG if value is not None else FAINT))


def _legend(shown: Drawing, width: int) -> list[Line]:
    """What the glyphs on the time axis mean, the newest first, as far as a line goes."""
    seen = [mark for mark in shown.marks if 0 <= shown.axis.column(mark.at) < shown.axis.cells]
    parts = [
        (Run(f"{mark.glyph} ", mark.tone), Run(f"{clock(shown.axis.unix(mark.at))} {mark.text}", MUTED))
        for mark in reversed(seen)
    ]
    lines = flow(parts, width)
    if len(lines) > 1:
        lines = [Line((*flow(parts, width - 2)[0].runs, Run(" …", FAINT)))]
    return lines


def _ever_known(view: EndpointView, series: str) -> bool:
    """Whether a chart keeps its place though its window is empty."""
    history = view.history
    return history is not None and any(value is not None for _, value in history.samples(series))
