"""What happened to one endpoint, told from what was remembered before and after: states, restarts, models that came and went."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.model.events import MOST_EVENTS, Event, EventKind
from quarterdeck.model.fleet import State
from quarterdeck.model.health import Conclusion
from quarterdeck.model.memory import Memory
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Facts, Reading

_MOST_MODELS = 5
"""Named one by one; a server that lists others all the time gets one event."""


@dataclass(slots=True)
class Occurrences:
    """The last events of one endpoint, oldest first."""

    events: tuple[Event, ...] = ()
    _state: State | None = None
    _changed_at: float | None = None

    def compare(self, before: Memory, after: Memory, reading: Reading) -> None:
        """See what a poll changed."""
        if after.restarted_at is not None and after.restarted_at != before.restarted_at:
            self._add(
                Event(after.restarted_at, EventKind.RESTART, "restart", after.began_again or "its counters began again")
            )
        old = before.good.facts if before.good is not None else None
        if old is not None and reading.facts is not None:
            self._models(old, reading.facts, reading.at)

    def settled(self, found: Conclusion, now: float) -> None:
        """See whether the state is another one."""
        if found.state is None or found.state is self._state:
            return
        first, self._state = self._state is None, found.state
        if first and found.state is State.OK:
            return  # it was found well: no news
        if found.state is State.RESTARTED:
            return  # the restart itself is an event
        # What goes on under another name (STALE, then DOWN) counts from its beginning, but it changed now.
        at = now if found.since is None or found.since == self._changed_at else min(found.since, now)
        self._changed_at = at
        self._add(Event(at, EventKind.STATE, found.state.value, found.reason))

    def _models(self, old: Facts, new: Facts, at: float) -> None:
        was, now = _loaded(old), _loaded(new)
        if was is None or now is None:
            return
        changes = [("loaded", name) for name in now if name not in was] + [("unloaded", n) for n in was if n not in now]
        for word, name in changes[:_MOST_MODELS]:
            self._add(Event(at, EventKind.MODEL, word, name))
        if len(changes) > _MOST_MODELS:
            self._add(Event(at, EventKind.MODEL, "models", f"{len(changes) - _MOST_MODELS} more came or went"))

    def _add(self, event: Event) -> None:
        place = len(self.events)
        while place and self.events[place - 1].at > event.at:
            place -= 1
        events = (*self.events[:place], event, *self.events[place:])
        self.events = events[-MOST_EVENTS:]


def _loaded(facts: Facts) -> dict[str, None] | None:
    """Names of the models in memory, in order; ``None`` where the server doesn't tell which are."""
    if not any(model.state in (ModelState.LOADED, ModelState.INSTALLED) for model in facts.models):
        return {} if not facts.models else None
    return {model.id: None for model in facts.models if model.state is ModelState.LOADED}
