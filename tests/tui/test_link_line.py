"""Lines that are slow or stand still: keys are answered, nothing piles up, the screen is right. Real pseudo-terminals."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from slow_line import SCRIPT, SERIAL, assert_right, line, marked, started

MEBIBYTE = 1 << 20


@pytest.mark.parametrize("answers", [True, False], ids=["it answers", "it answers nothing"])
@pytest.mark.parametrize(("count", "columns", "rows"), [(8, 80, 24), (200, 80, 24), (64, 200, 60)])
def test_keys_on_a_serial_line(count: int, columns: int, rows: int, answers: bool) -> None:
    """At 115 kbit/s an echo comes before what moves beside it: after as little as the line carries in half a second."""
    with line(str(count), columns=columns, rows=rows, rate=SERIAL, answers=answers) as at:
        started(at)
        at.run(2.0)
        carried = []
        for key in (b"j", b"k") * 6:
            before, received = marked(at), at.received
            at.send(key)
            at.until(lambda before=before: marked(at) not in (before, None))  # type: ignore[misc]
            carried.append(at.received - received)
        assert sorted(carried)[len(carried) // 2] < SERIAL * 0.2
        assert max(carried) < SERIAL * 0.6
        assert at.terminal.odd == []
        assert_right(at)


@pytest.mark.parametrize("answers", [True, False], ids=["it answers", "it answers nothing"])
def test_a_terminal_that_reads_nothing_for_a_while(answers: bool) -> None:
    seconds = float(os.environ.get("QUARTERDECK_STALL_S", "3"))
    with line("64", columns=120, rows=36, answers=answers) as at:
        started(at)
        at.run(1.0)
        memory = at.memory
        before = marked(at)
        for _ in range(int(seconds * 10)):  # nobody reads, somebody types
            at.send(b"j")
            signal.sigtimedwait([], 0.1)
        received = at.received
        at.until(lambda: marked(at) not in (before, None))
        at.run(0.5)
        assert at.received - received < 100_000, "a few frames, not one for each change"
        assert at.memory - memory < 4 * MEBIBYTE
        assert_right(at)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (None, 0)], ids=["SIGTERM", "ctrl+c"])
def test_it_ends_while_its_terminal_reads_nothing(number: int | None, status: int) -> None:
    with line("200", columns=200, rows=60) as at:
        started(at)
        signal.sigtimedwait([], 1.5)  # the system's buffers are full then
        if number is None:
            at.send(b"\x03")
        else:
            os.kill(at.pid, number)
        assert at.ended(within=10.0, reads=False) == status
        while not at.hung_up:
            at.step()
        assert at.terminal.modes == {"7", "25"}, "given back all the same"


def test_a_terminal_that_has_gone_away_takes_the_console_along() -> None:
    with line("8") as at:
        started(at)
        os.close(at.fd)
        at.fd = -1
        assert at.ended(within=10.0, reads=False) == 129


def test_it_can_begin_without_a_profile(tmp_path: Path) -> None:
    """As `ssh -t box quarterdeck` does: no locale, no names, no folders."""
    bare = ["TERM=xterm", f"HOME={tmp_path}", f"PATH={os.environ['PATH']}"]
    with line(command=["env", "-i", *bare, sys.executable, str(SCRIPT), "8"]) as at:
        started(at)
        assert "●" in at.terminal.text
        at.send(b"q")
        assert at.ended() == 0


@pytest.mark.parametrize("keys", [b"", b"/"], ids=["a view", "a line to type in"])
def test_without_a_key_it_paints_seldom_and_nothing_blinks(keys: bytes) -> None:
    with line("8") as at:
        started(at)
        at.send(keys)
        at.run(1.5)
        frames = 0
        feed = at.terminal.feed

        def counted(data: bytes) -> bytes:
            nonlocal frames
            frames += data.count(b"\x1b[?2026h")
            return feed(data)

        at.terminal.feed = counted  # type: ignore[method-assign]
        at.run(4.0)
        assert 2 <= frames <= 9
