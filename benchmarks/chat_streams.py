"""Four answers at once in the console against four of Textual's MarkdownStreams: CPU, how far the screen is behind, keys.

uv run python benchmarks/chat_streams.py [SECONDS [TOKENS_PER_SECOND]]

Each side runs in a pseudo-terminal of its own, in turn, and reads the same streams from a server in a process of its own. Every
fourth token tells when it was sent, so what is on the screen tells how old it is. The lag counted at a paint is that of the
token that waited longest for it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from terminals import Terminal

HERE = Path(__file__).parent
COLUMNS, ROWS = 200, 60
STREAMS = 4
WARM_UP_S = 3.0
KEY = "§"
BUDGETS = {"cpu": 0.4, "lag_p99": 0.2, "key_p95": 0.1}


def key_latencies(terminal: Terminal, seconds: float) -> tuple[list[float], int]:
    """Seconds from a key press to its echo, twice a second; and bytes written meanwhile."""
    echo, before = KEY.encode(), terminal.written
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pressed = time.perf_counter()
        os.write(terminal.fd, echo)
        seen = b""
        while echo not in seen and time.perf_counter() - pressed < 5.0:
            seen = seen[-4:] + terminal.read(0.02)
        found.append(time.perf_counter() - pressed)
        terminal.run(max(0.05, 0.5 - found[-1]))
    return found, terminal.written - before


def side(name: str, seconds: float, rate: float) -> dict[str, Any]:
    """One side: what it measured of itself, with key latencies and bytes a second."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        server = subprocess.Popen(
            [sys.executable, str(HERE / "chat_server.py"), str(rate)], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            spans = [str(WARM_UP_S), str(seconds)]
            probe = [sys.executable, str(HERE / "chat_probe.py"), name, url, *spans, str(out)]
            terminal = Terminal(probe, COLUMNS, ROWS, {"XDG_STATE_HOME": folder})
            terminal.run(WARM_UP_S + 2)
            keys, written = key_latencies(terminal, seconds - 2)
            terminal.run(20, until=out.exists)
            terminal.end()
        finally:
            server.kill()
            server.wait()
        result: dict[str, Any] = json.loads(out.read_text())
    result["keys"], result["bytes"] = keys, written / (seconds - 2)
    return result


def quantile(values: list[float], share: float) -> float:
    """The value that ``share`` of them don't exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def row(what: str, ours: str, floor: str, budget: str = "", *, over: bool = False) -> str:
    """A line of the table."""
    return f"| {what} | {ours} | {floor} | {budget} | {'OVER' if over else 'within' if budget else ''} |"


def main(seconds: float, rate: float) -> None:
    """Prints the table."""
    ours, floor = side("console", seconds, rate), side("markdown", seconds, rate)
    ratio = ours["cpu"] / floor["cpu"]
    lag, key = quantile(ours["lags"], 0.99), quantile(ours["keys"], 0.95)
    print(f"{STREAMS} streams at {rate:g} tok/s each, {COLUMNS}x{ROWS}, {seconds:g} s\n")
    print("| what | console | four MarkdownStreams | budget | |\n|---|---|---|---|---|")
    print(row("CPU, % of a core", f"{ours['cpu']:.0%}", f"{floor['cpu']:.0%}"))
    print(row("CPU ratio", f"{ratio:.2f}", "1", f"≤ {BUDGETS['cpu']}", over=ratio > BUDGETS["cpu"]))
    print(row("screen behind the server, median", f"{statistics.median(ours['lags']):.2f} s", f"{statistics.median(floor['lags']):.2f} s"))  # fmt: skip
    print(row("… p99", f"{lag:.2f} s", f"{quantile(floor['lags'], 0.99):.2f} s", f"≤ {BUDGETS['lag_p99']} s", over=lag > BUDGETS["lag_p99"]))  # fmt: skip
    print(row("key to echo, p95", f"{key * 1000:.0f} ms", f"{quantile(floor['keys'], 0.95) * 1000:.0f} ms", f"≤ {BUDGETS['key_p95'] * 1000:.0f} ms", over=key > BUDGETS["key_p95"]))  # fmt: skip
    print(row("… worst", f"{max(ours['keys']) * 1000:.0f} ms", f"{max(floor['keys']) * 1000:.0f} ms"))
    print(row("characters lost", str(ours["lost"]), str(floor["lost"]), "0", over=bool(ours["lost"])))
    print(row("kB/s to the terminal", f"{ours['bytes'] / 1000:.0f}", f"{floor['bytes'] / 1000:.0f}"))
    print(row("paints a second", f"{ours['paints']:.1f}", f"{floor['paints']:.1f}"))
    large = large_answer()
    print(f"\nOne answer of {large['characters'] // 1000} KB:\n\n| what | console |\n|---|---|")
    print(f"| from the last byte until all of it is on the screen | {large['shown']:.2f} s |")
    print(f"| … until it is rendered as Markdown | {large['rendered']:.2f} s |")
    print(f"| key to echo meanwhile, p95, worst | {quantile(large['keys'], 0.95) * 1000:.0f} ms, {max(large['keys']) * 1000:.0f} ms |")  # fmt: skip


def large_answer() -> dict[str, Any]:
    """200 KB of Markdown as fast as it comes, then rendered, keys pressed all the time."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        server = subprocess.Popen(
            [sys.executable, str(HERE / "chat_server.py"), "large"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        try:
            probe = [sys.executable, str(HERE / "chat_probe.py"), "large", url, "1", "8", str(out)]
            terminal = Terminal(probe, COLUMNS, ROWS, {"XDG_STATE_HOME": folder})
            terminal.run(2.0)
            keys, _ = key_latencies(terminal, 7.0)
            terminal.run(20, until=out.exists)
            terminal.end()
        finally:
            server.kill()
            server.wait()
        result: dict[str, Any] = json.loads(out.read_text())
    result["keys"] = keys
    return result


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0, float(sys.argv[2]) if len(sys.argv) > 2 else 200.0)
