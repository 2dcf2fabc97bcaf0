"""Bars and charts made of characters. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from quarterdeck.tui.lines import Run

_BLOCKS = " ▁▂▃▄▅▆▇█"


def bar(fraction: float | None, width: int, tone: str = "bar-used") -> tuple[Run, ...]:
    """A heavy line on a light one, ``width`` cells long, in half cells; only the light one where the fraction is unknown."""
    known = fraction if fraction is not None and math.isfinite(fraction) else 0.0
    halves = round(min(1.0, max(0.0, known)) * width * 2)
    if halves == 0 and known > 0:
        halves = 1
    full, half = divmod(halves, 2)
    used = "━" * full + "╾" * half
    return tuple(run for run in (Run(used, tone), Run("─" * (width - full - half), "bar-rest")) if run.text)


def chart(values: Sequence[float | None], width: int, height: int, top: float | None = None) -> list[str]:
    """The last ``width`` values as columns of blocks, ``height`` lines high, the top line first; a gap where unknown.

    ``top`` is the value at the upper edge of the first line (default: the largest shown).
    """
    shown = list(values[-width:]) if width > 0 else []
    highest = max((value for value in shown if value is not None and math.isfinite(value)), default=0.0)
    full = highest if top is None else top
    columns = [_column(_eighths(value, full, height), height) for value in shown]
    lines = map("".join, zip(*columns, strict=True)) if columns else [""] * height
    return [line.rjust(max(0, width)) for line in lines]


@lru_cache(maxsize=1024)
def _column(filled: int, height: int) -> tuple[str, ...]:
    """One column, ``filled`` eighths of a cell high, the top cell first."""
    return tuple(_BLOCKS[min(8, max(0, filled - 8 * level))] for level in reversed(range(height)))


def _eighths(value: float | None, top: float, height: int) -> int:
    """How many eighths of a cell a column is high; a known value is at least one, so that zero differs from unknown."""
    if value is None or not math.isfinite(value):
        return 0
    return max(1, round(min(max(value, 0.0), top) / top * height * 8)) if top > 0 else 1
