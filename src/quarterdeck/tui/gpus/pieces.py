"""What rows, cards and pages of GPUs have in common: a value as runs, a machine's title, what is old. Pure."""

from __future__ import annotations

from quarterdeck.format import DASH, age, percent, printable
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.holdings import PartKind, parts
from quarterdeck.model.host import HostView
from quarterdeck.tui.gpus.bars import letter, part_tone
from quarterdeck.tui.gpus.scene import Entry, Letters, is_hot
from quarterdeck.tui.hosts import is_old, is_old_gpu, machine_runs, why_no_gpu
from quarterdeck.tui.lines import (
    ACCENT,
    BAD,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    WARN,
    Line,
    Run,
    cut,
    fit,
    spread,
)

ROOMY = 110
"""From so many cells on, a line has room for names and sparklines."""


def title_line(host: HostView | None, width: int, now: float) -> Line:
    """A machine: how it is read, what is wrong with it, its processor and memory; an empty line for several machines."""
    if host is None:
        return Line((Run(fit("", width)),))
    left = [Run(f" {printable(host.name, 40)}", STRONG)]
    if not host.gpus or host.reason:
        left.append(Run(f"  {why_no_gpu(host, now)}", BAD if is_old(host, now) else MUTED))
    elif host.driver and width >= ROOMY:
        cuda = f" · CUDA {printable(host.cuda, 12)}" if host.cuda else ""
        left.append(Run(f"  driver {printable(host.driver, 24)}{cuda}", FAINT))
    return Line(spread(cut(left, width), machine_runs(host), width))


def whose_runs(entry: Entry, letters: Letters) -> list[Run]:
    """Who holds the memory: letters and models."""
    runs: list[Run] = []
    for part in parts(entry.gpu) if entry.gpu.processes else ():
        if part.kind is PartKind.MODEL:
            label = f" {printable(part.model or part.endpoint or '', 40)}"
            runs += [Run("  "), Run(letter(part, letters), part_tone(part, letters)), Run(label, MUTED)]
    return runs


def percent_run(fraction: float | None) -> Run:
    """A share in five cells; faint where there is nothing or nothing known."""
    return Run(fit(percent(fraction), 5, right=True), PLAIN if fraction else FAINT)


def watt_runs(entry: Entry, limited: bool) -> list[Run]:
    """Power, and its limit."""
    gpu = entry.gpu
    runs = [Run(fit(DASH if gpu.power_w is None else f"{gpu.power_w:.0f} W", 7, right=True), MUTED)]
    if limited:
        limit = "" if gpu.power_limit_w is None else f" of {gpu.power_limit_w:.0f} W"
        runs.append(Run(fit(limit, 9), FAINT))
    return runs


def heat_runs(entry: Entry) -> list[Run]:
    """The core's temperature."""
    degrees = entry.gpu.temperature_c
    text = DASH if degrees is None else f"{degrees:.0f}°C"
    return [Run(fit(text, 6, right=True), WARN if is_hot(entry.gpu) else MUTED)]


def why_missing(gpu: GpuView, *values: str) -> str:
    """Why one of ``values`` is missing, by the words of who read it ("fan, power: not supported by this GPU"); "" if not told."""
    for problem in gpu.problems:
        names, _, words = problem.partition(":")
        if words and not {name.strip() for name in names.split(",")}.isdisjoint(values):
            return printable(words.strip(), 200)
    return ""


# ---- what is old


def is_stale(entry: Entry, now: float) -> bool:
    """Whether a GPU's values are not of now."""
    return is_old_gpu(entry.gpu, entry.host, now)


def stale_text(entry: Entry, now: float) -> str:
    """Since when, in words; "" where they are of now."""
    if not is_stale(entry, now):
        return ""
    at = entry.gpu.at if entry.gpu.at is not None else entry.host.at
    return "its values are old" if at is None else f"its values are {age(now - at)} old"


def greyed(line: Line) -> Line:
    """A line of old values; what is wrong keeps its tone."""
    kept = (BAD, WARN, ACCENT)
    return Line(
        tuple(run if run.tone in kept else Run(run.text, FAINT if run.tone == FAINT else MUTED) for run in line.runs),
        line.ground,
    )
