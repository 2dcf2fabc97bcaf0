"""The first thing to try about an alert. Advice names only commands and keys that this program has. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from quarterdeck.format import printable
from quarterdeck.model.advice import ADVICE
from quarterdeck.model.alerts.hearing import Heard
from quarterdeck.model.fleet import EndpointView, State
from quarterdeck.model.gpu import GpuView, Holder
from quarterdeck.model.holdings import LOCAL_SOURCES
from quarterdeck.model.host import HostView

_SLOW = "`quarterdeck probe {name}` (t in the console) times a request of ours; Enter on its row shows the parts."
_COOL = "Look at its fans, the air and the power supply; 2 in the console shows its clocks."
_ADVICE: Mapping[str, str] = {
    "down": "Read its log (l in the console); `quarterdeck start` starts its [[deployment]], where it has one. "
    + ADVICE[State.DOWN],
    "auth": ADVICE[State.AUTH],
    "stalled": "`quarterdeck probe {name}` sends it one small request; a hung engine needs `quarterdeck restart`.",
    "waiting": "Send requests elsewhere, or start another replica: `quarterdeck start`, or n in the console.",
    "kv": "Allow fewer requests at once or shorter contexts, or start another replica (n in the console).",
    "ttft_p95": _SLOW,
    "itl_p95": _SLOW,
    "preemptions": "vLLM: a lower --max-num-seqs, or a higher --gpu-memory-utilization; or a replica (n in the console).",
    "errors": "Its log has the reason: l in the console.",
    "spill": "`quarterdeck unload MODEL --on {name}` frees memory; "
    "`quarterdeck load MODEL --on {name} --context 8192` takes less of it.",
    "certificate": "Renew it on the server, or on the proxy in front of it.",
    "gpu_lost": "`dmesg` on its machine has the driver's words; a reset or a reboot brings it back.",
    "xid": "`dmesg` on its machine has more; 2 in the console shows the GPU and who uses it.",
    "xid_program": "Read the log of the server that uses it (l in the console).",
    "throttled": _COOL,
    "temperature": _COOL,
    "vram": "2 in the console shows who holds it; `quarterdeck unload` takes a model out.",
    "disk": "`quarterdeck rm MODEL --on ENDPOINT` (D in the console) deletes a model that nobody needs.",
    "unreadable": "`quarterdeck doctor` says what it can't reach, and why.",
}


def advice(heard: Heard) -> str:
    """The first thing to try."""
    row, measure = heard.row, heard.check.measure.id
    if isinstance(row, GpuView) and measure == "orphaned":
        return _orphan_advice(row, heard.host)
    name = shlex.quote(printable(row.name, 60)) if isinstance(row, EndpointView) else ""
    return _ADVICE.get(measure, "Enter on its row shows all that is known of it.").replace("{name}", name)


def _orphan_advice(gpu: GpuView, host: HostView | None) -> str:
    pids = " ".join(str(process.pid) for process in gpu.processes or () if process.holder is Holder.ORPHAN)
    if host is not None and host.source in LOCAL_SOURCES:
        return "End them: x on the GPUs' page (2) of the console."
    return f"On its machine: kill {pids}"
