"""The row of a model or replica below its endpoint: what stands in each column. Pure."""

from __future__ import annotations

from quarterdeck.format import DASH, percent, printable, rate, size
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.replica import ReplicaView
from quarterdeck.tui.cells import Cell, Moment, counted, placed
from quarterdeck.tui.columns import MARKER, Layout
from quarterdeck.tui.facts import model_facts
from quarterdeck.tui.lines import FAINT, MUTED, PLAIN, WARN, Run, fit
from quarterdeck.tui.model_states import model_look
from quarterdeck.tui.rows import Row


def part_runs(row: Row, layout: Layout, moment: Moment) -> list[Run]:
    """Its name spans the text columns, its numbers stand under theirs."""
    part = row.part
    cells = _replica_cells(part) if isinstance(part, ReplicaView) else _model_cells(part, moment) if part else {}
    names = [place for place in layout.places if place.column.id in ("name", "engine", "models")]
    runs: list[Run] = []
    x = MARKER
    for place in layout.places:
        if place in names[1:]:
            continue
        width = names[-1].x + names[-1].width - place.x if names and place == names[0] else place.width
        text, tone = cells.get(place.column.id, ("", PLAIN))
        if place.column.id == "name":
            text = f"{'└' if row.last else '├'} {text}"
        runs += placed(x, place.x, Run(fit(text, width, right=place.column.right), FAINT if text == DASH else tone))
        x = place.x + width
    return runs


def _replica_cells(replica: ReplicaView) -> dict[str, Cell]:
    return {
        "state": ("  ! odd", WARN) if replica.odd else ("  load" if replica.is_model else "  replica", FAINT),
        "name": (
            printable(replica.engine, 60) if replica.is_model else f"engine {printable(replica.engine, 40)}",
            PLAIN,
        ),
        "running": counted(replica.running),
        "waiting": counted(replica.waiting, WARN),
        "tps": (rate(replica.generation_tps), PLAIN),
        "memory": (percent(replica.kv_used), PLAIN),
        "trend": (printable(", ".join(replica.odd), 200), WARN),
    }


def _model_cells(model: ModelReading, moment: Moment) -> dict[str, Cell]:
    seen = model_look(model.state)
    on_disk = model.state is ModelState.INSTALLED
    return {
        "state": (f"  {seen.word}", MUTED if seen.tone == "state-ok" else seen.tone),
        "name": (printable(model.label, 120) or DASH, PLAIN),
        "memory": (
            size(model.vram_bytes if model.vram_bytes is not None else model.size_bytes),
            FAINT if on_disk else PLAIN,
        ),
        "trend": (" · ".join(model_facts(model, moment)), MUTED),
        "reason": ("", MUTED),
    }
