"""The likely cause of an alert, from what else is known of its endpoint, GPU and machine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from quarterdeck.format import duration, percent, printable, size
from quarterdeck.model.alerts.hearing import Heard, gpu_subjects
from quarterdeck.model.alerts.of_endpoints import failures
from quarterdeck.model.alerts.of_machines import XID_FOR_S, grave_throttling
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView

_LONGEST = 200


def cause(heard: Heard, snapshot: FleetSnapshot) -> str:
    """Why, most likely; "" where nothing speaks for anything."""
    row = heard.row
    if isinstance(row, EndpointView):
        found = _CAUSES.get(heard.check.measure.id)
        hardware = _hardware(row, snapshot) if heard.check.measure.id in _BY_HARDWARE else ""
        return printable(hardware or (found(row, snapshot.at) if found else ""), _LONGEST)
    if isinstance(row, GpuView):
        told = _GPU_CAUSES.get(heard.check.measure.id)
        return printable(told(row) if told else "", _LONGEST)
    return _DISK_CAUSE if heard.check.measure.id == "disk" else ""


_STOOD = (State.STALLED.value, State.DOWN.value, State.LOADING.value)
_LATELY_S = 180.0
_BY_HARDWARE = ("down", "stalled", "waiting", "ttft_p95", "itl_p95", "errors")
_DISK_CAUSE = "models that are no longer used take the room; a download needs it twice for a moment"


def _hardware(view: EndpointView, snapshot: FleetSnapshot) -> str:
    """What is wrong with a GPU that the endpoint works on; where nobody tells which those are, with one of its machine."""
    host = next((host for host in snapshot.hosts if host.name == view.host), None)
    if host is None:
        return ""
    own = {id(gpu) for gpu in host.gpus if any(process.endpoint == view.name for process in gpu.processes or ())}
    for subject, gpu in gpu_subjects(host):
        if own and id(gpu) not in own and not gpu.lost:
            continue
        if gpu.lost:
            return f"GPU {subject} is lost; what runs on it fails"
        fresh = [xid for xid in gpu.xids if xid.at is not None and snapshot.at - xid.at < XID_FOR_S]
        if fresh:
            return f"GPU {subject} had Xid {fresh[0].number}" + (f" ({fresh[0].words})" if fresh[0].words else "")
        if grave_throttling(gpu):
            return f"GPU {subject} is held back: {', '.join(grave_throttling(gpu))}"
    return ""


def _down_cause(view: EndpointView, now: float) -> str:
    reason = view.reason.lower()
    for word, text in _DOWN_CAUSES:
        if word in reason:
            return text
    return ""


_DOWN_CAUSES = (
    ("refused", "nothing listens on its port: the server has ended, or still loads its model"),
    ("no answer", "the server or its machine is frozen, or the line is cut"),
    ("engine is dead", "its engine process has ended; the web server in front of it still runs"),
    ("certificate expired", "its TLS certificate has expired"),
    ("tls", "TLS fails: the certificate, the authority or the names don't fit"),
    ("name", "its host name can't be found: DNS, or a typing mistake in the url"),
    ("closed", "the server ends connections: it is being stopped, or something else listens there"),
    ("reset", "the server ends connections: it is being stopped, or something else listens there"),
    ("http 5", "the server itself fails, or the gateway in front of it can't reach it"),
)


def _queue_cause(view: EndpointView, now: float) -> str:
    if view.odd:
        return f"the load is uneven: {view.odd[0]}"
    if view.kv_used is not None and view.kv_used >= 0.9:
        return f"its KV cache is {percent(view.kv_used)} full: requests wait for room in it"
    if view.running:
        return f"more requests come than it can serve at once ({view.running} run)"
    return "more requests come than it can serve"


def _kv_cause(view: EndpointView, now: float) -> str:
    if view.odd:
        return f"the load is uneven: {view.odd[0]}"
    if view.running:
        return f"{view.running} requests with long contexts share it"
    return "long contexts share it"


def _slow_cause(view: EndpointView, now: float) -> str:
    stood = [event for event in view.events if event.word in _STOOD and 0 <= now - event.at <= _LATELY_S]
    if stood and (view.state is None or view.state.value != stood[-1].word):
        return f"it was {stood[-1].word} {duration(now - stood[-1].at)} ago; requests waited meanwhile"
    if view.waiting:
        return f"requests wait before they begin ({view.waiting} waiting)"
    if view.prompt_tps and view.generation_tps is not None and view.prompt_tps > 20 * view.generation_tps:
        return "long prompts are being read"
    if view.running:
        return f"{view.running} requests share the GPUs"
    return ""


def _errors_cause(view: EndpointView, now: float) -> str:
    failed, every = failures(view)
    reasons = [reason for reason, rate in view.finished_ps or () if rate and reason not in ("stop", "length", "abort")]
    named = f" (ended by: {', '.join(reasons[:4])})" if reasons else ""
    return f"{failed:.2g} of {every:.2g} requests a second fail{named}"


_CAUSES: Mapping[str, Callable[[EndpointView, float], str]] = {
    "down": _down_cause,
    "auth": lambda view, now: "the key was changed, has expired, or was never set",
    "stalled": lambda view, now: (
        "its engine hangs: a GPU that stopped, a collective operation that waits for a rank, or a deadlock"
    ),
    "waiting": _queue_cause,
    "kv": _kv_cause,
    "ttft_p95": _slow_cause,
    "itl_p95": _slow_cause,
    "preemptions": lambda view, now: "the KV cache is too small for the requests that run; those that lose begin again",
    "errors": _errors_cause,
    "spill": lambda view, now: "the model, or its context, does not fit into the free memory of the GPU",
    "certificate": lambda view, now: "nobody has renewed it yet",
}


def _lost_cause(gpu: GpuView) -> str:
    if gpu.xids:
        return f"Xid {gpu.xids[0].number}" + (f": {gpu.xids[0].words}" if gpu.xids[0].words else "")
    return "the driver lost it: power, the PCIe link or the card itself"


def _heat_cause(gpu: GpuView) -> str:
    hot = f" ({gpu.temperature_c:.0f} °C)" if gpu.temperature_c is not None else ""
    fan = f"; its fan runs at {percent(gpu.fan)}" if gpu.fan is not None else ""
    return f"too little cooling or power for its load{hot}{fan}"


def _largest(gpu: GpuView) -> str:
    held = [process for process in gpu.processes or () if process.memory_bytes]
    if not held:
        return ""
    most = max(held, key=lambda process: process.memory_bytes or 0)
    whose = most.endpoint or most.name or f"process {most.pid}"
    return f"{whose} holds {size(most.memory_bytes)} of it, of {len(held)} process{'es' if len(held) > 1 else ''}"


_GPU_CAUSES: Mapping[str, Callable[[GpuView], str]] = {
    "gpu_lost": _lost_cause,
    "xid": lambda gpu: "the card, its memory, its links or the driver",
    "xid_program": lambda gpu: "a program that used it failed or was killed",
    "throttled": _heat_cause,
    "temperature": _heat_cause,
    "vram": _largest,
    "orphaned": lambda gpu: "a model server ended without its workers, and they still hold the memory",
}
