"""What is said of what waits, and how: a line each with its time, floods summed up, the same advice not again and again. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import NamedTuple

from quarterdeck.reader.changes import Change, Kind
from quarterdeck.reader.speech import listed, sentence
from quarterdeck.reader.telling import Group, Key, Memory, called

MOST_ALIKE = 3
"""So many changes of one kind are told one by one."""
MOST_LINES = 8
"""At one time."""
GATHER_S = 3.0
"""After a sum so long, more of its kind waits to be summed up, too: a fleet is polled over some seconds."""
ADVISED_S = 600.0
"""So long an advice is remembered."""
AS_BEFORE = "Cause and what to try are as before."


class Level(StrEnum):
    """What is told by itself."""

    ALL = "all"
    TROUBLE = "trouble"
    """What is wrong, what is over, and how jobs end."""
    QUIET = "quiet"


class _Line(NamedTuple):
    """Something to say. ``at``: Unix seconds."""

    text: str
    at: float
    grave: bool = False


def told(memory: Memory, level: Level, *, known_jobs: Collection[str] = ()) -> tuple[Memory, list[str]]:
    """The lines to say now, and the memory after them. ``known_jobs``: whose beginning needs no telling."""
    if level is Level.QUIET:
        return memory, []
    turn = _Turn(memory, {}, dict(memory.floods), dict(memory.advised), [])
    groups: dict[Group, list[Change]] = {}
    for one in memory.held.values():
        if _matters(one, level) and not _is_known(one, known_jobs):
            groups.setdefault((one.kind, one.word), []).append(one)
    for group in groups.values():
        turn.take(group)
    floods = {group: at for group, at in turn.floods.items() if memory.at - at < GATHER_S}
    advised = {advice: at for advice, at in turn.advised.items() if memory.at - at < ADVISED_S}
    return replace(memory, held=turn.held, floods=floods, advised=advised), _in_time(turn.lines)


class _Turn(NamedTuple):
    """What is being put together."""

    memory: Memory
    held: dict[Key, Change]
    """What waits on."""
    floods: dict[Group, float]
    advised: dict[str, float]
    lines: list[_Line]

    def take(self, group: list[Change]) -> None:
        """Changes of one kind to the same."""
        first, now = group[0], self.memory.at
        last_sum = self.floods.get((first.kind, first.word))
        if last_sum is not None and 0 <= now - last_sum < GATHER_S:
            self.held.update({one.key: one for one in group})
        elif len(group) > MOST_ALIKE and first.several:
            self.floods[first.kind, first.word] = now
            at = max(one.at for one in group)
            self.lines.append(_Line(f"{clock(at)} {summed(group)}", at, grave=any(one.grave for one in group)))
        else:
            self.lines.extend(_Line(f"{clock(one.at)} {self._whole(one)}", one.at, one.grave) for one in group)

    def _whole(self, one: Change) -> str:
        """With the advice, where it wasn't given lately."""
        if not one.advice:
            return one.text
        known = self.memory.at - self.advised.get(one.advice, -inf) < ADVISED_S
        self.advised[one.advice] = self.memory.at
        return f"{one.text} {AS_BEFORE if known else one.advice}"


def _is_known(one: Change, known_jobs: Collection[str]) -> bool:
    return one.kind is Kind.JOB and one.word == "begun" and one.subject in known_jobs


def _matters(one: Change, level: Level) -> bool:
    return level is Level.ALL or one.grave or (one.kind is Kind.JOB and one.word != "begun")


def _in_time(lines: list[_Line]) -> list[str]:
    """In the order in which it happened; where there are too many, the trouble among them."""
    shown = sorted(lines, key=lambda line: not line.grave)
    if len(shown) > MOST_LINES:
        more = len(shown) - MOST_LINES + 1
        shown = [*shown[: MOST_LINES - 1], _Line(f"And {more} other changes. status tells how everything is.", inf)]
    return [line.text for line in sorted(shown, key=lambda line: line.at)]


def summed(group: list[Change]) -> str:
    """ "12 endpoints are DOWN: a, b, c and 9 more. All for the same reason: connection refused." """
    reasons = {one.reason for one in group}
    reason = next(iter(reasons)) if len(reasons) == 1 else ""
    text = f"{len(group)} {group[0].several}: {listed([called(one) for one in group])}."
    if group[0].kind is Kind.ALERT:
        return f"{text} alerts tells more."
    return f"{text} {sentence(f'All for the same reason: {reason}')}" if reason else text


def clock(unix: float) -> str:
    """The time of day here, "14:03:21"."""
    try:
        return datetime.fromtimestamp(unix).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "unknown time:"
