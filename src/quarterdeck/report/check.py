"""One line with performance data, as Nagios, Icinga and people read it."""

from __future__ import annotations

from quarterdeck.model.fleet import FleetSnapshot
from quarterdeck.model.verdict import Verdict, is_well


def line(snapshot: FleetSnapshot, verdict: Verdict) -> str:
    """``QUARTERDECK OK - 8 of 8 endpoints well | up=8;;;0;8 …``. Values nobody knows are left out of the performance data."""
    text = verdict.summary.replace("|", "/").replace("\n", " ")
    return f"QUARTERDECK {verdict.level.name} - {text} | {_perfdata(snapshot)}"


def _perfdata(snapshot: FleetSnapshot) -> str:
    views = snapshot.endpoints
    fields = [f"up={sum(is_well(view) for view in views)};;;0;{len(views)}"]
    running = [view.running for view in views if view.running is not None]
    waiting = [view.waiting for view in views if view.waiting is not None]
    fullest = [view.kv_used for view in views if view.kv_used is not None]
    latencies = [view.latency_s for view in views if view.latency_s is not None]
    if running:
        fields.append(f"running={sum(running)}")
    if waiting:
        fields.append(f"waiting={sum(waiting)}")
    if fullest:
        fields.append(f"kv_max={max(fullest) * 100:.1f}%;;;0;100")
    if latencies:
        fields.append(f"latency_max={max(latencies):.4f}s")
    return " ".join(fields)
