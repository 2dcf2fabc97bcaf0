"""Votes between two models, added up, with how sure they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

METHOD = "Wilson score interval, 95 %, of the votes that chose one; ties and both bad are left out"
_Z = 1.959964
"""The 97.5th percentile of the normal distribution."""


class Choice(StrEnum):
    """What somebody found of two answers."""

    FIRST = "first"
    """The first is better."""
    SECOND = "second"
    TIE = "tie"
    BOTH_BAD = "both bad"


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote on one prompt. ``first`` and ``second`` name models ("qwen3:8b@bench")."""

    first: str
    second: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Interval:
    """A share 0 … 1 and where the true one probably lies."""

    share: float
    low: float
    high: float

    @property
    def decides(self) -> bool:
        """Whether one half lies outside: the votes tell the two apart."""
        return self.low > 0.5 or self.high < 0.5


@dataclass(frozen=True, slots=True)
class Standing:
    """All votes on one pair of models; ``first`` comes before ``second`` in the alphabet."""

    first: str
    second: str
    first_better: int = 0
    second_better: int = 0
    ties: int = 0
    both_bad: int = 0

    @property
    def count(self) -> int:
        """Of votes."""
        return self.first_better + self.second_better + self.ties + self.both_bad

    @property
    def win_rate(self) -> Interval | None:
        """Of ``first`` against ``second`` (`METHOD`); ``None`` where no vote chose one."""
        return wilson(self.first_better, self.first_better + self.second_better)


def wilson(wins: int, count: int) -> Interval | None:
    """(p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n); ``None`` where nothing was counted."""
    if count <= 0:
        return None
    share, square = wins / count, _Z * _Z
    middle = share + square / (2 * count)
    half = _Z * sqrt(share * (1 - share) / count + square / (4 * count * count))
    below = 1 + square / count
    return Interval(share, max(0.0, (middle - half) / below), min(1.0, (middle + half) / below))


def standings(votes: Iterable[Vote]) -> list[Standing]:
    """One for each pair of models, by name. Votes on a model against itself count for nothing."""
    counts: dict[tuple[str, str], dict[Choice, int]] = {}
    for vote in votes:
        if vote.first == vote.second:
            continue
        turned = vote.first > vote.second
        key = (vote.second, vote.first) if turned else (vote.first, vote.second)
        choice = _TURNED[vote.choice] if turned else vote.choice
        of = counts.setdefault(key, dict.fromkeys(Choice, 0))
        of[choice] += 1
    return [
        Standing(*key, of[Choice.FIRST], of[Choice.SECOND], of[Choice.TIE], of[Choice.BOTH_BAD])
        for key, of in sorted(counts.items())
    ]


_TURNED = {
    Choice.FIRST: Choice.SECOND,
    Choice.SECOND: Choice.FIRST,
    Choice.TIE: Choice.TIE,
    Choice.BOTH_BAD: Choice.BOTH_BAD,
}
