"""The snapshot as Prometheus metrics: text format 0.0.4, or OpenMetrics 1.0. Pure.

Unknown is no series, never 0. The same snapshot gives the same page, byte by byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from quarterdeck.format import printable
from quarterdeck.report.prometheus.metric import Kind, Labels, Metric, Number
from quarterdeck.report.prometheus.of_endpoints import ENDPOINTS
from quarterdeck.report.prometheus.of_fleet import FLEET, PROGRAM
from quarterdeck.report.prometheus.of_hosts import HOSTS
from quarterdeck.report.prometheus.rows import MOST, Rows, Seen

__all__ = ["METRICS", "OPENMETRICS", "TEXT", "Metric", "Seen", "render"]

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
METRICS: tuple[Metric, ...] = (*FLEET, *ENDPOINTS, *HOSTS, *PROGRAM)
"""Every metric there is, in the order of the page."""
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_LONGEST_LABEL = 200


def render(seen: Seen, *, openmetrics: bool = False) -> bytes:
    """The page, UTF-8; its content type is `OPENMETRICS` or `TEXT`."""
    rows = Rows(seen)
    lines: list[str] = []
    for metric in METRICS:
        samples = list(_samples(metric, rows))
        if samples:
            lines += _head(metric, openmetrics=openmetrics)
            lines += samples
    if openmetrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _head(metric: Metric, *, openmetrics: bool) -> Iterator[str]:
    if openmetrics:
        yield f"# TYPE {metric.family} {metric.kind.value}"
        if metric.unit:
            yield f"# UNIT {metric.family} {metric.unit}"
        yield f"# HELP {metric.family} {metric.help.translate(_ESCAPED)}"
    else:
        kind = Kind.GAUGE if metric.kind is Kind.INFO else metric.kind
        yield f"# HELP {metric.full_name} {metric.help}"
        yield f"# TYPE {metric.full_name} {kind.value}"


def _samples(metric: Metric, rows: Rows) -> Iterator[str]:
    """Its lines. Of two that would be the same series (names that differ only in what can't be shown) the first."""
    told: set[str] = set()
    names, full_name = metric.all_labels, metric.full_name
    for labels, document in rows.of(metric.scope):
        for own, number in _cut(metric, metric.samples(document), rows):
            written = None if number is None else _number(number, metric.kind)
            if written is None:
                continue
            which = ",".join(map(_label, names, (*labels, *own)))
            if which not in told:
                told.add(which)
                yield f"{full_name}{{{which}}} {written}" if which else f"{full_name} {written}"


def _cut(
    metric: Metric, samples: Iterable[tuple[Labels, Number | None]], rows: Rows
) -> Iterator[tuple[Labels, Number | None]]:
    found = iter(samples)
    yield from islice(found, MOST)
    more = sum(1 for _ in found)
    if more:
        rows.left_out[metric.name] += more


@lru_cache(maxsize=4096)
def _label(name: str, value: str) -> str:
    return f'{name}="{printable(value, _LONGEST_LABEL).translate(_ESCAPED)}"'


def _number(number: Number, kind: Kind) -> str | None:
    """As both formats write it; ``None`` for what is no number, or can't be one of a counter."""
    try:
        value = float(number)
    except OverflowError:
        return None
    if math.isnan(value) or (kind is not Kind.GAUGE and not 0 <= value < math.inf):
        return None
    if math.isinf(value):
        return "+Inf" if value > 0 else None
    return str(int(number)) if isinstance(number, int) else repr(value)
