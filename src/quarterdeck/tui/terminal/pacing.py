"""How much may be on its way to a terminal, so that a key is still answered at once.

What was written is not what was taken: pseudo-terminals, ssh and tmux hold seconds of it. So after some of it the terminal is
asked where its cursor is; the answer comes when it has taken everything before the question. From how long that took follows
how much it takes in `LATENCY_S`, and no more than that is ever under way. A terminal that never answered is held to be as slow
as a serial line where it may be far away, else as fast as a program that reads its pseudo-terminal here.
"""

from __future__ import annotations

import math

LATENCY_S = 0.045
"""What may lie before a key's echo, as time on the line."""
SERIAL_BPS = 11_520.0
"""Bytes a second of a line at 115 kbit/s: what is assumed of a terminal elsewhere that doesn't answer …"""
LOCAL_BPS = 1_000_000.0
"""… and of one on this machine."""
BURST = 8192
"""The first frame is sent before anything is known."""
SMALLEST, LARGEST = 512, 64 * 1024
ASK_AFTER = 1024
"""Less than that is not worth a question."""
LOST_S = 3.0
"""An answer that is this late won't come; one is asked for again."""
_TOGETHER_S = 0.1
_LITTLE = 128
"""So little takes no time on any line: it tells how far away the terminal is."""
_GROWS = 1.05
"""It may go farther away: the shortest answer is forgotten bit by bit."""


class Pacing:
    """What is under way, and how much may be. Times are monotonic seconds."""

    def __init__(self, *, asks: bool = True, silent_bps: float = SERIAL_BPS) -> None:
        """``asks``: whether the terminal may be asked; ``silent_bps``: bytes a second that it takes as long as it hasn't answered."""
        self._asks = asks
        self._silent_bps = silent_bps
        self._window = BURST
        self._under_way = 0.0
        self._burst = 0
        self._sent_at = -math.inf
        self._asked_at: float | None = None
        self._asked_for = 0.0
        self._burst_asked = 0
        self._shortest = 0.0
        self.answers = False
        """Whether the terminal ever answered."""

    @property
    def asked_at(self) -> float | None:
        """When the question was put that is not answered yet."""
        return self._asked_at

    def room(self, now: float, *, urgent: bool = False) -> int:
        """Characters that may be sent now. What is ``urgent`` may go beyond what others may."""
        self._settle(now)
        return round(self._window * (2 if urgent else 1) - self._under_way)

    def wait(self, now: float) -> float:
        """Seconds until there may be room without an answer."""
        if self.answers and self._asked_at is not None:
            return max(0.0, self._asked_at + LOST_S - now) + 0.01
        return LATENCY_S

    def sent(self, count: int, now: float, *, more: bool) -> bool:
        """So much is sent now, and whether there is ``more`` to send; says whether a question is to follow."""
        self._settle(now)
        self._burst = count + (self._burst if now - self._sent_at < _TOGETHER_S else 0)
        self._sent_at = now
        self._under_way += count
        if not self.answers:
            self._window = max(self._window - count, round(self._silent_bps * LATENCY_S))
        return (more or self._under_way >= min(ASK_AFTER, self._window / 2)) and self.ask(now)

    def ask(self, now: float) -> bool:
        """Whether a question is to be sent now, because there is no room without an answer."""
        if not self._asks or self._asked_at is not None:
            return False
        self._asked_at, self._asked_for, self._burst_asked = now, self._under_way, self._burst
        return True

    def answered(self, now: float) -> None:
        """The terminal answered: it has taken all that was sent before the question."""
        if self._asked_at is None:
            return
        took = max(0.0, now - self._asked_at)
        self._asked_at, self._burst = None, 0
        self._under_way = max(0.0, self._under_way - self._asked_for)
        if self._burst_asked <= _LITTLE or self._shortest:
            grown = self._shortest * _GROWS if self._burst_asked <= _LITTLE else self._shortest
            self._shortest = min(took, grown or took)
        if not self.answers:
            self.answers = True
            self._window = max(self._window, BURST // 2)
        self._learn(took)

    def _learn(self, took: float) -> None:
        """As much as goes through in `LATENCY_S`; at most double or half of what it was."""
        late = took - self._shortest
        if self._burst_asked < SMALLEST and late < LATENCY_S:
            return
        fits = self._burst_asked * LATENCY_S / max(late, 0.001)
        if self._burst_asked < self._window // 2:  # so little tells that it's slow, but not how fast it could be
            fits = min(fits, self._window)
        self._window = round(min(max(fits, self._window / 2, SMALLEST), self._window * 2, LARGEST))

    def _settle(self, now: float) -> None:
        """What is under way gets less by itself where nobody says so."""
        if self._asked_at is not None and self.answers:
            if now - self._asked_at >= LOST_S:
                self._asked_at = None
                self._under_way = 0.0
                self._window = SMALLEST
            return
        if self._asked_at is not None and now - self._asked_at >= LOST_S:
            self._asked_at = None
        if self._sent_at > -math.inf and not self.answers:
            gone = max(0.0, now - self._settled_at) * self._silent_bps
            self._under_way = max(0.0, self._under_way - gone)
        self._settled_at = now

    _settled_at = 0.0
