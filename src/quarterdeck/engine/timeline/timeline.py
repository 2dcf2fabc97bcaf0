"""The time line of a running engine: what happened, in memory and in the book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.timeline.collecting import MOST, happenings, when
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.events import EventKind
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot, State
from quarterdeck.model.happening import Happening, Topic

if TYPE_CHECKING:
    from quarterdeck.engine.timeline.book import Book, Entry
    from quarterdeck.engine.timeline.deeds import Deeds

EVERY_S = 2.0
"""Between two looks at the disk."""
AGAIN_S = 30.0
"""After it could not be written to."""
CLOSE_WITHIN_S = 0.2
_MOST_PENDING = 2000
_SLACK_S = 5.0
_ALERT_SLACK_S = 15.0
"""Observers count how long a rule has held from polls of their own."""
_OLD_S = 60.0
"""What happened so long before we began to look is remembered, but no news."""

Tell = Callable[[tuple[Happening, ...]], None]


class _Turn(NamedTuple):
    """What a look at the disk brought."""

    found: list[Happening]
    note: str
    last: int | None
    """The number of the last row that was looked at."""
    loaded: tuple[Happening, ...] | None = None
    """What was there when we came."""


class Timeline:
    """Used from the event loop only; what blocks is done in threads."""

    def __init__(self, *, book: Book | None = None, deeds: Deeds | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Reads and writes nothing until ``run``; without a ``book`` it is kept in memory only."""
        self.notes: tuple[str, ...] = ()
        """Why it is not kept on the disk, in words; () while it is."""
        self._book = book
        self._deeds = deeds
        self._clock = clock
        self._began, self._began_at = clock.wall(), clock.monotonic()
        self._before = EMPTY_FLEET
        self._shown: tuple[Happening, ...] = ()
        self._pending: list[Entry] = []
        self._listeners: list[Tell] = []
        self._found_so: set[Happening] = set()
        """States in which endpoints were found, until it is known what was written before."""
        self._last: int | None = None
        self._again_at = 0.0

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """The latest, the newest last; the same tuple where nothing happened."""
        return self._shown

    def listen(self, tell: Tell) -> None:
        """Have ``tell`` called, in the event loop, with all that happens from now on; it must not block."""
        self._listeners.append(tell)

    def look(self, snapshot: FleetSnapshot) -> FleetSnapshot:
        """``snapshot`` with ``happenings`` filled in."""
        found = happenings(self._before, snapshot)
        before, self._before = self._before, snapshot
        if found:
            self._take(found, found_so(before, found))
        if snapshot.endpoints is not before.endpoints:
            self._take(found_well(before, snapshot, self._shown), ())
        return snapshot if snapshot.happenings is self._shown else replace(snapshot, happenings=self._shown)

    def add(self, found: Iterable[Happening]) -> None:
        """Take in what happened."""
        self._take(found, frozenset())

    def _take(self, found: Iterable[Happening], so: Collection[Happening]) -> None:
        """``so``: states in which endpoints were found, which began when nobody here looked."""
        told = tuple(found)
        if not told:  # as nearly always: what is shown need not be looked through
            return
        known = {identity(one) for one in self._shown}
        new = tuple(one for one in told if identity(one) not in known and not (one in so and _was_so(one, self._shown)))
        if not new:
            return
        self._shown = tuple(sorted(chain(self._shown, new), key=when)[-MOST:])
        if self._book is not None:
            self._keep(new, so)
            if self._last is None:
                self._found_so.update(so)
        news = tuple(one for one in new if one.at >= self._began - _OLD_S)
        for tell in self._listeners if news else ():
            tell(news)

    def _keep(self, new: Sequence[Happening], so: Collection[Happening]) -> None:
        from quarterdeck.engine.timeline.book import Entry

        intervals = {view.name: view.interval for view in self._before.endpoints}
        longest = max(intervals.values(), default=0.0)

        def within(one: Happening) -> float:
            if one.topic is Topic.ALERT:
                return _ALERT_SLACK_S + 2 * longest
            return _SLACK_S + 2 * intervals.get(one.subject, longest)

        self._pending = [*self._pending, *(Entry(one, within(one), one in so) for one in new)][-_MOST_PENDING:]

    # ---- the disk

    async def run(self) -> None:
        """Keep it on the disk, until cancelled."""
        while True:
            await self.save()
            await asyncio.sleep(EVERY_S)

    async def save(self) -> None:
        """Write what is new, and read what others wrote. Never raises."""
        book = self._book if self._clock.monotonic() >= self._again_at else None
        batch, self._pending = (self._pending, []) if book is not None else ([], self._pending)
        turn = await asyncio.to_thread(_turn, book, self._deeds, batch, self._last, self._steady())
        if turn.loaded is not None:
            both = merged(turn.loaded, self._shown, self._found_so)
            self._shown = both if both != self._shown else self._shown
            self._found_so.clear()
            self._take(found_well(EMPTY_FLEET, self._before, self._shown), ())
        if book is not None:
            self._last = turn.last
            self.notes = (turn.note,) if turn.note else ()
        if turn.note:
            self._pending = [*batch, *self._pending][-_MOST_PENDING:]
            self._again_at = self._clock.monotonic() + AGAIN_S
        if turn.found:
            self.add(turn.found)

    def _steady(self) -> float:
        """Unix seconds, by which what is old is deleted: a wall clock that jumps ahead must not make all of it old."""
        return min(self._clock.wall(), self._began + self._clock.monotonic() - self._began_at + _SLACK_S)

    async def close(self) -> None:
        """Write what is left, in a moment. Never raises."""
        if self._book is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self.save()
                await asyncio.to_thread(self._book.close)


def _turn(book: Book | None, deeds: Deeds | None, batch: list[Entry], last: int | None, now: float) -> _Turn:
    """One look at the disk, in a thread; a ``book`` of ``None`` is left alone."""
    found = deeds.read() if deeds is not None else []
    if book is None:
        return _Turn(found, "", last)
    loaded = None
    try:
        if last is None:
            loaded, last = book.begin(MOST)
        if batch:
            book.add(batch, now)
        rows = book.after(last, (Topic.SINK,), others=True)
    except QuarterdeckError as error:
        return _Turn(found, error.message, last, loaded)
    return _Turn([*found, *(row.happening for row in rows)], "", rows[-1].id if rows else last, loaded)


def identity(one: Happening) -> object:
    """What makes a happening the same as another one. Pure."""
    what = (one.topic, one.subject, one.word, one.key)
    if one.topic is Topic.JOB:  # a word about a job comes once
        return what
    return (*what, int(one.at)) if one.topic is Topic.ALERT else one  # its numbers move on


def found_so(before: FleetSnapshot, found: Iterable[Happening]) -> frozenset[Happening]:
    """Those of ``found`` that tell the first known state of an endpoint: it may have been like that for long. Pure."""
    known = {view.name for view in before.endpoints if view.state is not None}
    return frozenset(one for one in found if one.topic is Topic.STATE and one.subject not in known)


def found_well(before: FleetSnapshot, after: FleetSnapshot, shown: Sequence[Happening]) -> list[Happening]:
    """Endpoints that are found well, which is no event of theirs, and were not when last seen. Pure."""
    known = {view.name for view in before.endpoints if view.state is not None}
    well_now = [view for view in after.endpoints if view.state is State.OK and view.name not in known]
    found = [view.name for view in well_now if all(each.kind is not EventKind.STATE for each in view.events)]
    last = {one.subject: one.word for one in shown if one.topic is Topic.STATE} if found else {}
    well, text = State.OK.value, "well when it was looked at again"
    return [Happening(after.time, Topic.STATE, name, well, text) for name in found if last.get(name, well) != well]


def _was_so(one: Happening, shown: Sequence[Happening]) -> bool:
    """Whether the state it tells of is the last that is known of the endpoint."""
    known = (each for each in reversed(shown) if each.topic is Topic.STATE and each.subject == one.subject)
    last = next(known, None)
    return last is not None and last.word == one.word


def merged(
    loaded: Sequence[Happening], own: Sequence[Happening], so: Collection[Happening] = ()
) -> tuple[Happening, ...]:
    """Both, the newest last, without what is in both, and without those of ``so`` that were so when last seen. Pure."""
    known = {identity(one) for one in loaded}
    kept = [one for one in own if identity(one) not in known and not (one in so and _was_so(one, loaded))]
    return tuple(sorted(chain(loaded, kept), key=when)[-MOST:])
