"""What is remembered of alerts from one snapshot to the next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.alerts.hearing import Seen, ready
from quarterdeck.model.alerts.measure import Moment
from quarterdeck.model.alerts.rules import Rule

REST_S = 10.0
"""Nobody looked for so long: a gap."""
JUMP_S = 5.0
"""The wall clock moved so much more or less than the monotonic one: the machine slept, or somebody set it."""
GONE_S = 10.0
"""So long the numbers of an alert are gone (its endpoint is DOWN) before it is closed as superseded."""
LOST_S = 300.0
"""So long nothing is known of an alert's subject before it is closed."""
AGAIN_S = 300.0
"""What comes back so soon after it was cleared must be calm for twice as long each time …"""
LONGEST_CALM_S = 300.0
"""… up to this."""
RECENT_S = 900.0
MOST_RECENT = 50
"""Cleared alerts are listed for so long, and so many of them."""


@dataclass(frozen=True, slots=True)
class Track:
    """One rule that holds for one subject: about to be raised (``alert`` is ``None``), or raised. Times are monotonic seconds."""

    rule: Rule
    owner: str
    since: float
    since_unix: float
    at: float
    """When it was last known: of one that is raised whatever the value, else that it holds."""
    gap: float
    first: str
    """The numbers when it began."""
    alert: Alert | None = None
    row: object = None
    """What it was last read from."""
    calm_since: float | None = None
    calm_at: float = 0.0
    gone_since: float | None = None
    returns: int = 0
    """How often it came back soon after it was cleared."""


class Returned(NamedTuple):
    """When an alert was cleared, and how often it had come back before."""

    at: float
    returns: int


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """All that is remembered between two snapshots."""

    at: float | None = None
    time: float = 0.0
    awake: float = -1e300
    """Values measured before are not known: nobody looked for a while after that."""
    rules: tuple[Rule, ...] = ()
    seen: Seen = field(default_factory=Seen)
    tracks: Mapping[str, Track] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    returned: Mapping[str, Returned] = field(default_factory=dict)
    recent: tuple[tuple[float, Alert], ...] = ()
    """Cleared lately, the newest first, and when."""
    alerts: tuple[Alert, ...] = ()


NOTHING = Memory()


def rested(memory: Memory, moment: Moment) -> Memory:
    """What is left after a gap: nothing that was about to be raised, and no calm that had begun."""
    if memory.at is None:
        return memory
    passed = moment.at - memory.at
    if 0 <= passed <= REST_S and abs((moment.time - memory.time) - passed) <= JUMP_S:
        return memory
    tracks = {
        key: replace(track, at=moment.at, calm_since=None, gone_since=None)
        for key, track in memory.tracks.items()
        if track.alert is not None
    }
    returned = memory.returned if passed >= 0 else {}
    seen = replace(memory.seen, endpoints=(), hosts=())  # what is still so must be found again
    return replace(memory, awake=moment.at, tracks=tracks, owners=owners_of(tracks), returned=returned, seen=seen)


def ruled(memory: Memory, moment: Moment, rules: tuple[Rule, ...]) -> tuple[Memory, list[tuple[str, Track, Alert]]]:
    """What is left when the rules are others; the alerts of those that are gone are over."""
    if memory.rules is rules or memory.rules == rules:
        return memory, []
    known = set(rules)
    tracks = {key: track for key, track in memory.tracks.items() if track.rule in known}
    over = [
        (key, track, replace(track.alert, cleared_at=moment.time, ending="its rule was changed or taken away"))
        for key, track in memory.tracks.items()
        if track.rule not in known and track.alert is not None
    ]
    return replace(memory, tracks=tracks, owners=owners_of(tracks), rules=rules, seen=ready(rules)), over


def owners_of(tracks: Mapping[str, Track]) -> frozenset[str]:
    return frozenset(track.owner for track in tracks.values())


def young(recent: tuple[tuple[float, Alert], ...], now: float) -> tuple[tuple[float, Alert], ...]:
    return tuple(each for each in recent if 0 <= now - each[0] <= RECENT_S)[:MOST_RECENT]
