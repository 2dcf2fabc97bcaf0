#!/usr/bin/env python3
"""Keys over a line of 115 kbit/s: seconds from a key to its echo on the terminal at the other end.

uv run python benchmarks/link.py [KEYS]

Fleets of which every number moves twice a second, and four answers at once in the chat, 200 tokens a second each. The terminal
answers questions as terminals do, or answers nothing. It is the one of the tests (`tests/tui/small_terminal.py`).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from slow_line import ENVIRONMENT, SERIAL, Line, line, marked  # noqa: E402

BUDGET_S = 0.2
PAUSES_S = (0.13, 0.26, 0.39, 0.52, 0.65)
"""Between keys, so that they come at any moment of a frame."""


def echoes(at: Line, keys: int, press: Callable[[int], bytes], seen: Callable[[], object]) -> list[float]:
    """Press keys; after each, wait until what is ``seen`` differs."""
    took = []
    for number in range(keys):
        before = seen()
        at.send(press(number))
        begun = time.monotonic()
        while seen() == before:
            at.step()
        took.append(time.monotonic() - begun)
        at.run(PAUSES_S[number % len(PAUSES_S)])
    return took


def fleet(count: int, columns: int, rows: int, keys: int, *, answers: bool) -> tuple[list[float], float]:
    """Echoes of moving the selection, and bytes a second without keys."""
    with line(str(count), columns=columns, rows=rows, rate=SERIAL, answers=answers) as at:
        at.until(lambda: "node-00" in at.terminal.text and marked(at) is not None)
        at.run(6.0)
        received = at.received
        at.run(4.0)
        rate = (at.received - received) / 4.0
        return echoes(at, keys, lambda number: b"jk"[number % 2 :][:1], lambda: marked(at)), rate


def chat(columns: int, rows: int, keys: int, *, answers: bool) -> tuple[list[float], float]:
    """Echoes of typing into the prompt while four columns stream."""
    server = subprocess.Popen([sys.executable, str(HERE / "chat_server.py"), "200"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as folder:
        probe = [sys.executable, str(HERE / "chat_probe.py"), "console", url, "3", "600", str(Path(folder) / "out")]
        environ = {**ENVIRONMENT, "XDG_STATE_HOME": folder}
        try:
            with line(command=probe, columns=columns, rows=rows, rate=SERIAL, answers=answers, environ=environ) as at:
                at.run(8.0)
                received = at.received
                at.run(4.0)
                rate = (at.received - received) / 4.0
                return echoes(at, keys, lambda _: "§".encode(), lambda: at.terminal.text.count("§")), rate
        finally:
            server.kill()
            server.wait()


def row(what: str, took: list[float], rate: float) -> str:
    """A line of the table."""
    took = sorted(took)
    p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
    verdict = "OVER" if p95 > BUDGET_S else "within"
    times = " | ".join(f"{1000 * seconds:.0f}" for seconds in (took[len(took) // 2], p95, took[-1]))
    return f"| {what} | {times} | {rate:,.0f} | {verdict} |"


def main(keys: int) -> None:
    """Prints the table."""
    print(f"Keys to echo over {SERIAL:,.0f} B/s, ms; p95 within {BUDGET_S * 1000:.0f} ms\n")
    print("| what | median | p95 | worst | B/s | |\n|---|---|---|---|---|---|")
    for answers in (True, False):
        said = "" if answers else ", silent terminal"
        for columns, rows in ((80, 24), (200, 60)):
            for count in (8, 64, 200):
                took, rate = fleet(count, columns, rows, keys, answers=answers)
                print(row(f"{count} endpoints, {columns}×{rows}{said}", took, rate), flush=True)
            took, rate = chat(columns, rows, keys, answers=answers)
            print(row(f"four answers, {columns}×{rows}{said}", took, rate), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
