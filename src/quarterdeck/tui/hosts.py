"""The machines as lines: one a host, or one a GPU where there is room. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from quarterdeck.format import DASH, age, percent, printable, size, spark
from quarterdeck.tui.bars import bar
from quarterdeck.tui.lines import (
    BAD,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    WARN,
    Line,
    Run,
    cell_width,
    cut,
    fit,
    spread,
    width_of,
)

if TYPE_CHECKING:  # what isn't needed to paint the first frame isn't imported before it
    from quarterdeck.model.gpu import GpuView
    from quarterdeck.model.host import HostView
    from quarterdeck.tui.gpus.scene import Mark

LONGEST_NAME = 18
HOT_C = 85.0
OLD_S = 5.0
"""What could not be read again for so long is dated."""


def compact_height(hosts: Sequence[HostView]) -> int:
    """Lines that one line a host takes."""
    return len(hosts)


def roomy_height(hosts: Sequence[HostView]) -> int:
    """Lines that one line a GPU takes, with a title and a line for each host."""
    return 1 + sum(1 + len(host.gpus) for host in hosts) if hosts else 0


def host_lines(hosts: Sequence[HostView], width: int, height: int, now: float = 0.0) -> list[Line]:
    """The hosts in at most ``height`` lines of ``width`` cells; ``now`` dates what could not be read again."""
    if height <= 0 or not hosts:
        return []
    if height >= roomy_height(hosts) and width >= 60:
        return _roomy(hosts, width, now)
    name_width = _name_width(hosts)
    shown = hosts if len(hosts) <= height else hosts[: height - 1]
    show = _level(hosts, width - name_width - 9 - _MACHINE_WIDTH)
    lines = [_compact(host, name_width, width, show, now) for host in shown]
    if len(shown) < len(hosts):
        lines.append(Line(cut((Run(f"   … {len(hosts) - len(shown)} more hosts", MUTED),), width)))
    return lines


def _name_width(hosts: Sequence[HostView]) -> int:
    return min(LONGEST_NAME, max(cell_width(printable(host.name, 60)) for host in hosts))


# ---- one line a host ----------------------------------------------------------------------------------------------

_MACHINE_WIDTH = 20


def _compact(host: HostView, name_width: int, width: int, show: Level, now: float) -> Line:
    left = [Run("   " + fit(printable(host.name, 60), name_width) + "  ", STRONG)]
    if host.gpus and not is_old(host, now) and not _hangs(host, now):
        left.append(Run("GPU ", FAINT))
        for place, gpu in enumerate(host.gpus):
            drawn = Line(tuple(show.runs(gpu)))
            left += [Run(show.gap if place else ""), *(_greyed(drawn) if is_old_gpu(gpu, host, now) else drawn).runs]
    else:
        left.append(Run(why_no_gpu(host, now), MUTED))
    return Line(spread(cut(left, width), machine_runs(host), width))


def is_old(host: HostView, now: float) -> bool:
    """Whether what is known of a host's GPUs is what they were when it was last read."""
    return bool(host.reason) and host.at is not None and now - host.at > OLD_S


def is_old_gpu(gpu: GpuView, host: HostView, now: float) -> bool:
    """Whether a GPU's values are not of now: it is lost, its driver hangs, or its host can't be read."""
    return gpu.lost or (gpu.at is not None and now - gpu.at > OLD_S) or is_old(host, now)


def _hangs(host: HostView, now: float) -> bool:
    """Whether the driver of a host that is read otherwise answers nothing: all that is known of its GPUs is old."""
    old = all(is_old_gpu(gpu, host, now) for gpu in host.gpus)
    return bool(host.reason) and old and not all(gpu.lost for gpu in host.gpus)


def why_no_gpu(host: HostView, now: float) -> str:
    """Why nothing, or nothing new, is known of a host's GPUs."""
    if host.at is not None and is_old(host, now):
        return f"{printable(host.reason, 160)}; last read {age(now - host.at)} ago"
    return printable(host.reason, 160) or ("no GPU" if host.at is not None else "waiting for the first answer")


def machine_runs(host: HostView) -> list[Run]:
    """CPU and memory of the machine itself, in `_MACHINE_WIDTH` cells at most."""
    if host.cpu is None and host.memory_used_bytes is None:
        return []
    used, total = host.memory_used_bytes, host.memory_total_bytes
    memory = used / total if used is not None and total else None
    return [
        Run("cpu ", FAINT),
        Run(fit(percent(host.cpu), 4, right=True), MUTED),
        Run("  mem ", FAINT),
        Run(fit(percent(memory), 4, right=True) + " ", MUTED),
    ]


class Level(NamedTuple):
    """One way to draw a GPU on a host's line."""

    width: int
    gap: str
    runs: Callable[[GpuView], list[Run]]


def _index(gpu: GpuView) -> Run:
    """Its number; the sign of the gravest trouble behind it, where there is one."""
    found = _marks(gpu)
    if found:
        return Run(f"{gpu.index}{found[0].word[0]}", found[0].tone)
    return Run(f"{gpu.index} ", FAINT)


def _marks(gpu: GpuView, now: float = 0.0) -> list[Mark]:
    """What is wrong with a GPU. What tells it is imported when there may be something."""
    if not (gpu.lost or gpu.at is not None or gpu.xids or gpu.ecc or gpu.throttle or gpu.slowdown_c or gpu.processes):
        return []
    from quarterdeck.tui.gpus.scene import marks

    return marks(gpu, now)


def _told(found: Sequence[Mark], room: int) -> list[Run]:
    if not found:
        return []
    from quarterdeck.tui.gpus.scene import mark_runs

    return mark_runs(found, room)


def _percent(fraction: float | None, tone: str = PLAIN) -> Run:
    return Run(fit(percent(fraction), 5, right=True), tone if fraction else FAINT)


def _full(gpu: GpuView) -> list[Run]:
    return [
        *_barred(gpu),
        Run(fit(size(gpu.memory_used_bytes), 9, right=True), PLAIN),
        Run(" of " + fit(size(gpu.memory_total_bytes), 8), MUTED),
        *_watts(gpu),
        *_heat(gpu),
    ]


def _warm(gpu: GpuView) -> list[Run]:
    return [*_barred(gpu), Run(" mem", FAINT), _percent(gpu.memory_fraction), *_heat(gpu)]


def _barred(gpu: GpuView) -> list[Run]:
    return [_index(gpu), *bar(gpu.utilization, 8), _percent(gpu.utilization)]


def _short(gpu: GpuView) -> list[Run]:
    return [_index(gpu), *bar(gpu.utilization, 4), _percent(gpu.utilization)]


def _bare(gpu: GpuView) -> list[Run]:
    return [_index(gpu), _percent(gpu.utilization)]


def _tiny(gpu: GpuView) -> list[Run]:
    found = _marks(gpu)
    if found:
        return [Run(found[0].word[0], found[0].tone)]
    return [Run(spark((gpu.utilization,), 1, top=1.0) if gpu.utilization is not None else DASH, "bar-used")]


def _watts(gpu: GpuView) -> list[Run]:
    text = DASH if gpu.power_w is None else f"{gpu.power_w:.0f} W"
    return [Run(fit(text, 7, right=True), MUTED)]


def _heat(gpu: GpuView) -> list[Run]:
    text = DASH if gpu.temperature_c is None else f"{gpu.temperature_c:.0f}°C"
    hot = gpu.temperature_c is not None and gpu.temperature_c >= HOT_C
    return [Run(fit(text, 6, right=True), WARN if hot else MUTED)]


_LEVELS = (
    Level(49, "   ", _full),
    Level(30, "   ", _warm),
    Level(15, "  ", _barred),
    Level(11, "  ", _short),
    Level(7, "  ", _bare),
    Level(1, "", _tiny),
)


def _level(hosts: Sequence[HostView], room: int) -> Level:
    """The fullest way that fits the host with most GPUs, so that all hosts line up."""
    most = max(len(host.gpus) for host in hosts)
    for level in _LEVELS:
        if most * (level.width + len(level.gap)) - len(level.gap) <= room:
            return level
    return _LEVELS[-1]


# ---- one line a GPU -----------------------------------------------------------------------------------------------


def _roomy(hosts: Sequence[HostView], width: int, now: float) -> list[Line]:
    bars = min(28, max(6, (width - 74) // 3))
    names = min(28, max((cell_width(_gpu_name(gpu)) for host in hosts for gpu in host.gpus), default=0))
    stacks = _stacks(hosts, bars)
    rows = [
        (host, gpu, stacks.get((host.name, gpu.key)) or bar(gpu.memory_fraction, bars, "bar-memory"), _marks(gpu, now))
        for host in hosts
        for gpu in host.gpus
    ]
    # What is wrong comes first; and what is dropped for it is dropped on all lines, so that they line up.
    names, dropped = names if width >= bars * 2 + names + 62 else 0, 0
    while dropped < _NO_WATTS and any(
        width_of(_gpu_runs(gpu, memory, names, dropped)) + 2 + cell_width(found[0].word) > width
        for _, gpu, memory, found in rows
        if found
    ):
        dropped += 1
    lines = [Line((Run("   hosts and GPUs", MUTED),), "head")]
    for host in hosts:
        lines.append(_host_title(host, width, now))
        for owner, gpu, memory, found in rows:
            if owner is host:
                runs = _gpu_runs(gpu, memory, names, dropped)
                line = Line(cut([*runs, *_told(found, width - width_of(runs))], width))
                lines.append(_greyed(line) if is_old_gpu(gpu, host, now) else line)
    return lines


def _stacks(hosts: Sequence[HostView], bars: int) -> dict[tuple[str, str], tuple[Run, ...]]:
    """The memory's bars of GPUs whose processes are known."""
    told = [(host, gpu) for host in hosts for gpu in host.gpus if gpu.processes]
    if not told:
        return {}
    from quarterdeck.tui.gpus.bars import stack
    from quarterdeck.tui.gpus.scene import letters

    known = letters(hosts)
    return {(host.name, gpu.key): stack(gpu, bars, known) for host, gpu in told}


def _greyed(line: Line) -> Line:
    """Values that are old; what is wrong keeps its tone."""
    kept = (FAINT, BAD, WARN)
    return Line(tuple(run if run.tone in kept else Run(run.text, MUTED) for run in line.runs), line.ground)


def _host_title(host: HostView, width: int, now: float) -> Line:
    left = [Run("   " + printable(host.name, 40), STRONG)]
    if not host.gpus or host.reason:
        left.append(Run(f"  {why_no_gpu(host, now)}", MUTED))
    right: list[Run] = []
    if width >= 100 and any(value is not None for value in host.gpu_history):
        right += [Run(spark(host.gpu_history, 24, top=1.0), "bar-used"), Run("   ")]
    right += machine_runs(host)
    if width >= 100 and host.memory_used_bytes is not None and host.memory_total_bytes is not None:
        right.append(Run(fit(f"of {size(host.memory_total_bytes)} ", 12), FAINT))
    return Line(spread(cut(left, width), right, width))


_NO_LIMIT, _NO_NAME, _NO_TOTAL, _NO_WATTS = 1, 2, 3, 4
"""What a line of a GPU drops, one after the other, for the word of what is wrong."""


def _gpu_runs(gpu: GpuView, memory: tuple[Run, ...], names: int, dropped: int) -> list[Run]:
    runs = [Run(f"     {gpu.index}  ", FAINT)]
    if names and dropped < _NO_NAME:
        runs.append(Run(fit(_gpu_name(gpu), names) + "  ", MUTED))
    runs += [*bar(gpu.utilization, width_of(memory)), _percent(gpu.utilization), Run("   mem ", FAINT), *memory]
    runs.append(Run(fit(size(gpu.memory_used_bytes), 9, right=True)))
    if dropped < _NO_TOTAL:
        runs.append(Run(f" of {fit(size(gpu.memory_total_bytes), 8)}", MUTED))
    limit = f" of {gpu.power_limit_w:.0f} W" if dropped < _NO_LIMIT and gpu.power_limit_w is not None else ""
    watts = [*_watts(gpu), Run(limit, FAINT)] if dropped < _NO_WATTS else []
    return [*runs, *watts, *_heat(gpu)]


def _gpu_name(gpu: GpuView) -> str:
    return printable(gpu.name or "GPU", 40).removeprefix("NVIDIA ")
