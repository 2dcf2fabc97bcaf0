#!/usr/bin/env python3
"""What the console costs while nothing is done with it, beside htop, btop and nvitop: CPU, and bytes to the terminal.

uv run python benchmarks/steady.py [--seconds 60] [--nvml FOLDER] [--nvitop COMMAND]

All run at the same time, in pseudo-terminals of one size, on the same eight simulated GPUs, each at one refresh a second: so all
have the same machine. The simulated driver of the tests is built with `cc`, or is the `libnvidia-ml.so.1` in FOLDER. What is not
installed is left out; then the console is beside what was measured of it on an otherwise idle machine (`FLOORS`). CPU is user and
system time of a process and all its descendants, per second.
"""

from __future__ import annotations

import argparse
import os
import select
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from servers import many
from terminals import Terminal

TESTS = Path(__file__).parent.parent / "tests"
SIZES = ((80, 24), (200, 60))
WARM_UP_S = 20.0
GPUS = 8
FLOORS = {"nvitop": (1.0, 0.2), "btop": (0.5, 8.4), "htop": (0.3, 1.0)}
"""Percent of a core and kB/s at 80×24, where a tool can't be had."""
WIDE_BTOP = (0.5, 27.0)
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Percent of a core, and bytes a second."""

    cpu: float
    written: float
    measured: bool = True


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its descendants, those that ended and were waited for included."""
    children: list[str] = []
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread that ended meanwhile
            children += thread.read_text().split()
    return sum(map(int, fields[11:15])) / TICK + sum(cpu_seconds(int(child)) for child in children)


def together(terminals: Mapping[str, Terminal], seconds: float) -> dict[str, int]:
    """Read what all write for a while; the bytes of each."""
    before = {name: terminal.written for name, terminal in terminals.items()}
    by_fd = {terminal.fd: terminal for terminal in terminals.values()}
    end = time.perf_counter() + seconds
    while (left := end - time.perf_counter()) > 0:
        for fd in select.select(list(by_fd), [], [], left)[0]:
            if not by_fd[fd].read(0):
                del by_fd[fd]  # it ended
    return {name: terminal.written - before[name] for name, terminal in terminals.items()}


def fleet_file(folder: Path, urls: Sequence[str], interval: str) -> Path:
    """A fleet of these servers and of this machine's GPUs."""
    path = folder / f"{len(urls)}-{interval}.toml"
    endpoints = "".join(f'[[endpoint]]\nname = "e{n}"\nengine = "vllm"\nurl = "{url}"\n' for n, url in enumerate(urls))
    path.write_text(f'[console]\npoll = "{interval}"\n[[host]]\nname = "box"\ngpus = "local"\n{endpoints}')
    return path


def commands(folder: Path, urls: Sequence[str], nvitop: str) -> dict[str, list[str]]:
    """What is run, by name."""
    ours = [sys.executable, "-m", "quarterdeck", "--fleet"]
    btop = folder / "config" / "btop" / "btop.conf"
    btop.parent.mkdir(parents=True)
    btop.write_text("update_ms = 1000\n")
    found = {
        "8, every 1 s": [*ours, str(fleet_file(folder, urls[:8], "1s"))],
        "8, every 2 s (default)": [*ours, str(fleet_file(folder, urls[:8], "2s"))],
        "64, every 1 s": [*ours, str(fleet_file(folder, urls[:64], "1s"))],
        "nvitop": [*shlex.split(nvitop), "--monitor", "full", "--interval", "1"],
        "btop": ["btop", "--utf-force"],
        "htop": ["htop", "--delay", "10"],
    }
    return {name: words for name, words in found.items() if shutil.which(words[0])}


def costs(size: tuple[int, int], seconds: float, driver: Path, nvitop: str) -> dict[str, Cost]:
    """One size."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = stack.enter_context(many(64))
        environ = {
            "LD_LIBRARY_PATH": str(driver),
            "FAKE_NVML_GPUS": str(GPUS),
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            **{f"XDG_{kind}_HOME": str(folder / kind.lower()) for kind in ("STATE", "CONFIG", "CACHE")},
        }
        terminals = {name: Terminal(words, *size, environ) for name, words in commands(folder, urls, nvitop).items()}
        for terminal in terminals.values():
            stack.callback(terminal.end)
        together(terminals, WARM_UP_S)
        cpu, began = {name: cpu_seconds(terminal.pid) for name, terminal in terminals.items()}, time.perf_counter()
        written = together(terminals, seconds)
        wall = time.perf_counter() - began
        return {
            name: Cost(100 * (cpu_seconds(terminal.pid) - cpu[name]) / wall, written[name] / wall)
            for name, terminal in terminals.items()
        }


def verdicts(found: Mapping[str, Cost], size: tuple[int, int]) -> list[tuple[str, float, float]]:
    """What is compared, the ratio, and the budget."""
    eight, default, many_ = found["8, every 1 s"], found["8, every 2 s (default)"], found["64, every 1 s"]
    nvitop, btop = beside(found, "nvitop", size), beside(found, "btop", size)
    return [
        ("CPU of 8 every 1 s / nvitop", eight.cpu / nvitop.cpu, 1.25),
        ("CPU of 8 at the default / nvitop", default.cpu / nvitop.cpu, 1.0),
        ("bytes of 8 every 1 s / btop", eight.written / btop.written, 0.25),
        ("CPU of 64 / CPU of 8", many_.cpu / eight.cpu, 3.0),
    ]


def beside(found: Mapping[str, Cost], name: str, size: tuple[int, int]) -> Cost:
    """A tool as measured here, or on another day."""
    if name in found:
        return found[name]
    cpu, kilobytes = WIDE_BTOP if name == "btop" and size[0] > 80 else FLOORS[name]
    return Cost(cpu, kilobytes * 1000, measured=False)


def least(runs: Sequence[Mapping[str, Cost]]) -> dict[str, Cost]:
    """Of several runs the one in which each cost least: others only ever add to it."""
    return {name: min((run[name] for run in runs), key=lambda cost: cost.cpu) for name in runs[0]}


def report(size: tuple[int, int], found: Mapping[str, Cost]) -> bool:
    """Print a size; whether a budget is broken."""
    print(f"\n{size[0]}×{size[1]}\n\n| what | CPU, % of a core | B/s to the terminal |\n|---|---|---|")
    for name, cost in found.items():
        print(f"| {name} | {cost.cpu:.2f} | {cost.written:,.0f} |")
    for name in FLOORS:
        if name not in found:
            print(f"| {name} (not installed; measured earlier) | {beside(found, name, size).cpu:.2f} | |")
    print("\n| ratio | | budget | |\n|---|---|---|---|")
    broken = False
    for what, ratio, budget in verdicts(found, size):
        broken = broken or ratio > budget
        print(f"| {what} | {ratio:.2f} | ≤ {budget} | {'OVER' if ratio > budget else 'within'} |", flush=True)
    return broken


def main() -> int:
    """Print the tables; 1 where a budget is broken."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--runs", type=int, default=1, help="of which the cheapest counts")
    options.add_argument("--nvml", type=Path, help="a folder with a simulated libnvidia-ml.so.1")
    options.add_argument("--nvitop", default="nvitop")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.nvml is None:
            sys.path.insert(0, str(TESTS))
            from simulated_gpus import build, can_build

            if not can_build():
                print("needs Linux, cc and make, or --nvml", file=sys.stderr)
                return 2
            build(Path(folder))
        driver = given.nvml or Path(folder)
        broken = [
            report(size, least([costs(size, given.seconds, driver, given.nvitop) for _ in range(given.runs)]))
            for size in SIZES
        ]
    return int(any(broken))


if __name__ == "__main__":
    raise SystemExit(main())
