"""From the series of a metrics page to readings per engine: which series feeds which field is worked out once per layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from quarterdeck.format import printable
from quarterdeck.model.latency import KINDS
from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.wire.prometheus import Layout, Page, Picker, Series, picker

MOST_ENGINES = 1024
UNREAD = "…"
"""Label of an engine without values, which stands for those above `MOST_ENGINES`: so no sum is taken for the whole."""
MOST_PARTS = 64
LONGEST_WORD = 60
"""Characters of an engine's label, or of a reason."""
_NONE: Mapping[str, Any] = MappingProxyType({})
_JOINED: Mapping[str, Callable[[Iterable[float]], float]] = {
    "kv_used": max,
    "started": min,
    "reported_hit_rate": max,
    "reported_acceptance": max,
}
"""How several series of one engine make one value; all others add up."""
Fixed = Callable[[Layout, Sequence[str]], Mapping[str, Mapping[str, Any]]]
"""From a layout and the labels of its engines: engine label → fields that its labels tell, not its values."""


@dataclass(frozen=True, slots=True)
class MetricMap:
    """A field of EngineReading -> the sample names that carry it, newest name first; ``engine_label`` tells ranks apart."""

    names: Mapping[str, tuple[str, ...]]
    engine_label: str | None = None
    parts: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """Field that holds (part, value) pairs → the label whose values name the parts."""
    part_of: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """A key of ``names`` that is no field but, under its own name, one more part of this one."""
    unless: Mapping[str, tuple[str, str]] = field(default_factory=lambda: _NONE)
    """Sample name → the label and its value of series that don't count."""

    @property
    def wanted(self) -> frozenset[str]:
        """Every sample name of the map."""
        return frozenset(name for aliases in self.names.values() for name in aliases)

    def chosen(self, layout: Layout) -> dict[str, str]:
        """Field → the sample name that carries it on this page; fields that nothing carries are left out."""
        present = {series.name for series in layout.series}
        firsts = ((name, next((a for a in aliases if a in present), None)) for name, aliases in self.names.items())
        return {name: alias for name, alias in firsts if alias is not None}

    def engine_of(self, series: Series) -> str | None:
        """The label of the engine it belongs to, where it says so."""
        found = series.labels.get(self.engine_label) if self.engine_label is not None else None
        return printable(found, LONGEST_WORD) if found is not None else None


@dataclass(slots=True)
class _Columns:
    """Positions in ``page.values`` of one engine's series."""

    scalars: dict[str, list[int]] = field(default_factory=dict)
    parts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    buckets: dict[str, list[tuple[Series, int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _HistogramPlan:
    """Where the counts of a histogram stand: a picker per label set, all with the same bounds."""

    bounds: tuple[float, ...]
    picks: tuple[Picker, ...]


@dataclass(frozen=True, slots=True)
class _EnginePlan:
    """How one engine's reading is made of a page's values."""

    label: str
    fixed: Mapping[str, Any]
    names: tuple[str, ...]
    """Fields that one series carries …"""
    pick: Picker
    """… and where these stand."""
    joined: tuple[tuple[str, tuple[int, ...]], ...]
    """Fields that several carry."""
    shaped: tuple[str, ...]
    """Fields that are no plain float."""
    parts: tuple[tuple[str, tuple[tuple[str, tuple[int, ...]], ...]], ...]
    histograms: tuple[tuple[str, _HistogramPlan], ...]


class EnginePages:
    """Turns pages of one server into readings, remembering the plan as long as the layout stays."""

    def __init__(self, metric_map: MetricMap, fixed: Fixed | None = None) -> None:
        """``fixed``: what labels tell of the engines, once per layout."""
        self._map = metric_map
        self._fixed = fixed
        self._layout: Layout | None = None
        self._plans: tuple[_EnginePlan, ...] = ()
        self.chosen: Mapping[str, str] = _NONE
        """Field → the sample name that carried it on the last page."""

    def engines(self, page: Page) -> tuple[EngineReading, ...]:
        """One reading per engine, ranks in order. Empty where the page holds none of the wanted series."""
        if page.layout is not self._layout:
            self._plans = self._planned(page.layout)
            self._layout = page.layout
        values = page.values
        return tuple([_reading(plan, values) for plan in self._plans])

    def _planned(self, layout: Layout) -> tuple[_EnginePlan, ...]:
        self.chosen = self._map.chosen(layout)
        columns = _columns(self._map, layout, {alias: name for name, alias in self.chosen.items()})
        labels = sorted(columns, key=lambda label: (len(label), label))
        fixed = self._fixed(layout, labels) if self._fixed is not None and labels else _NONE
        plans = tuple(_plan(label, columns[label], fixed.get(label, _NONE)) for label in labels)
        return plans if len(plans) <= MOST_ENGINES else (*plans[:MOST_ENGINES], _plan(UNREAD, _Columns(), _NONE))


def _columns(metric_map: MetricMap, layout: Layout, field_of: Mapping[str, str]) -> dict[str, _Columns]:
    """Engine label → where its series stand. What names no engine belongs to the first, or the only one."""
    wanted = [
        (index, series, field_of[series.name])
        for index, series in enumerate(layout.series)
        if series.name in field_of and _counts(metric_map, series)
    ]
    named = {label for _, series, _ in wanted if (label := metric_map.engine_of(series)) is not None}
    first = min(named, key=lambda label: (len(label), label), default="0")
    found: dict[str, _Columns] = {}
    for index, series, name in wanted:
        label = metric_map.engine_of(series)
        label = first if label is None else label
        if label in found or len(found) <= MOST_ENGINES:
            _put(metric_map, found.setdefault(label, _Columns()), name, series, index)
    return found


def _counts(metric_map: MetricMap, series: Series) -> bool:
    label, value = metric_map.unless.get(series.name, ("", ""))
    return not label or series.labels.get(label) != value


def _put(metric_map: MetricMap, columns: _Columns, name: str, series: Series, index: int) -> None:
    if name in KINDS:
        columns.buckets.setdefault(name, []).append((series, index))
        return
    target, part = metric_map.part_of.get(name), name
    if target is None and name in metric_map.parts:
        target, part = name, printable(series.labels.get(metric_map.parts[name], ""), LONGEST_WORD)
    if target is None:
        columns.scalars.setdefault(name, []).append(index)
        return
    parts = columns.parts.setdefault(target, {})
    if part and (part in parts or len(parts) < MOST_PARTS):
        parts.setdefault(part, []).append(index)


def _plan(label: str, columns: _Columns, fixed: Mapping[str, Any]) -> _EnginePlan:
    single = {name: indices[0] for name, indices in columns.scalars.items() if len(indices) == 1}
    names = sorted(single, key=lambda name: single[name])
    planned = ((name, _histogram_plan(buckets)) for name, buckets in columns.buckets.items())
    return _EnginePlan(
        label,
        fixed,
        tuple(names),
        picker([single[name] for name in names]),
        tuple((name, tuple(indices)) for name, indices in columns.scalars.items() if name not in single),
        tuple(name for name in columns.scalars if name in _SHAPES),
        tuple((name, tuple((part, tuple(at)) for part, at in parts.items())) for name, parts in columns.parts.items()),
        tuple((name, histogram) for name, histogram in planned if histogram is not None),
    )


def _histogram_plan(buckets: list[tuple[Series, int]]) -> _HistogramPlan | None:
    """``None`` where the label sets have different bounds, one twice, or no +Inf: what they add up to can't be told."""
    sets: dict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = {}
    for series, index in buckets:
        bound = _bound(series.labels.get("le"))
        if bound is not None:
            others = tuple(sorted(pair for pair in series.labels.items() if pair[0] != "le"))
            sets.setdefault(others, []).append((bound, index))
    ordered = [sorted(rows) for rows in sets.values()]
    all_bounds = {tuple(bound for bound, _ in rows) for rows in ordered}
    bounds = all_bounds.pop() if len(all_bounds) == 1 else ()
    if not bounds or bounds[-1] != math.inf or len(set(bounds)) != len(bounds):
        return None
    return _HistogramPlan(bounds, tuple(picker([index for _, index in rows]) for rows in ordered))


def _bound(le: str | None) -> float | None:
    try:
        bound = float(le or "")
    except ValueError:
        return None
    return None if math.isnan(bound) or bound == -math.inf else bound


def _fraction(value: float) -> float | None:
    return min(value, 1.0) if value <= 1.01 else None


_SHAPES: Mapping[str, Callable[[float], float | None]] = {
    "running": round,
    "waiting": round,
    "kv_used": _fraction,
    "reported_hit_rate": _fraction,
    "reported_acceptance": _fraction,
}


def _reading(plan: _EnginePlan, values: Sequence[float]) -> EngineReading:
    picked: Sequence[float] = plan.pick(values)
    if not picked or (min(picked) >= 0 and sum(picked) < 1e18):
        fields = {**plan.fixed, **dict(zip(plan.names, picked, strict=True))}
    else:
        sane = [value if 0 <= value < 1e18 else None for value in picked]  # also refuses nan and inf
        fields = {**plan.fixed, **dict(zip(plan.names, sane, strict=True))}
    for name, indices in plan.joined:
        fields[name] = _joined(_JOINED.get(name, math.fsum), indices, values)
    for name in plan.shaped:
        if fields[name] is not None:
            fields[name] = _SHAPES[name](fields[name])
    for name, parts in plan.parts:
        known = [(part, _joined(math.fsum, indices, values)) for part, indices in parts]
        whole = name == "waiting_by_reason"
        fields[name] = tuple([(part, round(n) if whole else n) for part, n in known if n is not None])
    for name, histogram in plan.histograms:
        fields[name] = _histogram(histogram, values)
    return EngineReading(plan.label, **fields)


def _joined(join: Callable[[Iterable[float]], float], indices: Sequence[int], values: Sequence[float]) -> float | None:
    """One value from the series of one engine (several models, label sets); unknown when one of them is not a sane number."""
    if len(indices) == 1:
        value = values[indices[0]]
        return value if 0 <= value < 1e18 else None
    chosen = [values[i] for i in indices]
    return join(chosen) if all(0 <= value < 1e18 for value in chosen) else None


def _histogram(plan: _HistogramPlan, values: Sequence[float]) -> Histogram | None:
    counts: Sequence[float] = plan.picks[0](values)
    if len(plan.picks) > 1:
        counts = tuple(map(sum, zip(*(pick(values) for pick in plan.picks), strict=True)))
    if min(counts) < 0 or not sum(counts) < 1e20:  # nan and inf make the sum so
        return None
    return Histogram(plan.bounds, tuple(counts))
