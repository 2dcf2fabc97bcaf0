"""Tells some sinks of a fleet of its alerts, while it is this program's turn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.config.specs import SinkSpec
from quarterdeck.engine.alerting.state import state_path
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.notifying import memory
from quarterdeck.engine.notifying.deciding import ToldOf, decide
from quarterdeck.engine.notifying.notice import CLEARED, line
from quarterdeck.engine.notifying.outbox import Outbox, Outcome, Pause, Trouble
from quarterdeck.engine.notifying.senders import Sender, is_usable, sender_for
from quarterdeck.engine.notifying.turns import Turn
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.happening import Happening, Topic

EVERY_S = 1.0
FINISH_WITHIN_S, CLOSE_WITHIN_S = 0.15, 0.1
"""So long what is on its way may take at the end, and all that is to be done then."""
OUTWARD, SCREEN = "outward", "screen"
"""Webhooks and commands, which go out from this machine; and what only somebody at this screen hears or sees."""
Report = Callable[[Happening], None]


class _Sink(NamedTuple):
    spec: SinkSpec
    sender: Sender
    outbox: Outbox


class Notifier:
    """Used from the event loop only. Where another program has the turn, it watches and tells nobody."""

    def __init__(
        self,
        sinks: Sequence[SinkSpec],
        report: Report,
        *,
        path: Path,
        first: bool,
        clock: Clock = SYSTEM_CLOCK,
        open_sender: Callable[[SinkSpec], Sender] = sender_for,
        pause: Pause = asyncio.sleep,
    ) -> None:
        """Opens nothing. ``report`` hears what could not be delivered.

        ``path``: the memory of what was told, beside which the locks are. ``first``: whether this program goes before others.
        """
        self.note = ""
        """What is wrong, in words: it can't be agreed on who notifies, or what was told isn't remembered."""
        self._report, self._clock, self._path = report, clock, path
        self._turn = Turn(path.with_suffix(".turn"), first=first)
        self._sinks: list[_Sink] = []
        for spec in sinks:
            sender = open_sender(spec)
            self._sinks.append(_Sink(spec, sender, Outbox(spec, sender.send, self._hear, clock, pause)))
        self._mine = False
        self._working: list[asyncio.Future[None]] = []
        self._told: memory.Told = {}
        self._settled: memory.Told = {}
        """Without what still waits to be delivered: what whoever comes next has to know."""
        self._unsaved = False

    async def run(self, alerts: Callable[[], Sequence[Alert]]) -> None:
        """See each second what is to be told, and tell it, until cancelled. ``alerts``: those there are now."""
        self._working = [asyncio.ensure_future(sink.outbox.run()) for sink in self._sinks]
        while True:
            await self.look(alerts())
            await asyncio.sleep(EVERY_S)

    async def look(self, alerts: Sequence[Alert]) -> None:
        """See whose turn it is, and hand the sinks what they have not been told."""
        mine = await asyncio.to_thread(self._turn.take)
        if self._turn.problem:
            self.note = f"it can't be agreed on who notifies: {self._turn.problem}"
        if mine and not self._mine:
            await self._take_over()
        elif self._mine and not mine:
            for sink in self._sinks:  # who goes first finds out by itself what still waits here
                sink.outbox.forget()
        self._mine = mine
        if not mine:
            return
        now = self._clock.wall()
        for spec, _, outbox in self._sinks:
            decision = decide(spec, self._told.get(spec.name, {}), alerts, now)
            self._told[spec.name] = dict(decision.told)
            for notice in decision.notices:
                outbox.put(notice)
        if self._unsaved:
            await self._save()

    async def _take_over(self) -> None:
        """Go on where the one before us ended."""
        known = await asyncio.to_thread(memory.load, self._path)
        self._told = {sink.spec.name: dict(known.get(sink.spec.name, {})) for sink in self._sinks}
        self._settled = {name: dict(entries) for name, entries in self._told.items()}

    def _hear(self, what: Outcome | Trouble) -> None:
        now, name = self._clock.wall(), what.spec.name
        if isinstance(what, Trouble):
            word, text = ("failing", what.reason) if what.reason else ("works again", "notifications are delivered")
            self._report(Happening(now, Topic.SINK, name, word, text))
            return
        alert = what.notice.alert
        settled = self._settled.setdefault(name, {})
        if what.notice.word == CLEARED:
            settled.pop(alert.key, None)
        else:
            settled[alert.key] = ToldOf(alert, what.notice.at)
        self._unsaved = True
        if what.lost:
            text = f"{line(what.notice)}: not delivered: {what.lost}"
            self._report(Happening(now, Topic.SINK, name, "lost", text, alert.severity.value, alert.key))

    async def _save(self) -> None:
        self._unsaved = False
        told = {name: dict(entries) for name, entries in self._settled.items()}
        try:
            await asyncio.to_thread(memory.save, self._path, told)
            self.note = ""
        except OSError as error:
            words = error.strerror or type(error).__name__
            self.note = f"what sinks were told is not remembered: {self._path}: {words}"

    async def close(self) -> None:
        """Let others have the turn, in a moment. Never raises.

        What still waits is told by whoever notifies next, because nobody remembers it as told; that it waits is reported.
        """
        finishing = [asyncio.ensure_future(sink.outbox.idle.wait()) for sink in self._sinks]
        await asyncio.wait(finishing, timeout=FINISH_WITHIN_S)
        for waiting in finishing:
            waiting.cancel()
        for working in self._working:
            working.cancel()
        for sink in self._sinks:
            left = sink.outbox.forget()
            if left:
                text = f"{left} not delivered yet; who notifies next tells what is still open"
                self._report(Happening(self._clock.wall(), Topic.SINK, sink.spec.name, "left", text))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                if self._unsaved and self._mine:
                    await self._save()
                await asyncio.gather(*(sink.sender.close() for sink in self._sinks), return_exceptions=True)
        self._turn.leave()


def notifiers(
    fleet: FleetConfig,
    report: Report,
    *,
    headless: bool,
    clock: Clock = SYSTEM_CLOCK,
    folder: Path | None = None,
    open_sender: Callable[[SinkSpec], Sender] = sender_for,
) -> tuple[Notifier, ...]:
    """Those that a fleet needs. ``headless``: this is `watch`: it goes first outward, and a console goes first on the screen.

    A bell without a terminal, or a notification without a desktop, is left to programs that have one.
    """
    found: list[Notifier] = []
    state = state_path(fleet.source)
    for kind in (OUTWARD, SCREEN):
        specs = [spec for spec in fleet.sinks if (spec.bell or spec.desktop) is (kind == SCREEN) and is_usable(spec)]
        if specs:
            path = (folder or state.parent) / f"{state.stem}.{kind}.json"
            first = headless is (kind == OUTWARD)
            found.append(Notifier(specs, report, path=path, first=first, clock=clock, open_sender=open_sender))
    return tuple(found)
