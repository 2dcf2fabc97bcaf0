"""What there is to copy of things, what is wanted most first. Pure. No secret is among it: keys stand in the fleet file by reference only."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quarterdeck.format import DASH, age, count, percent, printable, rate, size
from quarterdeck.tui.copying.doing import Copyable

if TYPE_CHECKING:
    from quarterdeck.config.fleet import Auth, FleetConfig
    from quarterdeck.model.alerts.alert import Alert
    from quarterdeck.model.fleet import EndpointView
    from quarterdeck.model.gpu import GpuView
    from quarterdeck.model.happening import Happening
    from quarterdeck.model.host import HostView
    from quarterdeck.model.job import Job
    from quarterdeck.tui.acting.choices import Target

_USER = re.compile(r"(?<=://)[^/\s]*@")
_SECRET = re.compile(r"(?i)([?&;][^=&;#\s]*(?:key|token|secret|pass|sig|auth)[^=&;#\s]*=)[^&;#\s]+")
MASK = "…"
_KEY_VARIABLE = "API_KEY"


def masked(url: str) -> str:
    """A URL without what could be a credential: a user's name and password, values of keys and tokens."""
    return _SECRET.sub(rf"\g<1>{MASK}", _USER.sub(f"{MASK}@", printable(url, 2000)))


def iso(unix: float | None) -> str:
    """RFC 3339 in UTC, to the second; "–" where unknown."""
    if unix is None:
        return DASH
    try:
        return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return DASH


# ---- endpoints and models


def of_targets(targets: Sequence[Target], config: FleetConfig, now: float, unix: float) -> list[Copyable]:
    """Rows of the fleet or of the models: one, or all that are marked."""
    if len(targets) == 1:
        only = targets[0]
        if only.model is None:
            return of_endpoint(only.view, config, now, unix)
        return of_model(only.model.id, only.view, config, now, unix)
    views = list({each.view.name: each.view for each in targets}.values())
    found = [
        _lines("model ids", (each.model.id for each in targets if each.model is not None)),
        _lines("URLs", (masked(view.url) for view in views)),
        _lines("names", (view.name for view in views)),
        _lines("states, for a message", (state_line(view, now, unix) for view in views)),
    ]
    return [each for each in found if each.text]


def _lines(label: str, texts: Iterable[str]) -> Copyable:
    return Copyable(label, "\n".join(dict.fromkeys(texts)))


def of_endpoint(view: EndpointView, config: FleetConfig, now: float, unix: float) -> list[Copyable]:
    """Its URL, name, a request by hand, and how it is."""
    auth = next((spec.auth for spec in config.endpoints if spec.name == view.name), None)
    return [
        Copyable("the URL", masked(view.url)),
        Copyable("the name", view.name),
        Copyable("a curl line for its models", curl(view, auth), "GET …/models"),
        Copyable("its state, for a message", state_line(view, now, unix)),
    ]


def of_model(model: str, view: EndpointView, config: FleetConfig, now: float, unix: float) -> list[Copyable]:
    """Its id, as a request needs it; where it is; a request by hand."""
    auth = next((spec.auth for spec in config.endpoints if spec.name == view.name), None)
    return [
        Copyable("the model's id", model),
        Copyable("model and endpoint", f"{model}@{view.name}", "as `quarterdeck compare` takes it"),
        Copyable("the URL of its endpoint", masked(view.url)),
        Copyable("a curl line that asks it", curl(view, auth, model), "POST …/chat/completions"),
        Copyable("its endpoint's state", state_line(view, now, unix)),
    ]


def curl(view: EndpointView, auth: Auth | None, model: str | None = None) -> str:
    """A request to be pasted into a shell: the list of models, or a chat with one. A key is named, never written."""
    base = masked(view.url).rstrip("/")
    below = "" if _has_path(view.url) else "/v1"
    parts = ["curl", "-sS", shlex.quote(f"{base}{below}/{'models' if model is None else 'chat/completions'}")]
    if auth is not None:
        variable = auth.env if auth.env is not None and auth.env.isidentifier() else _KEY_VARIABLE
        scheme = f"{auth.scheme} " if auth.scheme else ""
        parts += ["-H", shlex.quote(f"{auth.header}: {scheme}") + f'"${variable}"']
    if model is not None:
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]}, ensure_ascii=False)
        parts += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(body)]
    return " ".join(parts)


def _has_path(url: str) -> bool:
    try:
        return bool(urlsplit(url).path.strip("/"))
    except ValueError:
        return False


def state_line(view: EndpointView, now: float, unix: float) -> str:
    """An endpoint in one line for a colleague: where, how, since when, why, the numbers, at what time."""
    since = "" if view.since is None else f" for {age(max(0.0, now - view.since))}"
    why = f": {printable(view.reason, 200)}" if view.reason else ""
    numbers = [
        f"{count(view.running)} running" if view.running is not None else "",
        f"{count(view.waiting)} waiting" if view.waiting is not None else "",
        f"{rate(view.generation_tps)} tok/s" if view.generation_tps is not None else "",
        f"KV {percent(view.kv_used)}" if view.kv_used is not None else "",
    ]
    told = ", ".join(part for part in numbers if part)
    state = view.state.value if view.state is not None else "not polled yet"
    where = f"{printable(view.name, 80)} ({masked(view.url)})"
    return f"{where} {state}{since}{why}{f'; {told}' if told else ''} at {iso(unix)}"


# ---- machines


def of_gpu(host: HostView, gpu: GpuView) -> list[Copyable]:
    """Its UUID, which CUDA_VISIBLE_DEVICES takes; where it is; how it is."""
    return [
        Copyable("the UUID", printable(gpu.uuid or "", 100)),
        Copyable("host and index", f"{host.name}/{gpu.index}"),
        Copyable("CUDA_VISIBLE_DEVICES", f"CUDA_VISIBLE_DEVICES={printable(gpu.uuid or str(gpu.index), 100)}"),
        Copyable("its state, for a message", gpu_line(host, gpu)),
    ]


def gpu_line(host: HostView, gpu: GpuView) -> str:
    """A GPU in one line."""
    degrees = DASH if gpu.temperature_c is None else f"{gpu.temperature_c:.0f} °C"
    told = [
        percent(gpu.utilization),
        f"{size(gpu.memory_used_bytes)} of {size(gpu.memory_total_bytes)}",
        f"{rate(gpu.power_w)} W",
        degrees,
        *(["LOST"] if gpu.lost else []),
        *(f"throttled: {printable(reason, 60)}" for reason in gpu.throttle or ()),
        *(f"Xid {xid.number}" for xid in gpu.xids[:1]),
    ]
    return f"{printable(host.name, 80)}/{gpu.index} {printable(gpu.name or 'GPU', 80)}: {', '.join(told)}"


# ---- what happens


def of_alert(alert: Alert, unix: float) -> list[Copyable]:
    """All of it, as a colleague needs it."""
    return [
        Copyable("the alert", alert_text(alert, unix)),
        Copyable("its first line", alert_text(alert, unix).splitlines()[0]),
        Copyable("its key", alert.key, "for `quarterdeck alerts ack`"),
    ]


def alert_text(alert: Alert, unix: float) -> str:
    """An alert in full, as plain lines."""
    over = f"cleared {iso(alert.cleared_at)}" if alert.cleared_at is not None else "open"
    ending = f" ({printable(alert.ending, 200)})" if alert.ending else ""
    lasted = (alert.cleared_at if alert.cleared_at is not None else unix) - alert.since
    seen = alert.acknowledged
    told = (
        ("since", f"{iso(alert.since)}, for {age(max(0.0, lasted))}; {over}{ending}"),
        ("cause", alert.cause),
        ("try", alert.advice),
        ("seen", "" if seen is None else f"by {seen.by} at {iso(seen.at)}{f': {seen.note}' if seen.note else ''}"),
        *(("evidence", line) for line in alert.evidence),
        ("rule", alert.rule),
    )
    lines = [f"{alert.severity.value.upper()} {printable(alert.subject, 100)}: {printable(alert.what, 400)}"]
    lines += [f"  {name}: {printable(text, 600)}" for name, text in told if text]
    return "\n".join(lines)


def of_happening(one: Happening) -> list[Copyable]:
    """A line of the time line."""
    text = f"{iso(one.at)} {one.topic.value} {printable(one.subject, 100)} {printable(one.word, 60)}"
    return [Copyable("the event", f"{text}: {printable(one.text, 600)}" if one.text else text)]


def of_job(job: Job) -> list[Copyable]:
    """The command that asks for the same; its id, how it went."""
    from quarterdeck.model.actions import BY_ID
    from quarterdeck.model.phrasing import command_line

    known = job.order.action in BY_ID
    how = f"{job.order.action.replace('_', '-')} {printable(job.order.about, 200)}: {job.state.value}"
    words = "; ".join(printable(line, 400) for line in job.words.splitlines() if line.strip())
    found = [Copyable("the command", command_line(job.order) if known else "")]
    found += [Copyable("how it went", f"{how}; {words}" if words else how), Copyable("the job's id", job.id)]
    return [each for each in found if each.text]
