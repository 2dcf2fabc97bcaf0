"""The data-parallel engines of an endpoint, one row each; the odd ones are named and told of in words."""

from __future__ import annotations

from quarterdeck.format import count, duration, percent, printable, rate
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.replica import ReplicaView
from quarterdeck.tui.cells import NEARLY_FULL
from quarterdeck.tui.detail.parts import INDENT, Column, Section, bulleted, table
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, WARN, Line, Run, cell_width

_WIDE = 74
_NARROW_COLUMNS = (Column("", 6, right=False), Column("run", 4), Column("wait", 4), Column("tok/s", 5), Column("KV", 4))
_WIDE_COLUMNS = (
    Column("", 8, right=False),
    Column("run", 5),
    Column("wait", 5),
    Column("tok/s", 6),
    Column("prompt/s", 8),
    Column("TTFT p95", 8),
    Column("ITL p95", 7),
    Column("KV", 4),
)
_MOST = 64


def replicas_section(view: EndpointView, width: int) -> Section:
    """A row each, and a line below those that differ from their siblings."""
    replicas = view.replicas
    if len(replicas) < 2:
        return Section("Replicas", [])
    wide = width >= _WIDE
    old = MUTED if view.state is not None and not view.state.answers else PLAIN
    columns = _WIDE_COLUMNS if wide else _NARROW_COLUMNS
    longest = max(cell_width(printable(replica.engine, 40)) for replica in replicas[:_MOST]) + 2
    named = columns[0]._replace(width=min(max(longest, columns[0].width), max(8, width - 48 if wide else width - 28)))
    titles, *drawn = table((named, *columns[1:]), [_row(replica, old, wide=wide) for replica in replicas[:_MOST]])
    by_model = replicas[0].is_model
    lines = [titles]
    for replica, line in zip(replicas, drawn, strict=False):
        lines.append(line)
        for words in replica.odd:
            lines += bulleted(Run("  ! odd:", WARN), printable(words, 200), width, WARN)
    if len(replicas) > _MOST:
        lines.append(Line((Run(f"{INDENT}… {len(replicas) - _MOST} more", MUTED),)))
    return Section("Load by model" if by_model else "Replicas", lines, str(len(replicas)))


def _row(replica: ReplicaView, old: str, *, wide: bool) -> tuple[Run, ...]:
    waiting = WARN if replica.waiting and old == PLAIN else old
    full = WARN if replica.kv_used is not None and replica.kv_used >= NEARLY_FULL and old == PLAIN else old
    name = f"{'!' if replica.odd else ' '} {printable(replica.engine, 40)}"
    first = (
        Run(name, WARN if replica.odd else FAINT),
        Run(count(replica.running), old),
        Run(count(replica.waiting), waiting),
        Run(rate(replica.generation_tps), old),
    )
    more = (
        Run(rate(replica.prompt_tps), old),
        Run(duration(replica.ttft_p95_s), old),
        Run(duration(replica.itl_p95_s), old),
    )
    return (*first, *(more if wide else ()), Run(percent(replica.kv_used), full))
