"""The charts of a GPU's page: utilisation, memory, power, temperature. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

from quarterdeck.format import DASH, percent, size
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.chart import GUTTER, Mark, columns, panel, placed, ruler, time_axis
from quarterdeck.tui.gpus.pieces import is_stale
from quarterdeck.tui.gpus.scene import Entry
from quarterdeck.tui.lines import BAD, EMPTY_LINE, FAINT, MUTED, STRONG, TITLE, Line, Run, beside
from quarterdeck.tui.scales import BYTES, FRACTION, Unit

WINDOWS = ((60.0, "1 min"), (300.0, "5 min"), (900.0, "15 min"), (3600.0, "1 h"))
"""What can be looked at: seconds, and how it reads."""
HEIGHT = 4
TALL = 8
"""Lines of a plot, and of one that has room."""
ROW_LINES = HEIGHT + 3
_ROW_CHART = 48
_ROW_WINDOW = 1
_BEFORE_S = 120.0
_NARROWEST = 30
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
    """How a chart is drawn: until when, the window's place in `WINDOWS`, cells, lines of the plot."""

    moment: Moment
    window: int
    width: int
    height: int = HEIGHT


CHARTS = (
    Chart("utilization", "utilisation", FRACTION, percent, "bar-used"),
    Chart("memory_used_bytes", "memory", BYTES, size, "bar-memory"),
    Chart("power_w", "power", WATTS, WATTS.text, "bar-used"),
    Chart("temperature_c", "temperature", CELSIUS, CELSIUS.text, "state-busy"),
)


def chart_lines(entry: Entry, moment: Moment, window: int, width: int, height: int = HEIGHT) -> list[Line]:
    """All charts one below the other, their plots ``height`` lines high, or why there are none."""
    lines = [EMPTY_LINE, _title(window)]
    if width < _NARROWEST:
        return []
    if not _recorded(entry):
        return [*lines, Line((Run(" nothing was recorded yet", MUTED),))]
    for chart in CHARTS:
        lines += _drawn(entry, chart, Plot(moment, window, width, height))
    return lines


def chart_row(entry: Entry, moment: Moment, width: int, room: int) -> list[Line]:
    """The charts of the last five minutes side by side, as many as there is room for.

    At most ``room`` lines and at least `ROW_LINES`; () where there is less room, or nothing was recorded.
    """
    count = min(len(CHARTS), width // _ROW_CHART)
    if not count or room < ROW_LINES or not _recorded(entry):
        return []
    each = width // count
    height = TALL if room >= ROW_LINES - HEIGHT + TALL else HEIGHT
    lines: list[Line] = []
    for place, chart in enumerate(CHARTS[:count]):
        drawn = _drawn(entry, chart, Plot(moment, _ROW_WINDOW, each, height))
        lines = beside(lines, drawn, place * each) if lines else drawn
    return [EMPTY_LINE, *lines]


def _recorded(entry: Entry) -> bool:
    history = entry.host.histories.get(entry.gpu.key)
    return history is not None and history.last_at is not None


def _title(window: int) -> Line:
    return Line((Run(" Charts", TITLE), Run(f"  the last {WINDOWS[window][1]}", MUTED), Run("  w changes that", FAINT)))


def _highest(samples: Iterable[tuple[float, float | None]], first: float, now: float | None) -> float:
    """The highest of the samples since ``first`` and the value of now: columns show means, which are lower."""
    return max(
        [value for at, value in samples if at >= first and value is not None] + [-math.inf if now is None else now]
    )


def _drawn(entry: Entry, chart: Chart, plot: Plot) -> list[Line]:
    """One chart: its title with the value of now and the highest, the plot, the times."""
    host, gpu = entry
    moment, window, width, height = plot
    axis = time_axis(moment.now, moment.unix, WINDOWS[window][0], width - GUTTER - 2)
    history = host.histories[gpu.key]
    samples = list(history.samples(chart.series, axis.first - _BEFORE_S)) if chart.series in history.names else []
    values = columns(samples, axis, host.interval)
    known = [value for value in values if value is not None]
    now = None if is_stale(entry, moment.now) else getattr(gpu, chart.series)
    peak = f"  peak {chart.text(_highest(samples, axis.first, now))}" if known else "  not known in this time"
    title = (Run(f"  {chart.title}  ", MUTED), Run(DASH if now is None else chart.text(now), STRONG), Run(peak, FAINT))
    events = placed((Mark(x.at, "✗", BAD, f"XID {x.number}") for x in gpu.xids if x.at is not None), axis)
    return [Line(title), *panel(values, height, chart.unit, chart.tone), ruler(axis, events)]
