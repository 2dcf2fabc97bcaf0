"""Percentiles of latency as a table."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.format import DASH, count, duration
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.latency import KINDS, Window
from quarterdeck.tui.detail.parts import Column, Section, table
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, STRONG, Line, Run

QUANTILES = (0.5, 0.95, 0.99)
_WORDS = {"ttft": "TTFT", "itl": "ITL", "e2e": "whole", "queue": "in queue"}
_BESIDE = 78
"""From so many cells on, both windows stand side by side."""
_LABEL = Column("", 8, right=False)
_COLUMNS = (*(Column(f"p{100 * q:.0f}", 6) for q in QUANTILES), Column("seen", 5))


def latency_section(view: EndpointView, width: int) -> Section:
    """p50, p95 and p99 over the last minute and over the last interval; "–" where no request was seen."""
    kinds = _kinds(view)
    if not kinds:
        return Section("Latency", [])
    minute, last = (view.latencies.minute, view.latencies.last) if view.latencies is not None else ({}, {})
    tone = MUTED if view.state is State.STALLED or (view.state and not view.state.answers) else PLAIN
    if width < _BESIDE:
        lines = [*_half("last minute", minute, kinds, tone), *_half("last interval", last, kinds, tone)]
        return Section("Latency", lines, "seen: how many were measured")
    spread = sum(column.width + 2 for column in _COLUMNS)
    above = Line((Run(" " * 12 + "last minute".ljust(spread) + "last interval", MUTED),))
    rows = [
        (Run(_WORDS[kind], FAINT), *_cells(minute.get(kind), tone), *_cells(last.get(kind), tone)) for kind in kinds
    ]
    return Section(
        "Latency", [above, *table((_LABEL, *_COLUMNS, *_COLUMNS), rows)], "seen: how many were measured (ITL: tokens)"
    )


def _half(title: str, windows: Mapping[str, Window], kinds: list[str], tone: str) -> list[Line]:
    rows = [(Run(_WORDS[kind], FAINT), *_cells(windows.get(kind), tone)) for kind in kinds]
    return [Line((Run("  " + title, MUTED),)), *table((_LABEL, *_COLUMNS), rows)]


def _cells(window: Window | None, tone: str) -> list[Run]:
    if window is None:
        return [Run(DASH, FAINT)] * len(_COLUMNS)
    values = [Run(duration(window.quantile(q)), STRONG if q == 0.95 and tone == PLAIN else tone) for q in QUANTILES]
    return [*values, Run(count(round(window.count)), MUTED)]


def _kinds(view: EndpointView) -> list[str]:
    """The kinds that the server tells, whether or not they saw anything."""
    seen = {*view.latencies.last, *view.latencies.minute} if view.latencies is not None else set()
    return [kind for kind in KINDS if kind in seen or any(getattr(engine, kind) is not None for engine in view.engines)]
