"""Reading one vLLM metrics page whose values moved, against `prometheus_client.parser` on the same page.

uv run python benchmarks/metrics_page.py [RUNS]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle

from prometheus_client.parser import text_string_to_metric_families

from quarterdeck.demo.job import Profile
from quarterdeck.demo.vllm import VllmServer, VllmSpec
from quarterdeck.endpoints.vllm import WANTED, narrowed_query
from quarterdeck.endpoints.vllm_page import VllmPages
from quarterdeck.wire.prometheus import PageReader
from ratios import HEADING, Ratio, in_turn

PAGES = 8
"""So many pages are read in turn, each a second of load after the one before."""
LINES = 1500
MOST_MS = 1.5
MOST_RATIO = 1 / 8
OURS_AT_ONCE = 32
"""Reads that are timed together: one is too short for the clock of a busy machine, and every 32nd looks at the whole page again."""


def pages(engines: int, *, narrowed: bool) -> list[bytes]:
    """Pages of a simulated vLLM under load, as the console asks for them."""
    now = 0.0
    spec = VllmSpec("qwen3-32b", "/models/qwen3-32b", Profile(arrivals=2.0), engines)
    server = VllmServer(spec, "page", lambda: now, time.time, -300.0)
    names: tuple[str, ...] = ()
    if narrowed:
        query = narrowed_query(PageReader(WANTED).read(server.metrics()).layout)
        names = tuple(pair.partition("=")[2].replace("%3A", ":") for pair in query[1:].split("&"))

    def a_second_later() -> bytes:
        nonlocal now
        now += 1.0
        return server.metrics(names)

    return [a_second_later() for _ in range(PAGES)]


def cut(page: bytes) -> bytes:
    """Its first ``LINES`` lines (the families of engines come before those of HTTP)."""
    return b"\n".join(page.split(b"\n")[:LINES]) + b"\n"


def reading(bodies: list[bytes]) -> Callable[[], float]:
    """Seconds that one page takes, slots remembered, readings per engine included."""
    reader, turn = VllmPages(), cycle(bodies)
    for body in bodies:
        assert reader.read(body)[0].engines

    def read() -> float:
        batch = [next(turn) for _ in range(OURS_AT_ONCE)]
        started = time.perf_counter()
        for body in batch:
            reader.read(body)
        return (time.perf_counter() - started) / OURS_AT_ONCE

    return read


def parsing(bodies: list[bytes]) -> Callable[[], float]:
    """Seconds that the full parser takes for one page."""
    turn: Iterator[bytes] = cycle(bodies)

    def parse() -> float:
        text = next(turn).decode()
        started = time.perf_counter()
        for _ in text_string_to_metric_families(text):
            pass
        return time.perf_counter() - started

    return parse


def row(what: str, bodies: list[bytes], ratio: Ratio) -> str:
    """A line of a Markdown table."""
    lines = bodies[0].count(b"\n")
    ours, floor = (sorted(times)[len(times) // 2] * 1000 for times in (ratio.ours, ratio.floor))
    verdict = "within" if ratio.median <= MOST_RATIO and ours <= MOST_MS else "OVER"
    return f"| {what}, {lines:,} lines | {ours:.3f} ms | {floor:.1f} ms | 1/{1 / ratio.median:.0f} | ≤ 1/8, ≤ {MOST_MS} ms | {verdict} |"


def main(runs: int) -> None:
    """Prints the table."""
    print(HEADING)
    for what, bodies in (
        ("one engine, whole page", pages(1, narrowed=False)),
        ("one engine, narrowed by `name[]`", pages(1, narrowed=True)),
        (f"four engines, cut at {LINES:,}", [cut(page) for page in pages(4, narrowed=False)]),
        ("eight engines, whole page", pages(8, narrowed=False)),
    ):
        print(row(what, bodies, in_turn(reading(bodies), parsing(bodies), runs)), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
