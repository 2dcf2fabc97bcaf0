"""The way to the terminal: of the difference between what it shows and what it should show, as much as it takes now.

There is never more than that: while the terminal hasn't taken what was sent, changes only change what should be there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.color import ColorSystem

from quarterdeck.tui.terminal.outlet import Later, Outlet
from quarterdeck.tui.terminal.pacing import Pacing
from quarterdeck.tui.terminal.screen_diff import ScreenDiff

if TYPE_CHECKING:
    from textual.geometry import Offset

ASK = "\x1b[6n"
"""Where is the cursor? Answered with a cursor position report, after everything before it."""
_BEGIN, _END = "\x1b[?2026h", "\x1b[?2026l"


class Link:
    """Sends a `ScreenDiff` through an `Outlet`, as fast as `Pacing` allows."""

    def __init__(
        self,
        screen: ScreenDiff,
        outlet: Outlet,
        pacing: Pacing,
        *,
        later: Later,
        clock: Callable[[], float],
        encoding: str,
    ) -> None:
        self._screen, self._outlet, self._pacing = screen, outlet, pacing
        self._later, self._clock, self._encoding = later, clock, encoding
        self._looks = False
        self.synchronised = False
        """Whether the terminal shows all at once what is sent between two marks."""
        self.colours = ColorSystem.TRUECOLOR
        self.cursor: Offset | None = None
        """Where the cursor is left: invisible, but input methods open their window there."""

    @property
    def behind(self) -> bool:
        """Whether the terminal has not been sent yet what it should show."""
        return self._screen.behind or bool(self._outlet.waiting)

    @property
    def asked_at(self) -> float | None:
        """When the terminal was asked what it has not answered yet."""
        return self._pacing.asked_at

    def control(self, text: str, *, ask: bool = False) -> None:
        """Send what is no part of the screen, now; ``ask`` when the terminal has taken it."""
        data = self._encoded(text)
        if self._pacing.sent(len(data), self._clock(), more=ask):
            data += ASK.encode()
        self._outlet.write(data)

    def pump(self) -> None:
        """Send what may be sent."""
        if self._outlet.waiting or not self._screen.behind:
            return
        now = self._clock()
        room = self._pacing.room(now, urgent=self._screen.urgent)
        if room <= 0:
            if self._pacing.ask(now):
                self._outlet.write(ASK.encode())
            self._look_in(self._pacing.wait(now))
            return
        text = self._screen.take(room, self.colours)
        if not text:
            return
        more = self._screen.behind
        if self.cursor is not None:
            text += f"\x1b[{self.cursor.y + 1};{self.cursor.x + 1}H"
        if self.synchronised:
            text = f"{_BEGIN}{text}{_END}"
        data = self._encoded(text)
        if self._pacing.sent(len(data), now, more=more):
            data += ASK.encode()
        self._outlet.write(data)
        if more:
            self._look_in(self._pacing.wait(now))

    def answered(self, at: float) -> None:
        """The terminal told, at a monotonic time, where its cursor is."""
        self._pacing.answered(at)
        self.pump()

    def forget(self) -> None:
        """The terminal may show anything now: everything is sent again."""
        self._screen.forget()
        self.pump()

    def _encoded(self, text: str) -> bytes:
        return text.encode(self._encoding, "replace")

    def _look_in(self, seconds: float) -> None:
        if not self._looks:
            self._looks = True
            self._later(seconds, self._look)

    def _look(self) -> None:
        self._looks = False
        self.pump()
