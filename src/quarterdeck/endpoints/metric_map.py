"""From the series of a metrics page to readings per engine: which series feeds which field is worked out once per layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.wire.prometheus import Layout, Page

HISTOGRAMS = ("ttft", "itl")
MOST_ENGINES = 1024
_JOINED: Mapping[str, Callable[[Iterable[float]], float]] = {"kv_used": max, "started": min}
"""How several series of one engine make one value; all others add up."""


@dataclass(frozen=True, slots=True)
class MetricMap:
    """A field of EngineReading -> the sample names that carry it, newest name first; ``engine_label`` tells ranks apart."""

    names: Mapping[str, tuple[str, ...]]
    engine_label: str | None = None

    @property
    def wanted(self) -> frozenset[str]:
        """Every sample name of the map."""
        return frozenset(name for aliases in self.names.values() for name in aliases)


@dataclass(slots=True)
class _Columns:
    """Positions in ``page.values`` of one engine's series."""

    scalars: dict[str, list[int]] = field(default_factory=dict)
    buckets: dict[str, dict[float, list[int]]] = field(default_factory=dict)


class EnginePages:
    """Turns pages of one server into readings, remembering the plan as long as the layout stays."""

    def __init__(self, metric_map: MetricMap) -> None:
        self._map = metric_map
        self._layout: Layout | None = None
        self._plan: dict[str, _Columns] = {}

    def engines(self, page: Page) -> tuple[EngineReading, ...]:
        """One reading per engine, ranks in order. Empty where the page holds none of the wanted series."""
        if page.layout is not self._layout:
            self._plan = self._planned(page.layout)
            self._layout = page.layout
        return tuple(_reading(label, columns, page.values) for label, columns in self._plan.items())

    def _planned(self, layout: Layout) -> dict[str, _Columns]:
        present = {series.name for series in layout.series}
        chosen: dict[str, str] = {}
        for name, aliases in self._map.names.items():
            found = next((alias for alias in aliases if alias in present), None)
            if found is not None:
                chosen[found] = name
        plan: dict[str, _Columns] = {}
        for index, series in enumerate(layout.series):
            target = chosen.get(series.name)
            if target is None:
                continue
            label = series.labels.get(self._map.engine_label, "0") if self._map.engine_label else "0"
            if label not in plan and len(plan) >= MOST_ENGINES:
                continue
            columns = plan.setdefault(label, _Columns())
            if target in HISTOGRAMS:
                bound = _bound(series.labels.get("le"))
                if bound is not None:
                    columns.buckets.setdefault(target, {}).setdefault(bound, []).append(index)
            else:
                columns.scalars.setdefault(target, []).append(index)
        return dict(sorted(plan.items(), key=lambda item: (len(item[0]), item[0])))


def _bound(le: str | None) -> float | None:
    try:
        bound = float(le or "")
    except ValueError:
        return None
    return None if math.isnan(bound) or bound == -math.inf else bound


def _reading(label: str, columns: _Columns, values: Sequence[float]) -> EngineReading:
    scalars = {name: _joined(name, indices, values) for name, indices in columns.scalars.items()}
    histograms = {name: _histogram(buckets, values) for name, buckets in columns.buckets.items()}
    kv_used = scalars.get("kv_used")
    return EngineReading(
        label=label,
        running=_count(scalars.get("running")),
        waiting=_count(scalars.get("waiting")),
        kv_used=min(kv_used, 1.0) if kv_used is not None and kv_used <= 1.01 else None,
        generation_tokens=scalars.get("generation_tokens"),
        prompt_tokens=scalars.get("prompt_tokens"),
        steps=scalars.get("steps"),
        started=scalars.get("started"),
        ttft=histograms.get("ttft"),
        itl=histograms.get("itl"),
    )


def _joined(name: str, indices: list[int], values: Sequence[float]) -> float | None:
    """One value from the series of one engine (several models, label sets); unknown when one of them is not a sane number."""
    if len(indices) == 1:
        value = values[indices[0]]
        return value if 0 <= value < 1e18 else None  # also refuses nan and inf
    chosen = [values[i] for i in indices]
    if not all(0 <= value < 1e18 for value in chosen):
        return None
    return _JOINED.get(name, math.fsum)(chosen)


def _count(value: float | None) -> int | None:
    return None if value is None else round(value)


def _histogram(buckets: dict[float, list[int]], values: Sequence[float]) -> Histogram | None:
    bounds = tuple(sorted(buckets))
    if bounds[-1] != math.inf:
        return None
    counts = tuple(sum(values[i] for i in buckets[bound]) for bound in bounds)
    return Histogram(bounds, counts) if all(0 <= count < 1e18 for count in counts) else None
