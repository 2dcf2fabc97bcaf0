"""One GPU in full: every value with the reason where it is missing, its memory, its processes, its last hour. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from quarterdeck.format import DASH, age, percent, printable, size
from quarterdeck.model.gpu import GpuView
from quarterdeck.tui.cells import Moment
from quarterdeck.tui.detail.charts import Look
from quarterdeck.tui.gpus.charts import TALL, Plot, chart_lines, is_recorded, plot_of
from quarterdeck.tui.gpus.panel import bar_lines, legend_lines, panel_title, process_lines
from quarterdeck.tui.gpus.pieces import why_missing
from quarterdeck.tui.gpus.scene import Entry, Scene, is_hot, marks
from quarterdeck.tui.lines import (
    BAD,
    EMPTY_LINE,
    FAINT,
    MUTED,
    PLAIN,
    STRONG,
    TITLE,
    WARN,
    Line,
    Run,
    beside,
    cut,
    fit,
    wrap,
)

BESIDE_FROM = 110
LABEL = 18


class Value(NamedTuple):
    """One value as it reads; ``None`` where it is missing."""

    label: str
    text: str | None
    tone: str = PLAIN
    names: tuple[str, ...] = ()
    """What `GpuView.problems` calls it, where that isn't its label."""


class Page(NamedTuple):
    """The page as lines, where its charts begin, and how they are drawn; ``None`` where there is nothing to draw."""

    lines: list[Line]
    charts: int
    plot: Plot | None


def gpu_page(entry: Entry, scene: Scene, look: Look, width: int) -> Page:
    """The page; its charts stand beside the values where there is room."""
    moment = scene.moment
    column = width // 2 if width >= BESIDE_FROM else width
    head = [panel_title(entry, moment, width), *bar_lines(entry, scene.letters, width)]
    head += legend_lines(entry, scene)
    head += [*_heading("Processes"), *process_lines(entry, moment, width)]
    facts = [*_trouble(entry, moment, column), *_values(entry, column), *_more(entry, moment, column)]
    beside_facts = width > column
    plot = plot_of(entry, moment, look, width - column, TALL) if beside_facts else plot_of(entry, moment, look, width)
    charts = chart_lines(entry, plot)
    body = beside(facts, charts, column) if beside_facts else [*facts, *charts]
    lines = [Line(cut(line.runs, width), line.ground) for line in (*head, *body)]
    return Page(lines, len(head) + (0 if beside_facts else len(facts)), plot if is_recorded(entry) and charts else None)


def _heading(text: str) -> list[Line]:
    return [EMPTY_LINE, Line((Run(f" {text}", TITLE),))]


def _trouble(entry: Entry, moment: Moment, width: int) -> list[Line]:
    found = marks(entry.gpu, moment.now)
    if not found:
        return []
    lines = _heading("Trouble")
    for mark in found:
        parts = wrap(mark.text, max(8, width - LABEL - 3))
        labels = [Run(" " + fit(mark.word, LABEL), mark.tone), *[Run(" " * (LABEL + 1))] * len(parts)]
        lines += [Line((label, Run(part, PLAIN))) for label, part in zip(labels, parts, strict=False)]
    return lines


def _values(entry: Entry, width: int) -> list[Line]:
    gpu = entry.gpu
    lines: list[Line] = []
    for title, values in _sections(entry):
        lines += _heading(title)
        for value in values:
            why = why_missing(gpu, *(value.names or (value.label,))) if value.text is None else ""
            lines += _value_lines(value, why, width)
    if gpu.problems:
        lines += _heading("What can't be read, and why")
        parts = [part for text in gpu.problems for part in wrap(printable(text, 400), max(8, width - 2))]
        lines += [Line((Run(f" {part}", MUTED),)) for part in parts]
    return lines


def _value_lines(value: Value, why: str, width: int) -> list[Line]:
    text = value.text if value.text is not None else DASH
    parts = wrap(f"{text}  {why}" if why else text, max(8, width - LABEL - 3)) or [text]
    tone = value.tone if value.text is not None else FAINT
    lines = [Line((Run(" " + fit(value.label, LABEL), FAINT), Run(parts[0], tone)))]
    return lines + [Line((Run(" " * (LABEL + 1) + part, tone),)) for part in parts[1:]]


def _sections(entry: Entry) -> list[tuple[str, list[Value]]]:
    host, gpu = entry
    identity = [
        Value("name", gpu.name),
        Value("UUID", gpu.uuid),
        Value("machine", f"{printable(host.name, 60)}, read by {printable(host.source, 120)}"),
        Value("driver", _joined(" · ", host.driver, host.cuda and f"CUDA {host.cuda}")),
    ]
    if gpu.unified:
        identity.append(Value("memory", "shared with the machine"))
    return [
        ("GPU", identity),
        ("Load", _load(gpu)),
        ("Power and heat", _power(gpu)),
        ("Health", _health(gpu)),
        ("Links", _links(gpu)),
    ]


def _load(gpu: GpuView) -> list[Value]:
    return [
        Value("utilisation", _percent(gpu.utilization), names=("utilization",)),
        Value("memory controller", _percent(gpu.memory_utilization), names=("memory utilization", "utilization")),
        Value("memory", _of(gpu.memory_used_bytes, gpu.memory_total_bytes, size), names=("memory", "memory used")),
        Value(
            "reserved", _text(gpu.memory_reserved_bytes, size), names=("reserved memory", "memory reserved", "memory")
        ),
        Value("encoder", _percent(gpu.encoder)),
        Value("decoder", _percent(gpu.decoder)),
    ]


def _power(gpu: GpuView) -> list[Value]:
    held = None if gpu.throttle is None else ", ".join(gpu.throttle) or "no"
    return [
        Value("power", _of(gpu.power_w, gpu.power_limit_w, lambda watts: f"{watts:.0f} W")),
        Value(
            "temperature",
            _of(gpu.temperature_c, gpu.slowdown_c, _celsius, ", slows down at "),
            WARN if is_hot(gpu) else PLAIN,
        ),
        Value("memory temp.", _text(gpu.memory_temperature_c, _celsius), names=("memory temperature",)),
        Value("fan", _percent(gpu.fan)),
        Value("SM clock", _of(gpu.sm_mhz, gpu.sm_max_mhz, _megahertz)),
        Value("memory clock", _of(gpu.memory_mhz, gpu.memory_max_mhz, _megahertz)),
        Value(
            "P-state",
            _text(gpu.performance_state, lambda state: f"P{state:.0f}"),
            names=("performance state", "P-state"),
        ),
        Value(
            "clocks held back",
            held,
            PLAIN if not gpu.throttle else WARN,
            names=("throttle reasons", "clock event reasons"),
        ),
    ]


def _health(gpu: GpuView) -> list[Value]:
    ecc = gpu.ecc
    corrected = None if ecc is None else _text(ecc.corrected, _whole)
    uncorrected = None if ecc is None else _text(ecc.uncorrected, _whole)
    remapped = None if ecc is None else _text(ecc.remapped_rows, _whole)
    if remapped is not None and ecc is not None:
        remapped += " · a reset is needed" if ecc.remap_pending else " · FAILED" if ecc.remap_failed else ""
    return [
        Value("ECC corrected", corrected, names=("corrected errors", "uncorrected errors")),
        Value(
            "ECC uncorrected",
            uncorrected,
            BAD if ecc and ecc.uncorrected else PLAIN,
            names=("corrected errors", "uncorrected errors"),
        ),
        Value(
            "rows remapped",
            remapped,
            BAD if ecc and (ecc.remap_failed or ecc.remap_pending) else PLAIN,
            names=("remapped rows",),
        ),
    ]


def _links(gpu: GpuView) -> list[Value]:
    link = gpu.pcie
    values = []
    if link is not None:
        lanes = _joined(" ", link.generation and f"gen {link.generation}", link.width and f"x{link.width}")
        most = _joined(
            " ", link.generation_max and f"gen {link.generation_max}", link.width_max and f"x{link.width_max}"
        )
        narrow = link.width is not None and link.width_max is not None and link.width < link.width_max
        values.append(Value("PCIe", _joined(" of ", lanes, most), WARN if narrow else PLAIN))
        values.append(Value("PCIe sent", _text(link.sent_bytes_ps, _per_second)))
        values.append(Value("PCIe received", _text(link.received_bytes_ps, _per_second)))
    else:
        values.append(Value("PCIe", None, names=("PCIe", "PCIe generation")))
    if gpu.nvlinks is None:
        values.append(Value("NVLink", None))
    elif gpu.nvlinks:
        active = sum(1 for each in gpu.nvlinks if each.active)
        errors = [each.errors for each in gpu.nvlinks if each.errors is not None]
        told = f"{active} of {len(gpu.nvlinks)} active" + (f", {sum(errors)} errors" if errors else "")
        values.append(Value("NVLink", told, WARN if active < len(gpu.nvlinks) or any(errors) else PLAIN))
    return values


def _more(entry: Entry, moment: Moment, width: int) -> list[Line]:
    gpu = entry.gpu
    lines: list[Line] = []
    if gpu.mig:
        lines += _heading("MIG instances")
        for each in gpu.mig:
            used = _of(each.memory_used_bytes, each.memory_total_bytes, size) or DASH
            name = printable(each.name or f"instance {each.number}", 24)
            lines.append(Line((Run(f" {each.number:>2} ", FAINT), Run(fit(name, LABEL - 4), PLAIN), Run(used, STRONG))))
    if gpu.xids:
        lines += _heading("Driver events (XID)")
        for xid in gpu.xids:
            when = "" if xid.at is None else f"{age(moment.now - xid.at)} ago"
            lines.append(
                Line((Run(f" {xid.number:>4} ", BAD), Run(fit(when, 9), MUTED), Run(printable(xid.words, 200), PLAIN)))
            )
    for note in entry.host.notes:
        lines += [EMPTY_LINE] if note is entry.host.notes[0] else []
        lines += [Line((Run(f" {part}", MUTED),)) for part in wrap(f"· {printable(note, 400)}", max(8, width - 2))]
    return lines


# ---- words


def _text(value: float | None, words: Callable[[float], str]) -> str | None:
    return None if value is None else words(value)


def _of(value: float | None, limit: float | None, words: Callable[[float], str], between: str = " of ") -> str | None:
    if value is None:
        return None
    return words(value) if limit is None else f"{words(value)}{between}{words(limit)}"


def _joined(between: str, *texts: object) -> str | None:
    return between.join(printable(str(text), 120) for text in texts if text) or None


def _percent(fraction: float | None) -> str | None:
    return None if fraction is None else percent(fraction)


def _celsius(value: float) -> str:
    return f"{value:.0f} °C"


def _megahertz(value: float) -> str:
    return f"{value:.0f} MHz"


def _whole(value: float) -> str:
    return f"{value:.0f}"


def _per_second(value: float) -> str:
    return f"{size(value)}/s"
