"""GPUs as cards, side by side. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.format import printable, size, spark
from quarterdeck.tui.bars import bar
from quarterdeck.tui.gpus.bars import stack
from quarterdeck.tui.gpus.listing import Listing, Shown, Spot, groups
from quarterdeck.tui.gpus.pieces import greyed, heat_runs, is_stale, percent_run, title_line, watt_runs, whose_runs
from quarterdeck.tui.gpus.scene import Entry, marks, recent, short_name
from quarterdeck.tui.lines import (
    ACCENT,
    EMPTY_LINE,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    Line,
    Run,
    cut,
    fit,
    spread,
    width_of,
)

CARD = 62
"""Cells that a card needs at least …"""
CARD_LINES = 6
"""… and its lines, the empty one below it included."""


def cards_height(shown: Shown, columns: int) -> int:
    """Lines that all cards take, ``columns`` side by side."""
    return sum(
        (1 if host is not None else 0) + max(0 if group else 1, -(-len(group) // columns) * CARD_LINES)
        for host, group in groups(shown)
    )


def cards(shown: Shown, width: int, columns: int) -> Listing:
    """All GPUs as cards, ``columns`` side by side at most."""
    lines: list[Line] = []
    spots: list[Spot] = []
    most = max((len(group) for _, group in groups(shown)), default=1)
    card_width = min(100, width // max(1, min(columns, most)))
    row = 0
    for host, group in groups(shown):
        if host is not None:
            lines.append(title_line(host, width, shown.now))
            lines += [] if group else [EMPTY_LINE]
        for first in range(0, len(group), columns):
            beside = group[first : first + columns]
            spots += [Spot(e.key, len(lines), CARD_LINES - 1, row, place) for place, e in enumerate(beside)]
            lines += _side_by_side([_card(entry, shown, card_width - 2) for entry in beside], card_width)
            row += 1
    return Listing(lines, spots, cards=True)


def _side_by_side(cards: Sequence[list[Line]], width: int) -> list[Line]:
    lines = []
    for place in range(CARD_LINES):
        runs: list[Run] = []
        for card in cards:
            drawn = cut(card[place].runs, width) if place < len(card) else ()
            runs += [*drawn, Run(" " * (width - width_of(drawn)))]
        lines.append(Line(tuple(runs)))
    return lines


def _card(entry: Entry, shown: Shown, width: int) -> list[Line]:
    """One GPU on five lines of ``width`` cells."""
    host, gpu = entry
    chosen = entry.key == shown.selected
    edge = Run("▌ " if chosen else "  ", ACCENT)
    named = [edge, Run(f"{gpu.index} ", STRONG), Run(short_name(gpu), STRONG if chosen else PLAIN)]
    if shown.order.id != "host":
        named.append(Run(f" · {printable(host.name, 30)}", MUTED))
    told = [run for mark in marks(gpu, shown.now)[:2] for run in (Run("  "), Run(mark.word, mark.tone))]
    bars = max(8, width - 41)
    history = recent(host, gpu, "utilization", shown.now, 20)
    lines = [
        Line(spread(cut(named, width - width_of(told) - 1), told, width)),
        Line((edge, Run("util ", FAINT), *bar(gpu.utilization, bars), percent_run(gpu.utilization), _sparked(history))),
        Line((edge, Run("mem  ", FAINT), *stack(gpu, bars, shown.letters), *_memory(entry))),
        Line((edge, Run("     "), *(whose_runs(entry, shown.letters)[1:] or [Run(_nobody(entry), FAINT)]))),
        Line(
            (
                edge,
                Run("pow  ", FAINT),
                *bar(_power(entry), bars, "ink-muted"),
                *watt_runs(entry, limited=True),
                *_hot(entry),
            )
        ),
    ]
    lines = [Line(cut(line.runs, width)) for line in lines]
    return [greyed(line) for line in lines] if is_stale(entry, shown.now) else lines


def _sparked(values: Sequence[float | None]) -> Run:
    return Run("  " + spark(values, 20, top=1.0), "bar-used")


def _memory(entry: Entry) -> list[Run]:
    gpu = entry.gpu
    used = Run(fit(size(gpu.memory_used_bytes), 9, right=True))
    return [percent_run(gpu.memory_fraction), Run("  "), used, Run(f" of {size(gpu.memory_total_bytes)}", MUTED)]


def _power(entry: Entry) -> float | None:
    gpu = entry.gpu
    return gpu.power_w / gpu.power_limit_w if gpu.power_w is not None and gpu.power_limit_w else None


def _hot(entry: Entry) -> list[Run]:
    limit = entry.gpu.slowdown_c
    return [*heat_runs(entry), Run("" if limit is None else f" of {limit:.0f}°C", FAINT)]


def _nobody(entry: Entry) -> str:
    processes = entry.gpu.processes
    if processes is None:
        return "not told who holds it"
    return "no process" if not processes else "no model that is watched"
