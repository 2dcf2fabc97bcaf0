"""The GPUs as rows, or as cards where there is room: lines, and where on them each GPU stands. Pure."""

from __future__ import annotations

from quarterdeck.format import printable, size, spark
from quarterdeck.tui.bars import bar
from quarterdeck.tui.gpus.bars import stack
from quarterdeck.tui.gpus.cards import CARD, cards, cards_height
from quarterdeck.tui.gpus.listing import Listing, Shown, Spot, groups
from quarterdeck.tui.gpus.pieces import (
    ROOMY,
    greyed,
    heat_runs,
    is_stale,
    percent_run,
    title_line,
    watt_runs,
    whose_runs,
)
from quarterdeck.tui.gpus.scene import Entry, mark_runs, marks, recent, short_name
from quarterdeck.tui.lines import (
    ACCENT,
    MUTED,
    PLAIN,
    STRONG,
    Line,
    Run,
    cell_width,
    cut,
    fit,
    width_of,
)

BARE = 60
"""Narrower than this, a row has no bar of utilisation."""


def listing(shown: Shown, width: int, height: int) -> Listing:
    """The GPUs on ``width`` cells: as cards where all of them fit ``height`` lines so, else a row each."""
    columns = width // CARD
    if columns >= 2 and cards_height(shown, columns) <= height:
        return cards(shown, width, columns)
    return _rows(shown, width)


def _rows(shown: Shown, width: int) -> Listing:
    lines: list[Line] = []
    spots: list[Spot] = []
    names = max((cell_width(short_name(entry.gpu)) for entry in shown.entries), default=0)
    for host, group in groups(shown):
        if host is not None:
            lines.append(title_line(host, width, shown.now))
        for entry in group:
            chosen = entry.key == shown.selected
            spots.append(Spot(entry.key, len(lines), 1, len(spots), 0))
            line = Line(_row(entry, shown, width, min(names, 24)), "selected" if chosen else "")
            lines.append(greyed(line) if is_stale(entry, shown.now) else line)
    return Listing(lines, spots, cards=False)


def _row(entry: Entry, shown: Shown, width: int, names: int) -> tuple[Run, ...]:
    host, gpu = entry
    chosen = entry.key == shown.selected
    runs = [Run("▌" if chosen else " ", ACCENT)]
    if shown.order.id != "host" or shown.filtered:
        runs.append(Run(fit(printable(host.name, 40), min(14, max(6, width // 8))) + " ", PLAIN))
    runs.append(Run(f"{gpu.index:>2} ", STRONG if chosen else MUTED))
    if width >= ROOMY:
        runs.append(Run(fit(short_name(gpu), names) + "  ", MUTED))
    if width >= BARE:
        runs += bar(gpu.utilization, 14 if width >= 160 else 8)
    runs.append(percent_run(gpu.utilization))
    if width >= ROOMY:
        columns = 20 if width >= 160 else 12
        runs += [Run(" " + spark(recent(host, gpu, "utilization", shown.now, columns), columns, top=1.0), "bar-used")]
    runs += [Run("  "), *stack(gpu, max(6, (width - (90 if width >= ROOMY else 42)) // 2), shown.letters)]
    runs.append(Run(fit(size(gpu.memory_used_bytes), 9, right=True)))
    if width >= ROOMY:
        runs.append(Run(f" of {fit(size(gpu.memory_total_bytes), 8)}", MUTED))
    elif width >= BARE:
        runs.append(percent_run(gpu.memory_fraction))
    room = width - width_of(runs)
    if room >= 14:
        runs += [*watt_runs(entry, room >= 60), *heat_runs(entry)]
    return cut([*runs, *_remarks(entry, shown, width - width_of(runs))], width)


def _remarks(entry: Entry, shown: Shown, room: int) -> list[Run]:
    """What is wrong, then who holds the memory."""
    return [*mark_runs(marks(entry.gpu, shown.now), room), *whose_runs(entry, shown.letters)]
