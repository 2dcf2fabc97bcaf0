"""What is known of the selected GPU's memory: the bar in full, its legend, and the processes. Pure."""

from __future__ import annotations

from quarterdeck.format import age, printable, size
from quarterdeck.model.gpu import GpuProcess, Holder
from quarterdeck.model.holdings import parts
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.gpus.bars import legend_runs, stack
from quarterdeck.tui.gpus.charts import ROW_LINES, chart_row
from quarterdeck.tui.gpus.pieces import stale_text, why_missing
from quarterdeck.tui.gpus.scene import Entry, Letters, Scene, marks, short_name
from quarterdeck.tui.lines import (
    BAD,
    EMPTY_LINE,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    Line,
    Run,
    beside,
    cell_width,
    cut,
    fit,
    shortened,
    wrap,
)

TWO_COLUMNS = 150
"""From so many cells on, processes stand beside the legend."""
_MOST_PROCESSES = 200
_NEGLIGIBLE = 2**30


def panel_lines(entry: Entry, scene: Scene, width: int, height: int) -> list[Line]:
    """At most ``height`` lines about a GPU."""
    moment = scene.moment
    lines = [panel_title(entry, moment, width), *bar_lines(entry, scene.letters, width)]
    legend = legend_lines(entry, scene)
    if width >= TWO_COLUMNS:
        lines += beside(legend, process_lines(entry, moment, width // 2), width // 2)
    else:
        lines += [*legend, EMPTY_LINE, *process_lines(entry, moment, width)]
    if height - len(lines) >= ROW_LINES:
        lines += chart_row(entry, moment, width, height - len(lines))
    return [Line(cut(line.runs, width), line.ground) for line in shortened(lines, height, "Enter shows them")]


def panel_title(entry: Entry, moment: Moment, width: int) -> Line:
    """Which GPU, and what is wrong with it, in a sentence each."""
    host, gpu = entry
    runs = [
        Run(f" GPU {gpu.index}", STRONG),
        Run(f" · {printable(host.name, 40)} · {short_name(gpu)}", MUTED),
    ]
    for mark in marks(gpu, moment.now):
        runs += [Run("   "), Run(mark.word, mark.tone), Run(f"  {mark.text}", MUTED)]
    told = gpu.lost or gpu.at is not None  # then a mark says since when
    old = "" if told else stale_text(entry, moment.now)
    runs += [Run(f"   {old}", BAD)] if old else []
    return Line(cut(runs, width), "head")


def bar_lines(entry: Entry, letters: Letters, width: int) -> list[Line]:
    """The memory's bar over the whole width."""
    gpu = entry.gpu
    right = f" {size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)} "
    return [Line((Run(" "), *stack(gpu, max(4, width - cell_width(right) - 1), letters), Run(right, PLAIN)))]


def legend_lines(entry: Entry, scene: Scene) -> list[Line]:
    """A line for each part of the memory."""
    gpu = entry.gpu
    found = parts(gpu)
    if not found:
        return [Line((Run(" its memory is not known", MUTED),))]
    return [Line((Run(" "), *legend_runs(part, gpu, scene))) for part in found]


def process_lines(entry: Entry, moment: Moment, width: int) -> list[Line]:
    """The processes, the largest first; why there are none where that is known."""
    processes = entry.gpu.processes
    if processes is None:
        return [Line((Run(f" {part}", MUTED),)) for part in wrap(_not_told(entry), max(8, width - 2))]
    if not processes:
        held = (entry.gpu.memory_used_bytes or 0) > _NEGLIGIBLE
        return [Line((Run(" no process is told, though memory is in use" if held else " no process uses it", MUTED),))]
    order = sorted(processes, key=lambda process: -(process.memory_bytes or 0))
    users = min(12, max(4, *(cell_width(process.user or "") for process in order)))
    head = f" {fit('memory', 9, right=True)}  {fit('pid', 7, right=True)}  {fit('user', users)}  {fit('age', 4, right=True)}  process"
    lines = [Line((Run(head, FAINT),))]
    lines += [_process_line(process, moment, users) for process in order[:_MOST_PROCESSES]]
    return lines


def _process_line(process: GpuProcess, moment: Moment, users: int) -> Line:
    old = age(moment.unix - process.started) if process.started is not None and moment.unix else "–"
    runs = [
        Run(f" {fit(size(process.memory_bytes), 9, right=True)}  ", PLAIN),
        Run(f"{process.pid:>7}  {fit(process.user or '–', users)}  {fit(old, 4, right=True)}  ", MUTED),
    ]
    if process.holder is Holder.ORPHAN:
        runs.append(Run("ORPHAN ", BAD))
    name = printable(process.name, 200) if process.name else "not visible from here (a container, or another user's)"
    runs.append(Run(name, PLAIN if process.name else FAINT))
    if process.endpoint or process.model:
        owner = " · ".join(printable(text, 60) for text in (process.model, process.endpoint) if text)
        runs.append(Run(f"  {owner}", MUTED))
    if process.container:
        runs.append(Run(f"  container {printable(process.container, 40)}", FAINT))
    return Line(tuple(runs))


def _not_told(entry: Entry) -> str:
    why = why_missing(entry.gpu, "processes")
    if entry.host.source.startswith("http"):
        why = 'this exporter doesn\'t tell (nvidia_gpu_exporter, nvitop-exporter and gpus = "ssh" do)'
    return f"Its processes are not known{': ' if why else ''}{why}"
