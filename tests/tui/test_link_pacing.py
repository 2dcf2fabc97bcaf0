"""How much may be under way: learned from how long the terminal takes to answer. A simulated line, no clock."""

from __future__ import annotations

import pytest

from quarterdeck.tui.terminal.modes import Modes
from quarterdeck.tui.terminal.pacing import BURST, LATENCY_S, LOCAL_BPS, LOST_S, SERIAL_BPS, SMALLEST, Pacing


class SimulatedLine:
    """Carries ``rate`` bytes a second, ``far`` seconds there and back. Always wants to send more."""

    def __init__(self, rate: float, far: float = 0.0, *, asks: bool = True) -> None:
        self.rate, self.far = rate, far
        self.pacing = Pacing(asks=asks)
        self.now, self.free_at, self.sent = 100.0, 100.0, 0
        self.worst = 0.0
        self.step(100)

    def step(self, most: int = 1 << 20) -> int:
        """Send what may be sent, and wait for the answer or as long as is said; the bytes sent."""
        room = min(most, self.pacing.room(self.now))
        asked = False
        if room > 0:
            self.free_at = max(self.free_at, self.now) + room / self.rate
            self.worst = max(self.worst, self.free_at - self.now)
            self.sent += room
            asked = self.pacing.sent(room, self.now, more=True)
        elif self.pacing.ask(self.now):
            asked = True
        if asked:
            self.now = max(self.free_at, self.now) + self.far
            self.pacing.answered(self.now)
        else:
            self.now += self.pacing.wait(self.now)
        return max(room, 0)


@pytest.mark.parametrize("far", [0.0, 0.02, 0.3])
def test_on_a_serial_line_little_is_under_way(far: float) -> None:
    line = SimulatedLine(SERIAL_BPS, far)
    for _ in range(30):
        line.step()
    line.worst = 0.0
    for _ in range(100):
        line.step()
    assert line.worst < 2 * LATENCY_S


@pytest.mark.parametrize("far", [0.0, 0.02, 0.3])
def test_a_fast_line_is_used(far: float) -> None:
    line = SimulatedLine(10e6, far)
    for _ in range(20):
        line.step()
    assert line.step() > 4 * BURST


def test_a_line_that_gets_slower_is_noticed_at_once() -> None:
    line = SimulatedLine(10e6)
    for _ in range(20):
        line.step()
    line.rate = SERIAL_BPS
    for _ in range(12):
        line.step()
    line.worst = 0.0
    line.step()
    assert line.worst < 2 * LATENCY_S


def test_a_line_that_goes_elsewhere_is_used_again() -> None:
    line = SimulatedLine(10e6, 0.01)
    for _ in range(20):
        line.step()
    line.far = 0.4
    for _ in range(100):
        line.step()
        line.now += 1.0
        line.step(100)
    assert line.step() > 4 * SMALLEST


def test_what_is_urgent_may_go_beyond() -> None:
    line = SimulatedLine(SERIAL_BPS)
    for _ in range(10):
        line.step()
    pacing, now = line.pacing, line.now
    room = pacing.room(now)
    pacing.sent(room, now, more=True)
    assert pacing.room(now) <= 0 < pacing.room(now, urgent=True)


def test_who_never_answers_is_held_to_be_a_serial_line() -> None:
    pacing = Pacing()
    assert pacing.room(100.0) == BURST, "the first frame goes at once"
    pacing.sent(BURST, 100.0, more=True)
    assert pacing.room(100.1) <= 0
    sent, now = 0, 101.0
    for _ in range(200):
        room = max(0, pacing.room(now))
        sent += room
        pacing.sent(room, now, more=True)
        now += 0.05
    assert 0.8 < sent / 10 / SERIAL_BPS < 1.2


def test_who_stops_answering_is_asked_again_but_gets_little() -> None:
    pacing = Pacing()
    pacing.sent(100, 100.0, more=True)
    pacing.answered(100.01)
    now, sent, asked = 101.0, 0, 0
    while now < 101.0 + 60.0:
        room = max(0, pacing.room(now))
        sent += room
        if room:
            asked += pacing.sent(room, now, more=True)
        now += max(0.01, pacing.wait(now))
    assert 15 <= asked <= 60 / LOST_S + 2
    assert sent < 2 * BURST + 25 * SMALLEST


def test_an_answer_nobody_asked_for_changes_nothing() -> None:
    pacing = Pacing()
    before = pacing.room(100.0)
    pacing.answered(100.0)
    assert pacing.room(100.0) == before
    assert not pacing.answers


PLAIN = ["linux", "vt100", "vt220", "cons25", "ansi"]
ODD = ("$p", "u", "\x1b]", "\x1bP")


@pytest.mark.parametrize("term", PLAIN)
def test_plain_terminals_get_nothing_they_would_print(term: str) -> None:
    modes = Modes({"TERM": term})
    for text in (modes.on(), modes.off(synchronised=False)):
        assert not any(odd in text for odd in ODD)
        assert "\x1b[?100" not in text, "no mouse"
        assert all(part[:1] == "[" for part in text.split("\x1b")[1:])
    assert modes.asks_for_cursor


@pytest.mark.parametrize(
    ("environ", "keys", "synchronised"),
    [
        ({"TERM": "xterm-256color"}, True, True),
        ({"TERM": "xterm-kitty"}, True, True),
        ({"TERM": "tmux-256color"}, True, True),
        ({"TERM": "screen-256color", "TMUX": "/tmp/tmux-0/default,1,0"}, True, True),
        ({"TERM": "screen-256color"}, False, False),
        ({"TERM": "screen"}, False, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False, False),
    ],
)
def test_what_is_asked_of_whom(environ: dict[str, str], keys: bool, synchronised: bool) -> None:
    modes = Modes(environ)
    assert ("\x1b[>25u" in modes.on()) == keys == ("\x1b[<u" in modes.off(synchronised=False))
    assert ("\x1b[?2026$p" in modes.on()) == synchronised
    assert "\x1b[?1006h" in modes.on()
    assert "\x1b[?1003h" not in modes.on(), "not every motion"


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_dumb_terminal_gets_nothing_at_all(term: str) -> None:
    modes = Modes({"TERM": term})
    assert modes.on() == modes.off(synchronised=False) == ""
    assert not modes.asks_for_cursor


def test_all_that_is_switched_on_is_switched_off() -> None:
    modes = Modes({"TERM": "xterm-256color"})
    on = {part[:-1] for part in modes.on().split("\x1b")[1:] if part.endswith("h")}
    off = {part[:-1] for part in modes.off(synchronised=True).split("\x1b")[1:] if part.endswith("l")}
    assert on - off == set()


@pytest.mark.parametrize(
    ("environ", "slow"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "xterm-256color", "SSH_CONNECTION": "10.0.0.2 51000 10.0.0.1 22"}, True),
        ({"TERM": "tmux-256color", "SSH_TTY": "/dev/pts/3", "TMUX": "x"}, True),
        ({"TERM": "vt100"}, True),
    ],
)
def test_who_is_silent_is_slow_only_where_there_may_be_a_line(environ: dict[str, str], slow: bool) -> None:
    assert Modes(environ).may_be_slow is slow


def test_a_silent_terminal_here_gets_a_whole_screen_at_once() -> None:
    pacing = Pacing(silent_bps=LOCAL_BPS)
    sent, now = 0, 100.0
    while now < 100.2:
        room = pacing.room(now)
        pacing.sent(room, now, more=True)
        sent, now = sent + room, now + 0.01
    assert sent > 150_000
