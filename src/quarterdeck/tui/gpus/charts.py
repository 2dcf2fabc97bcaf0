"""The charts of a GPU's page: utilisation, memory, power, temperature. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from quarterdeck.format import DASH, percent, size
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.chart import GUTTER, Mark, TimeAxis, columns, panel, placed, ruler, time_axis
from quarterdeck.tui.detail.charts import WINDOWS, Look
from quarterdeck.tui.detail.parts import flow
from quarterdeck.tui.gpus.pieces import is_stale
from quarterdeck.tui.gpus.scene import Entry
from quarterdeck.tui.lines import ACCENT, BAD, EMPTY_LINE, FAINT, MUTED, STRONG, TITLE, Line, Run, beside
from quarterdeck.tui.scales import BYTES, FRACTION, Unit, clock

HEIGHT = 4
TALL = 8
"""Lines of a plot, and of one that has room."""
ROW_LINES = HEIGHT + 3
_ROW_CHART = 48
_ROW_LOOK = Look()
_BEFORE_S = 120.0
_NARROWEST = 30
_FRESH = 2.5
"""Intervals after which a sample is not of now."""
_PLAIN_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
WATTS = Unit(lambda value: f"{value:.0f} W", _PLAIN_STEPS)
CELSIUS = Unit(lambda value: f"{value:.0f} °C", _PLAIN_STEPS)


class Chart(NamedTuple):
    """One series as it is drawn."""

    series: str
    title: str
    unit: Unit
    text: Callable[[float], str]
    tone: str


class Plot(NamedTuple):
    """How a chart is drawn: now, the window and the moment under the cursor, cells, lines of the plot."""

    moment: Moment
    look: Look
    width: int
    height: int = HEIGHT
    last: float | None = None
    """When the last sample came, where that is the newest there can be: its column is the last one."""

    @property
    def axis(self) -> TimeAxis:
        """Its columns."""
        now, unix = self.moment.now, self.moment.unix
        until = now if self.last is None else self.last
        return time_axis(until, unix - (now - until), self.look.seconds, max(1, self.width - GUTTER - 2))

    @property
    def cursor(self) -> int | None:
        """The column under the cursor."""
        axis, at = self.axis, self.look.cursor
        return None if at is None else min(max(0, axis.column(at)), axis.cells - 1)


def plot_of(entry: Entry, moment: Moment, look: Look, width: int, height: int = HEIGHT) -> Plot:
    """How the charts of a GPU are drawn now."""
    history = entry.host.histories.get(entry.gpu.key)
    last = history.last_at if history is not None else None
    fresh = last is not None and 0 <= moment.now - last < _FRESH * entry.host.interval
    return Plot(moment, look, width, height, last if fresh else None)


CHARTS = (
    Chart("utilization", "utilisation", FRACTION, percent, "bar-used"),
    Chart("memory_used_bytes", "memory", BYTES, size, "bar-memory"),
    Chart("power_w", "power", WATTS, WATTS.text, "bar-used"),
    Chart("temperature_c", "temperature", CELSIUS, CELSIUS.text, "state-busy"),
)


def chart_lines(entry: Entry, plot: Plot) -> list[Line]:
    """All charts one below the other, or why there are none; where a cursor stands, first the values under it."""
    if plot.width < _NARROWEST:
        return []
    lines = [EMPTY_LINE, _title(plot.look)]
    if not is_recorded(entry):
        return [*lines, Line((Run(" nothing was recorded yet", MUTED),))]
    lines += _under_cursor(entry, plot)
    for chart in CHARTS:
        lines += _drawn(entry, chart, plot)
    return lines


def chart_row(entry: Entry, moment: Moment, width: int, room: int) -> list[Line]:
    """The charts of the last five minutes side by side, as many as there is room for.

    At most ``room`` lines and at least `ROW_LINES`; () where there is less room, or nothing was recorded.
    """
    count = min(len(CHARTS), width // _ROW_CHART)
    if not count or room < ROW_LINES or not is_recorded(entry):
        return []
    each = width // count
    height = TALL if room >= ROW_LINES - HEIGHT + TALL else HEIGHT
    lines: list[Line] = []
    for place, chart in enumerate(CHARTS[:count]):
        drawn = _drawn(entry, chart, plot_of(entry, moment, _ROW_LOOK, each, height))
        lines = beside(lines, drawn, place * each) if lines else drawn
    return [EMPTY_LINE, *lines]


def is_recorded(entry: Entry) -> bool:
    """Whether anything was recorded of a GPU."""
    history = entry.host.histories.get(entry.gpu.key)
    return history is not None and history.last_at is not None


def _title(look: Look) -> Line:
    keys = "  w changes that  ← → cursor" + ("  Esc ends it" if look.cursor is not None else "")
    return Line((Run(" Charts", TITLE), Run(f"  the last {WINDOWS[look.window][1]}", MUTED), Run(keys, FAINT)))


def _under_cursor(entry: Entry, plot: Plot) -> list[Line]:
    """The values of all charts at the cursor, one after the other."""
    if plot.cursor is None:
        return []
    when = clock(plot.axis.unix(plot.axis.middle(plot.cursor)))
    parts: list[tuple[Run, ...]] = [(Run(f"at {when}", ACCENT),)]
    for chart in CHARTS:
        value = _columns(entry, chart, plot)[plot.cursor]
        shown = Run(DASH, FAINT) if value is None else Run(chart.text(value), STRONG)
        parts.append((Run(f"{chart.title} ", MUTED), shown))
    return flow(parts, plot.width)


def _highest(samples: Iterable[tuple[float, float | None]], first: float, now: float | None) -> float:
    """The highest of the samples since ``first`` and the value of now: columns show means, which are lower."""
    return max(
        [value for at, value in samples if at >= first and value is not None] + [-math.inf if now is None else now]
    )


def _samples(entry: Entry, chart: Chart, axis: TimeAxis) -> list[tuple[float, float | None]]:
    history = entry.host.histories[entry.gpu.key]
    return list(history.samples(chart.series, axis.first - _BEFORE_S)) if chart.series in history.names else []


def _columns(entry: Entry, chart: Chart, plot: Plot) -> list[float | None]:
    return columns(_samples(entry, chart, plot.axis), plot.axis, entry.host.interval)


def _drawn(entry: Entry, chart: Chart, plot: Plot) -> list[Line]:
    """One chart: its title with the value of now (or under the cursor) and the highest, the plot, the times."""
    axis, cursor = plot.axis, plot.cursor
    values = _columns(entry, chart, plot)
    now = None if is_stale(entry, plot.moment.now) else getattr(entry.gpu, chart.series)
    highest = _highest(_samples(entry, chart, axis), axis.first, now)
    peak = f"  peak {chart.text(highest)}" if any(value is not None for value in values) else "  not known in this time"
    value = now if cursor is None else values[cursor]
    tone = FAINT if value is None else STRONG if cursor is None else ACCENT
    title = (
        Run(f"  {chart.title}  ", MUTED),
        Run(DASH if value is None else chart.text(value), tone),
        Run(peak, FAINT),
    )
    events = placed((Mark(x.at, "✗", BAD, f"XID {x.number}") for x in entry.gpu.xids if x.at is not None), axis)
    return [
        Line(title),
        *panel(values, plot.height, chart.unit, chart.tone, cursor),
        ruler(axis, events, cursor),
    ]
