"""The rules looked at again, over what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from quarterdeck.engine.recording.reader import Cursor, Recording
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.alerts.watch import Change, step
from quarterdeck.model.fleet import FleetSnapshot

LOOK_EVERY_S = 1.0


def alerts_again(recording: Recording, rules: tuple[Rule, ...]) -> list[Change]:
    """What those rules raise and clear over a recording, in order: of the rules in force then, what was raised then."""
    memory = NOTHING
    found: list[Change] = []
    for snapshot in moments(recording):
        taken = step(memory, snapshot, rules)
        memory = taken.memory
        found += taken.changes
    return found


def moments(recording: Recording) -> Iterator[FleetSnapshot]:
    """Every sample, and each second between two of them: an engine looks at its rules then, too."""
    cursor = Cursor(recording)
    try:
        place = 0
        while place < len(recording):
            cursor.go(place)
            if cursor.place != place:
                return
            seen = cursor.snapshot()
            yield seen
            place += 1
            until = recording.ats[place] if place < len(recording) else seen.at
            later = LOOK_EVERY_S
            while seen.at + later < until - LOOK_EVERY_S / 2:
                yield replace(seen, at=seen.at + later, time=seen.time + later)
                later += LOOK_EVERY_S
    finally:
        cursor.close()
