"""What llama-server's /slots tells of running requests. Pure.

Its counters move when a request ends; until then a request's tokens stand in its slot, and are gone from there when it has ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from quarterdeck.wire.body import items, mapping, number, whole

MOST_SLOTS = 4096


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot with a request in it."""

    id: int
    task: int | None
    """Number of the request."""
    decoded: float
    """Output tokens so far."""
    prompted: float
    """Prompt tokens computed so far."""
    cached: float
    """Prompt tokens found in the cache."""


def busy_slots(listing: object) -> tuple[Slot, ...] | None:
    """The slots that work, of an answer's JSON value; ``None`` where it is no list of slots."""
    entries = [mapping(entry) for entry in items(listing, MOST_SLOTS)]
    if not isinstance(listing, list) or not all("is_processing" in entry for entry in entries):
        return None
    return tuple(_slot(index, entry) for index, entry in enumerate(entries) if entry["is_processing"] is True)


def _slot(index: int, entry: object) -> Slot:
    told = mapping(entry)
    following = told.get("next_token")
    first = mapping(following[0]) if isinstance(following, list) and following else mapping(following)
    found = whole(told.get("id"))
    return Slot(
        index if found is None else found,
        whole(told.get("id_task")),
        _amount(first.get("n_decoded")),
        _amount(told.get("n_prompt_tokens_processed")),
        _amount(told.get("n_prompt_tokens_cache")),
    )


def _amount(value: object) -> float:
    return max(0.0, number(value) or 0.0)


def unfinished(slots: Iterable[Slot]) -> tuple[float, float]:
    """Output and prompt tokens of running requests that the counters miss: they take a prompt when its first token comes."""
    known = tuple(slots)
    return sum(slot.decoded for slot in known), sum(slot.prompted for slot in known if not slot.decoded)


@dataclass(slots=True)
class SlotMeter:
    """Counts tokens by watching slots, for a server without counters. A lower bound.

    What a request makes between the last look at it and its end is missed, and one that comes and goes between two looks.
    """

    generated: float = 0.0
    prompted: float = 0.0
    cached: float = 0.0
    begun: int = 0
    """Requests seen to begin."""
    _last: dict[int, Slot] = field(default_factory=dict)

    def look(self, slots: Iterable[Slot]) -> None:
        """Take in the busy slots of this moment."""
        before, self._last = self._last, {}
        for slot in slots:
            was = before.get(slot.id)
            if was is None or was.task != slot.task or slot.decoded < was.decoded or slot.prompted < was.prompted:
                was = Slot(slot.id, slot.task, 0.0, 0.0, 0.0)
                self.begun += 1
            self.generated += slot.decoded - was.decoded
            self.prompted += slot.prompted - was.prompted
            self.cached += max(0.0, slot.cached - was.cached)
            self._last[slot.id] = slot
