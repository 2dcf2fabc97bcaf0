"""The stacked bar of a GPU's memory, and its legend. Parts differ by letter and stroke, not by colour alone. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.format import age, percent, printable, rate, size
from quarterdeck.model.fleet import EndpointView
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.holdings import Part, PartKind, parts, spilled
from quarterdeck.tui.bars import bar
from quarterdeck.tui.gpus.scene import Letters, Scene, endpoint_of, part_name
from quarterdeck.tui.lines import BAD, FAINT, MUTED, PLAIN, STRONG, Run

_TONES = ("bar-used", "bar-memory", "ink-accent", "state-sleeping", "state-ok")
_STROKES = {
    PartKind.MODEL: "━",
    PartKind.ORPHAN: "━",
    PartKind.OTHER: "╍",
    PartKind.UNTOLD: "━",
    PartKind.RESERVED: "┄",
    PartKind.FREE: "─",
}
_SEEN_ALWAYS = (PartKind.MODEL, PartKind.ORPHAN)


def stack(gpu: GpuView, width: int, letters: Letters) -> tuple[Run, ...]:
    """What fills a GPU's memory, in ``width`` cells. A model or an orphan has a cell at least."""
    found = parts(gpu)
    if not found or width <= 0:
        return bar(None, max(0, width), "bar-memory")
    runs: list[Run] = []
    told = bool(gpu.processes)
    for part, cells in zip(found, _cells(found, width), strict=True):
        if cells:
            label = letter(part, letters) if told or part.kind is not PartKind.UNTOLD else ""
            label = "" if part.kind is PartKind.FREE or (part.kind is PartKind.RESERVED and cells < 2) else label
            runs.append(Run(label + _STROKES[part.kind] * (cells - len(label)), part_tone(part, letters)))
    return tuple(runs)


def letter(part: Part, letters: Letters) -> str:
    """The sign of a part: a model's letter, "!" for an orphan."""
    if part.kind is PartKind.MODEL:
        return letters.get((part.endpoint, part.model), "*")
    return {PartKind.ORPHAN: "!", PartKind.OTHER: "o", PartKind.UNTOLD: "?", PartKind.RESERVED: "r"}.get(part.kind, "·")


def part_tone(part: Part, letters: Letters) -> str:
    """The tone of a part's bar."""
    if part.kind is PartKind.MODEL:
        place = list(letters).index((part.endpoint, part.model)) if (part.endpoint, part.model) in letters else 0
        return _TONES[place % len(_TONES)]
    return {
        PartKind.ORPHAN: BAD,
        PartKind.OTHER: MUTED,
        PartKind.UNTOLD: "bar-memory",
        PartKind.RESERVED: FAINT,
    }.get(part.kind, "bar-rest")


def _cells(found: Sequence[Part], width: int) -> list[int]:
    """Cells of each part, ``width`` together: the largest remainders are rounded up, what must be seen has one."""
    total = sum(part.bytes for part in found)
    exact = [part.bytes / total * width for part in found]
    cells = [int(each) for each in exact]
    for place in sorted(range(len(found)), key=lambda i: cells[i] - exact[i])[: width - sum(cells)]:
        cells[place] += 1
    for place, part in enumerate(found):
        largest = max(range(len(cells)), key=cells.__getitem__)
        if not cells[place] and part.kind in _SEEN_ALWAYS and cells[largest] > 1:
            cells[place] += 1
            cells[largest] -= 1
    return cells


def aside(part: Part, views: Sequence[EndpointView]) -> list[Run]:
    """What else is to be known of a part: how much of vLLM's pool is in use, what of Ollama's model spilled."""
    view = endpoint_of(part.endpoint, views)
    if part.kind is not PartKind.MODEL or view is None:
        return []
    runs: list[Run] = []
    if pool := _pool(view):
        runs.append(Run(pool, PLAIN))
    model = next((model for model in view.models if model.id == part.model), None)
    below = spilled(model) if model is not None else None
    if below is not None:
        runs += [Run("  ")] if runs else []
        runs.append(Run(f"{size(below[0])} ({percent(below[1])}) spilled to the CPU's memory", BAD))
    return runs


def _pool(view: EndpointView) -> str:
    """How much of vLLM's pool is in use, and how many tokens it holds (of all its replicas together)."""
    about = "~" if "kv_capacity_tokens" in view.estimates else ""
    tokens = f"{about}{rate(view.kv_capacity_tokens)} tokens" if view.kv_capacity_tokens is not None else ""
    if view.kv_used is None:
        return f"KV cache of {tokens}" if tokens else ""
    if not tokens:
        return f"KV cache {percent(view.kv_used)} of its pool in use"
    if len(view.replicas) > 1:  # the share is the fullest one's, the tokens are everybody's
        return f"KV cache {percent(view.kv_used)}, {tokens} in all"
    return f"KV cache {percent(view.kv_used)} of {tokens}"


def legend_runs(part: Part, gpu: GpuView, scene: Scene) -> list[Run]:
    """One line of the legend: sign, name, endpoint, size, share, and what else there is to know."""
    letters = scene.letters
    share = part.bytes / gpu.memory_total_bytes if gpu.memory_total_bytes else None
    named = part.kind in _SEEN_ALWAYS
    runs = [
        Run(f"{letter(part, letters)} ", part_tone(part, letters)),
        Run(part_name(part), STRONG if part.kind is PartKind.MODEL else BAD if named else MUTED),
    ]
    if part.kind is PartKind.MODEL and part.model is not None:
        runs.append(Run(f" · {printable(part.endpoint or '', 40)}", MUTED))
    if part.kind is PartKind.ORPHAN:
        runs.append(Run(_orphans_told(part, gpu, scene.moment.unix), BAD))
    runs += [Run(f"  {size(part.bytes)}", PLAIN), Run(f"  {percent(share)}", MUTED)]
    more = aside(part, scene.fleet.endpoints)
    return [*runs, Run("  "), *more] if more else runs


def _orphans_told(part: Part, gpu: GpuView, unix: float) -> str:
    """Pids and ages."""
    told = []
    for process in gpu.processes or ():
        if process.pid in part.pids:
            old = f", {age(unix - process.started)} old" if process.started is not None and unix else ""
            told.append(f"pid {process.pid}{old}")
    return " " + "; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
