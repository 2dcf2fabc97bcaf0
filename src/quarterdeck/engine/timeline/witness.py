"""What stands beside a running engine: it keeps the time line and has people told of alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from quarterdeck.config.fleet import FleetConfig
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.timeline.timeline import Timeline
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening

if TYPE_CHECKING:
    from quarterdeck.config.specs import SinkSpec
    from quarterdeck.engine.notifying.notifier import Notifier
    from quarterdeck.engine.notifying.senders import Sender
    from quarterdeck.model.alerts.alert import Alert


class Witness:
    """Given to an `Engine`, which shows it every snapshot and runs it beside the polls."""

    def __init__(
        self,
        fleet: FleetConfig,
        *,
        keep: bool = True,
        headless: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        folder: Path | None = None,
        open_sender: Callable[[SinkSpec], Sender] | None = None,
    ) -> None:
        """Opens nothing. ``keep``: on the disk, and deeds are read from there. ``headless``: this is `watch`.

        ``folder``: where events and locks are; default the user's.
        """
        book = deeds = None
        if keep:
            from quarterdeck.engine.audit import FILE as AUDIT
            from quarterdeck.engine.timeline.book import Book
            from quarterdeck.engine.timeline.deeds import Deeds
            from quarterdeck.engine.timeline.reading import FILE

            book = Book(fleet.events, folder / FILE if folder else None)
            deeds = Deeds(folder / AUDIT if folder else None)
        self.timeline = Timeline(book=book, deeds=deeds, clock=clock)
        self._notifiers: tuple[Notifier, ...] = ()
        self._snapshot: FleetSnapshot | None = None
        if fleet.sinks:
            from quarterdeck.engine.notifying.notifier import notifiers
            from quarterdeck.engine.notifying.senders import sender_for

            self._notifiers = notifiers(
                fleet,
                self._report,
                headless=headless,
                clock=clock,
                folder=folder,
                open_sender=open_sender or sender_for,
            )

    def _report(self, happening: Happening) -> None:
        self.timeline.add((happening,))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is wrong with the disk, in words; () when all is well."""
        return (*self.timeline.notes, *(each.note for each in self._notifiers if each.note))

    def look(self, snapshot: FleetSnapshot) -> FleetSnapshot:
        """``snapshot``, whose alerts are filled in, with ``happenings`` filled in too."""
        self._snapshot = seen = self.timeline.look(snapshot)
        return seen

    async def run(self) -> None:
        """Keep and tell, until cancelled."""
        await asyncio.gather(self.timeline.run(), *(each.run(self._alerts) for each in self._notifiers))

    def _alerts(self) -> Sequence[Alert]:
        return self._snapshot.alerts if self._snapshot is not None else ()

    async def close(self) -> None:
        """Write what is left and let others notify, within half a second. Never raises."""
        await asyncio.gather(*(each.close() for each in self._notifiers))
        await self.timeline.close()
