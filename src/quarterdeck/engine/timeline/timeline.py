"""The time line of a running engine: what happened, in memory and in the book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.timeline.collecting import MOST, happenings, when
from quarterdeck.errors import QuarterdeckError
from quarterdeck.model.fleet import EMPTY_FLEET, FleetSnapshot
from quarterdeck.model.happening import Happening, Topic

if TYPE_CHECKING:
    from quarterdeck.engine.timeline.book import Book, Entry
    from quarterdeck.engine.timeline.deeds import Deeds

EVERY_S = 1.0
"""Between two looks at the disk."""
AGAIN_S = 30.0
"""After it could not be written to."""
CLOSE_WITHIN_S = 0.4
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
        self._began = clock.wall()
        self._before = EMPTY_FLEET
        self._shown: tuple[Happening, ...] = ()
        self._pending: list[Entry] = []
        self._listeners: list[Tell] = []
        self._seen: set[str] = set()
        """Endpoints of whose state something was told."""
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
        self._before = snapshot
        if found:
            self.add(found)
        return snapshot if snapshot.happenings is self._shown else replace(snapshot, happenings=self._shown)

    def add(self, found: Iterable[Happening]) -> None:
        """Take in what happened."""
        known = {identity(one) for one in self._shown}
        new = tuple(one for one in found if identity(one) not in known and not self._is_no_news(one))
        if not new:
            return
        self._shown = tuple(sorted(chain(self._shown, new), key=when)[-MOST:])
        if self._book is not None:
            self._keep(new)
        news = tuple(one for one in new if one.at >= self._began - _OLD_S)
        for tell in self._listeners if news else ():
            tell(news)

    def _is_no_news(self, one: Happening) -> bool:
        """Whether it is the first that we see of an endpoint, and it was like that already when somebody last saw it."""
        if one.topic is not Topic.STATE or one.subject in self._seen:
            return False
        self._seen.add(one.subject)
        known = (each for each in reversed(self._shown) if each.topic is Topic.STATE and each.subject == one.subject)
        last = next(known, None)
        return last is not None and last.word == one.word

    def _keep(self, new: Sequence[Happening]) -> None:
        from quarterdeck.engine.timeline.book import Entry

        intervals = {view.name: view.interval for view in self._before.endpoints}
        longest = max(intervals.values(), default=0.0)

        def within(one: Happening) -> float:
            if one.topic is Topic.ALERT:
                return _ALERT_SLACK_S + 2 * longest
            return _SLACK_S + 2 * intervals.get(one.subject, longest)

        self._pending = [*self._pending, *(Entry(one, within(one)) for one in new)][-_MOST_PENDING:]

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
        turn = await asyncio.to_thread(_turn, book, self._deeds, batch, self._last, self._clock.wall())
        if turn.loaded is not None and (both := merged(turn.loaded, self._shown)) != self._shown:
            self._shown = both
        if book is not None:
            self._last = turn.last
            self.notes = (turn.note,) if turn.note else ()
        if turn.note:
            self._pending = [*batch, *self._pending][-_MOST_PENDING:]
            self._again_at = self._clock.monotonic() + AGAIN_S
        if turn.found:
            self.add(turn.found)

    async def close(self) -> None:
        """Write what is left, within half a second. Never raises."""
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


def merged(loaded: Sequence[Happening], own: Sequence[Happening]) -> tuple[Happening, ...]:
    """Both, the newest last, without what is in both, and without a state that was the last one known already. Pure."""
    known = {identity(one) for one in loaded}
    states = {one.subject: one.word for one in loaded if one.topic is Topic.STATE}
    kept: list[Happening] = []
    for one in own:
        no_news = one.topic is Topic.STATE and states.pop(one.subject, None) == one.word
        if identity(one) not in known and not no_news:
            kept.append(one)
    return tuple(sorted(chain(loaded, kept), key=when)[-MOST:])
