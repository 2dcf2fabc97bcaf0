"""What every benchmark here shares: two things timed in turn, A B A B, and the median of the pairwise ratios.

Machines are noisy and differ; a ratio against a floor in the same run holds where seconds don't.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """Seconds of A (ours) and B (the floor), run by run."""

    ours: tuple[float, ...]
    floor: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the ratios of neighbouring runs."""
        return statistics.median(a / b for a, b in zip(self.ours, self.floor, strict=True))

    @property
    def p95(self) -> float:
        """The 95th percentile of ours over that of the floor; of few runs, the slowest of each."""
        return _p95(self.ours) / _p95(self.floor)

    def row(self, what: str, budget: float) -> str:
        """A line of a Markdown table."""
        ours, floor = statistics.median(self.ours) * 1000, statistics.median(self.floor) * 1000
        verdict = "within" if self.median <= budget else "OVER"
        return f"| {what} | {ours:.0f} ms | {floor:.0f} ms | {self.median:.2f} | ≤ {budget:g} | {verdict} |"


def _p95(seconds: tuple[float, ...]) -> float:
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1]


HEADING = "| what | ours | floor | ratio | budget | |\n|---|---|---|---|---|---|"


def in_turn(ours: Callable[[], float], floor: Callable[[], float], runs: int, warm_ups: int = 2) -> Ratio:
    """Each called ``runs`` times in turn after ``warm_ups``; both return seconds."""
    for _ in range(warm_ups):
        ours()
        floor()
    pairs = [(ours(), floor()) for _ in range(runs)]
    return Ratio(tuple(a for a, _ in pairs), tuple(b for _, b in pairs))
