"""The line above the GPUs: how many, how busy, how full, how many watts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from quarterdeck.format import percent, printable, size
from quarterdeck.tui.columns import Order
from quarterdeck.tui.gpus.pieces import is_stale
from quarterdeck.tui.gpus.scene import Entry, marks
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, STRONG, WARN, Line, Run, cut, spread, width_of


class Summary(NamedTuple):
    """What is summed up: the GPUs that are shown, how many there are in all, and how they are sorted and filtered."""

    entries: Sequence[Entry]
    total: int
    order: Order
    needle: str = ""


def summary_line(summary: Summary, now: float, width: int) -> Line:
    """Sums over the GPUs that are shown; those whose values are old don't count."""
    shown, total, order, needle = summary
    machines = len({entry.host.name for entry in shown})
    current = [entry for entry in shown if not is_stale(entry, now)]
    of = f"{len(shown)} of {total}" if len(shown) != total else str(total)
    runs = [Run(" GPUs ", STRONG), Run(of, PLAIN), Run(f" on {machines} machine{'s' if machines != 1 else ''}", MUTED)]
    troubled = [mark.tone for entry in shown for mark in marks(entry.gpu, now)[:1]]
    told = [Run(f"  /{printable(needle.strip(), 24)} ", WARN)] if needle.strip() else []
    runs = list(cut(runs, width - width_of(told)))
    for part in (_troubles(troubled), *_sums(current)):
        if part and width_of(runs) + width_of(part) + 3 <= width - width_of(told):
            runs = [*runs, Run("   "), *part]
    how = Run(f" {order.words} " if order.id == "host" else f" {order.words} {order.arrow} ", FAINT)
    fits = width_of(runs) + width_of([*told, how]) < width
    return Line(spread(runs, [*told, how] if fits else told, width), "head")


def _troubles(tones: Sequence[str]) -> list[Run]:
    if not tones:
        return []
    return [
        Run(
            f"✗ {len(tones)} in trouble" if BAD in tones else f"▲ {len(tones)} to look at",
            BAD if BAD in tones else WARN,
        )
    ]


def _sums(current: Sequence[Entry]) -> list[list[Run]]:
    busy = [entry.gpu.utilization for entry in current if entry.gpu.utilization is not None]
    used = _sum(entry.gpu.memory_used_bytes for entry in current)
    total = _sum(entry.gpu.memory_total_bytes for entry in current)
    watts = _sum(entry.gpu.power_w for entry in current)
    most = _sum(entry.gpu.power_limit_w for entry in current)
    found = []
    if busy:
        found.append([Run("busy ", MUTED), Run(percent(sum(busy) / len(busy)), PLAIN)])
    if used is not None and total:
        found.append([Run("memory ", MUTED), Run(size(used), PLAIN), Run(f" of {size(total)}", MUTED)])
    if watts is not None:
        limit = f" of {most / 1000:.1f}" if most else ""
        found.append([Run("power ", MUTED), Run(f"{watts / 1000:.1f}", PLAIN), Run(f"{limit} kW", MUTED)])
    return found


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
