"""One line with performance data, as Nagios, Icinga and people read it."""

from __future__ import annotations

from quarterdeck.format import age, printable
from quarterdeck.model.advice import ADVICE
from quarterdeck.model.fleet import FleetSnapshot, is_well
from quarterdeck.model.verdict import Verdict, level_of


def line(snapshot: FleetSnapshot, verdict: Verdict) -> str:
    """``QUARTERDECK OK - 8 of 8 endpoints well | up=8;;;0;8 …``. Values nobody knows are left out of the performance data."""
    text = verdict.summary.replace("|", "/").replace("\n", " ")
    return f"QUARTERDECK {verdict.level.name} - {text} | {_perfdata(snapshot)}"


def verbose(snapshot: FleetSnapshot, verdict: Verdict) -> str:
    """A line for each finding: how grave, what, since when, and what to try."""
    views = {view.name: view for view in snapshot.endpoints}
    lines = []
    for found in verdict.findings:
        view = views.get(found.subject)
        since = f" (for {age(snapshot.at - view.since)})" if view is not None and view.since is not None else ""
        text = f"{found.level.name} {found.subject} {found.text}{since}".replace("|", "/").replace("\n", " ")
        advice = ADVICE.get(view.state) if view is not None and view.state is not None else None
        lines.append(printable(f"{text}. {advice}" if advice and level_of(view.state if view else None) else text, 600))
    return "".join(f"{line}\n" for line in lines)


def document(snapshot: FleetSnapshot, verdict: Verdict) -> dict[str, object]:
    """For JSON: the level, the line, the findings with since when and what to try, and the performance data as numbers."""
    views = {view.name: view for view in snapshot.endpoints}
    findings = []
    for found in verdict.findings:
        view = views.get(found.subject)
        since = view.since if view is not None else None
        advice = ADVICE.get(view.state) if view is not None and view.state is not None else None
        findings.append(
            {
                "level": found.level.word,
                "subject": found.subject,
                "text": found.text,
                "for_s": None if since is None else round(max(0.0, snapshot.at - since), 3),
                "try": advice,
            }
        )
    return {
        "level": verdict.level.word,
        "summary": verdict.summary,
        "findings": findings,
        "endpoints": len(snapshot.endpoints),
        "well": sum(is_well(view) for view in snapshot.endpoints),
    }


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
    ttfts = [view.ttft_p95_s for view in views if view.ttft_p95_s is not None]
    if ttfts:
        fields.append(f"ttft_p95_max={max(ttfts):.4f}s")
    fields += _of_gpus(snapshot)
    return " ".join(fields)


def _of_gpus(snapshot: FleetSnapshot) -> list[str]:
    gpus = [gpu for host in snapshot.hosts for gpu in host.gpus]
    free = [
        gpu.memory_total_bytes - gpu.memory_used_bytes
        for gpu in gpus
        if gpu.memory_total_bytes is not None and gpu.memory_used_bytes is not None
    ]
    heat = [gpu.temperature_c for gpu in gpus if gpu.temperature_c is not None]
    fields = [f"vram_free_min={min(free)}B"] if free else []
    return [*fields, f"gpu_temp_max={max(heat):.0f}"] if heat else fields
