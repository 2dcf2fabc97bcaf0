"""Stopping a deployment: what its server still does meanwhile, what it leaves behind, and what it means to cancel that."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.config.units import duration
from quarterdeck.engine.jobs.hands import Failed, Hands
from quarterdeck.hosts.drivers.base import Driver, DriverError, Running
from quarterdeck.model.job import Job, Progress

if TYPE_CHECKING:
    from quarterdeck.engine.jobs.releasing import Releasing
    from quarterdeck.model.reading import Reading

ENDS_IT = ("stop", "restart")
OVER_WITHIN_S = 45.0
"""So long a slower stop may take to let go (a restart ends what it began first)."""
_LOOK_EVERY_S = 0.1
_STATUS_WITHIN_S = 5.0


class Stopping:
    """One stop."""

    def __init__(
        self,
        hands: Hands,
        spec: DeploymentSpec,
        driver: Driver,
        releasing: Releasing,
        *,
        poll: Callable[[], Awaitable[Reading]],
        look_every_s: float,
    ) -> None:
        """Does nothing yet. ``poll``: asks its endpoint how it is."""
        self._hands, self._spec, self._driver, self._releasing = hands, spec, driver, releasing
        self._poll = poll
        self._look_every_s = look_every_s

    async def stop(self) -> str:
        """Ask it to end, say meanwhile what it still does, end what is left, see that the GPUs are free; how it went."""
        within = self._within()
        if "within" in self._hands.job.order.options:
            await take_over(self._hands)
        status = await asyncio.to_thread(self._driver.status)
        await self._releasing.note()
        self._report("stopping")
        stopping = asyncio.ensure_future(asyncio.to_thread(lambda: self._driver.stop(within, self._hands.log)))
        try:
            await self._watched(stopping)
        except asyncio.CancelledError:
            self._hands.parting = await self._parting()
            raise
        words = await self._ended(stopping)
        if status.running is Running.FAILED and status.words:
            self._hands.log(f"before: {status.words}")
        return words

    def _within(self) -> float:
        """Seconds that its requests get to end."""
        given = self._hands.job.order.options.get("within")
        seconds = duration(given) if given is not None else self._spec.stop_within
        if seconds is None:
            raise Failed(f"within: expected a duration such as 30s, got {str(given)[:40]!r}")
        return seconds

    async def _watched(self, stopping: asyncio.Future[str]) -> None:
        while not stopping.done():
            await asyncio.wait({stopping}, timeout=self._look_every_s)
            if not stopping.done():
                self._report(await self._drain())

    async def _ended(self, stopping: asyncio.Future[str]) -> str:
        """How it went, with what is still held. Raises DriverError."""
        try:
            words = await stopping
        except DriverError as error:
            held = await self._releasing.held()
            raise DriverError(f"{error}; {held}" if held else str(error)) from None
        self._hands.parting = f"cancelled after its end: {words}{self._not_again()}"
        left = await self._releasing.released(self._report)
        return f"{words}; {left}" if left else words

    async def _drain(self) -> str:
        """What is left to do, in words."""
        reading = await self._poll()
        engines = reading.facts.engines if reading.facts is not None else ()
        running = [engine.running for engine in engines if engine.running is not None]
        if not running:
            return "stopping: it no longer answers" if reading.facts is None else "stopping"
        left = sum(running)
        return f"stopping: {left} request{'s' if left != 1 else ''} left"

    async def _parting(self) -> str:
        """What it means that nobody waits for its end any more."""
        running = Running.UNKNOWN
        with contextlib.suppress(DriverError, TimeoutError):
            async with asyncio.timeout(_STATUS_WITHIN_S):
                running = (await asyncio.to_thread(self._driver.status)).running
        again = self._not_again()
        if running in (Running.STOPPED, Running.FAILED):
            return f"cancelled, but it has ended{again}"
        if self._spec.driver not in ("process", "ssh"):
            return f"cancelled: {self._spec.driver} was told to stop it, and goes on with that{again}"
        return f"cancelled: {parting_words(self._spec.name)}{again}"

    def _not_again(self) -> str:
        return "; it is not started again" if self._hands.job.order.action == "restart" else ""

    def _report(self, phase: str) -> None:
        self._hands.report(Progress(phase))


def parting_words(name: str) -> str:
    """What cancelling the stop of a server means, and how to end it at once."""
    return (
        "it was asked to end and may still do so, but nothing of it is killed; "
        f"`quarterdeck stop {shlex.quote(name)} --now` ends it at once"
    )


async def take_over(hands: Hands) -> None:
    """Have every earlier stop of the same deployment let go, so that this one goes on with it. Raises Failed."""
    folder, mine = hands.folder, hands.job
    others = [each for each in await asyncio.to_thread(folder.read_all) if _is_earlier(each, mine)]
    for other in others:
        hands.log(f"job {other.id} ends it already: this one goes on with that")
        with contextlib.suppress(Exception):  # it has ended meanwhile
            folder.cancel(other.id)
    left = OVER_WITHIN_S
    while held := [each.id for each in others if folder.is_held(each.id)]:
        if left <= 0:
            raise Failed(f"job {held[0]} is still at it\nCancel that first.")
        hands.report(Progress(f"waits for job {held[0]} to let go"))
        await asyncio.sleep(_LOOK_EVERY_S)
        left -= _LOOK_EVERY_S


def _is_earlier(other: Job, mine: Job) -> bool:
    """Whether another job ends the same server, and was asked for before."""
    return (
        other.id != mine.id
        and not other.state.ended
        and other.order.action in ENDS_IT
        and (other.order.target, other.fleet) == (mine.order.target, mine.fleet)
        and (other.created, other.id) < (mine.created, mine.id)
    )
