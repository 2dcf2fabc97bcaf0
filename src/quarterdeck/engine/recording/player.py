"""Plays a recording: to the console it is an engine whose fleet is that of then."""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

from quarterdeck.config.fleet import ConsoleSettings, EndpointSpec, FleetConfig, HostSpec
from quarterdeck.config.specs import DeploymentSpec
from quarterdeck.engine.clock import SYSTEM_CLOCK, Clock
from quarterdeck.engine.recording.reader import Cursor, Recording
from quarterdeck.engine.recording.rows import Rows
from quarterdeck.engine.recording.tape import Tape
from quarterdeck.engine.threads import use_daemon_threads
from quarterdeck.errors import UsageError
from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.happening import Happening
from quarterdeck.model.models import ModelReading
from quarterdeck.model.own import OwnRequest

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
SAME_MARK_S = 2.0
"""Who jumps back twice within so many seconds of the clock on the wall means the mark before that."""
REFUSAL = "this is a recording: nothing can be asked or changed"


class Player:
    """The clock of what is played, and the snapshot of that moment. Used from the event loop only, but for `Tape.read`.

    Positions are seconds since the first sample.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        console: ConsoleSettings | None = None,
        clock: Clock = SYSTEM_CLOCK,
        speed: float = 1.0,
        position: float = 0.0,
    ) -> None:
        """Stands at ``position``, and begins to play at ``start``."""
        self.recording = recording
        self.speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])
        self.tape = Tape(recording, self.monotonic)
        self.fleet = FleetConfig(console=console or ConsoleSettings(), limits=recording.limits)
        self.interval = recording.interval
        self.clock = Clock(monotonic=self.monotonic, wall=self.wall)
        """The clock of the recording, for those who draw ages."""
        self._real = clock
        self._cursor = Cursor(recording, Rows(self.tape.history, self.tape.histories))
        self._position = min(max(position, 0.0), recording.seconds)
        self._since: float | None = None
        """When the real clock was looked at last; ``None`` while paused."""
        self._stopped = threading.Event()
        self._jumped_back_at: tuple[float, float] | None = None

    # ---- what the console asks of an engine

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self._since is None

    async def start(self) -> None:
        """Play; histories are read meanwhile."""
        use_daemon_threads()
        self.pause(False)
        self._reading = asyncio.ensure_future(asyncio.to_thread(self.read))

    def read(self) -> None:
        """Read histories and marks: from the beginning to the end. Never raises."""
        with suppress(UsageError, OSError):
            self.tape.read(self._stopped.is_set)

    async def stop(self) -> None:
        """End; the file is closed."""
        self._stopped.set()
        self._cursor.close()

    def snapshot(self) -> FleetSnapshot:
        """What was known at the moment that is played, with the clocks of that moment."""
        at = self.monotonic()
        self._cursor.go(self.recording.place(at))
        found = self._cursor.snapshot()
        later = max(0.0, min(at, self.recording.ats[-1]) - found.at)  # it may have turned out to be shorter
        return replace(found, at=found.at + later, time=found.time + later)

    def add(
        self,
        endpoints: tuple[EndpointSpec, ...],
        hosts: tuple[HostSpec, ...] = (),
        deployments: tuple[DeploymentSpec, ...] = (),
    ) -> None:
        """Raises UsageError."""
        refuse()

    def refresh(self, name: str | None = None) -> None:
        """Does nothing: nobody can be asked."""

    def pause(self, paused: bool) -> None:
        """Stand still, or play on; at the end, from the beginning."""
        self._move()
        if not paused and self.at_end:
            self._position = 0.0
        self._since = None if paused else self._real.monotonic()

    def set_interval(self, seconds: float) -> None:
        """Does nothing: the polls are over."""

    async def probe(self, name: str, wanted: str | None = None) -> tuple[ModelReading, OwnRequest]:
        """Raises UsageError."""
        refuse()

    # ---- the moment

    @property
    def position(self) -> float:
        """Seconds since the first sample."""
        self._move()
        return self._position

    @property
    def seconds(self) -> float:
        """How long the recording is."""
        return self.recording.seconds

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to play."""
        return self._position >= self.recording.seconds

    def monotonic(self) -> float:
        """The moment that is played, by the recording's monotonic clock."""
        return self.recording.ats[0] + self.position

    def wall(self) -> float:
        """The same in Unix seconds."""
        at = self.monotonic()
        place = self.recording.place(at)
        return self.recording.times[place] + max(0.0, at - self.recording.ats[place])

    def seek(self, position: float) -> None:
        """Go there; beyond the ends means the ends."""
        self._move()
        self._position = min(max(position, 0.0), self.recording.seconds)

    def step(self, samples: int) -> None:
        """Stand still so many samples later (or, below 0, earlier)."""
        at = self.monotonic()
        place = self.recording.place(at)
        if samples < 0 and at > self.recording.ats[place]:
            place += 1  # the first step back is to the beginning of what is seen
        self.pause(True)
        self._go_to(self.recording.ats[min(max(0, place + samples), len(self.recording) - 1)])

    def change_speed(self, step: int) -> float:
        """The next faster (+1) or slower (-1) speed; what it is now."""
        self._move()
        further = [each for each in SPEEDS if (each > self.speed if step > 0 else each < self.speed)]
        if further:
            self.speed = min(further) if step > 0 else max(further)
        return self.speed

    def jump(self, direction: int) -> tuple[Happening, ...]:
        """To the next (+1) or the previous (-1) sample in which something happened: what it was; () if there is none."""
        at = self.monotonic()
        if direction < 0 and self._jumped_back_at is not None:
            when, mark = self._jumped_back_at
            if self._real.monotonic() - when <= SAME_MARK_S:
                at = min(at, mark)
        found = self.tape.mark_after(at) if direction > 0 else self.tape.mark_before(at)
        if found is None:
            return ()
        self._go_to(found)
        self._jumped_back_at = (self._real.monotonic(), found) if direction < 0 else None
        return self.tape.marks_of(found)

    def _go_to(self, at: float) -> None:
        self.seek(at - self.recording.ats[0])
        # What is added to the beginning again may lie a rounding error before the sample.
        while self.recording.ats[0] + self._position < at:
            self._position = math.nextafter(self._position, math.inf)

    def _move(self) -> None:
        """Bring the position to now."""
        if self._since is None:
            return
        now = self._real.monotonic()
        passed, self._since = max(0.0, now - self._since), now
        self._position = min(self._position + passed * self.speed, self.recording.seconds)
        if self.at_end:
            self._since = None


def refuse() -> NoReturn:
    """Raises UsageError: this is a recording."""
    raise UsageError(REFUSAL, hint="`quarterdeck` without replay watches the fleet as it is.")
