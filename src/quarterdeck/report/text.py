"""The snapshot as plain text for a terminal or a mail: one table of endpoints, one line per GPU."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from quarterdeck.format import DASH, age, count, duration, percent, printable, rate, size
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder
from quarterdeck.model.host import HostView
from quarterdeck.model.models import ModelState
from quarterdeck.model.verdict import Verdict

_HEAD = ("STATE", "ENDPOINT", "ENGINE", "RUN", "WAIT", "TOK/S", "TTFT", "KV", "VRAM", "AGE", "MODELS", "REASON")
"""TTFT: p95 of the last minute."""
_RIGHT = frozenset(range(3, 10))
_MODELS_SHOWN = 2
OLD_S = 10.0
"""A host's values are dated from this age on."""


def render(snapshot: FleetSnapshot, verdict: Verdict) -> str:
    """The whole report, ending in a newline."""
    clock = datetime.fromtimestamp(snapshot.time).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    lines = [f"{verdict.level.word.upper()}: {verdict.summary}  ({clock})", ""]
    if snapshot.endpoints:
        lines += table(_HEAD, [_row(snapshot, view) for view in snapshot.endpoints], _RIGHT)
    for host in snapshot.hosts:
        lines += ["", *_host_lines(snapshot, host)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    """Columns as wide as their widest cell, two spaces apart; ``right``: indices of right-aligned columns."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    ]


def _row(snapshot: FleetSnapshot, view: EndpointView) -> tuple[str, ...]:
    return (
        view.state.value if view.state else "…",
        view.name,
        " ".join(part for part in (view.engine, view.version) if part) or DASH,
        _estimated(view, "running", count(view.running)),
        _estimated(view, "waiting", count(view.waiting)),
        _estimated(view, "generation_tps", rate(view.generation_tps)),
        duration(view.ttft_p95_s),
        percent(view.kv_used),
        size(view.vram_bytes),
        age(snapshot.at - view.answered) if view.answered is not None else DASH,
        models(view),
        view.reason or "; ".join(f"odd: {words}" for words in view.odd),
    )


def _estimated(view: EndpointView, field: str, text: str) -> str:
    """``text``, with "~" before what is a bound or an estimate."""
    return f"~{text}" if field in view.estimates and text != DASH else text


def models(view: EndpointView) -> str:
    """The models in memory (or served), a few by name and the number of the rest."""
    shown = [model.label for model in view.models if model.state is not ModelState.INSTALLED]
    named = ", ".join(shown[:_MODELS_SHOWN])
    more = f"+{len(shown) - _MODELS_SHOWN} more" if len(shown) > _MODELS_SHOWN else ""
    on_disk = f"({len(view.models) - len(shown)} on disk)" if len(view.models) > len(shown) else ""
    return " ".join(part for part in (named, more, on_disk) if part) or DASH


def _host_lines(snapshot: FleetSnapshot, host: HostView) -> list[str]:
    old = snapshot.at - host.at if host.at is not None else 0.0
    memory = f"{size(host.memory_used_bytes)} of {size(host.memory_total_bytes)}"
    lines = [
        f"{host.name} ({host.source}): CPU {percent(host.cpu)}, memory {memory}"
        + (f"; {host.reason}" if host.reason else "")
        + (f" (values {age(old)} old)" if host.gpus and old > OLD_S else "")
    ]
    for gpu in host.gpus:
        power = f"{rate(gpu.power_w)} W of {rate(gpu.power_limit_w)} W"
        vram = f"{size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}"
        temperature = DASH if gpu.temperature_c is None else f"{gpu.temperature_c:.0f} °C"
        lines.append(
            f"  GPU {gpu.index} {gpu.name or DASH}: {percent(gpu.utilization)}, {vram}, {power}, {temperature}"
            + "".join(f"; {word}" for word in _alarms(gpu))
        )
        lines += [_orphan(process) for process in gpu.processes or () if process.holder is Holder.ORPHAN]
    return lines


def _alarms(gpu: GpuView) -> list[str]:
    """What nobody should miss about a card."""
    lost = ["LOST, values are the last ones"] if gpu.lost else []
    held = [f"throttled: {', '.join(gpu.throttle)}"] if gpu.throttle else []
    return [*lost, *held, *(f"Xid {xid.number} {xid.words}".rstrip() for xid in gpu.xids[:1])]


def _orphan(process: GpuProcess) -> str:
    return f"    ORPHAN {printable(process.name or DASH, 60)} (pid {process.pid}) holds {size(process.memory_bytes)}"
