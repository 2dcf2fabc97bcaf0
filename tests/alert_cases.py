"""Every built-in rule of alerts: what is well, what is trouble, and what the alert says; and a fleet to play it on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fakes import GIB, endpoint_view, gpu, model
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.alerts.builtin import builtin
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.watch import Change, step
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder, Xid
from quarterdeck.model.host import HostView
from quarterdeck.model.reading import AccessLog

START, UNIX = 10_000.0, 1_795_370_400.0


def host_with(now: float, *gpus: GpuView, **known: Any) -> HostView:
    usual: dict[str, Any] = {"source": "nvml", "at": now - 0.5, "gpus": gpus}
    return HostView("gpu-1", **(usual | known))


class Case(NamedTuple):
    """What is well, what is trouble (each a function of now), and what the alert says."""

    rule: str
    well: Callable[[float], EndpointView | HostView]
    bad: Callable[[float], EndpointView | HostView]
    subject: str
    severity: Severity
    says: str
    ends: str
    name: str = ""


def of_endpoint(**known: Any) -> Callable[[float], EndpointView]:
    return lambda now: endpoint_view("vllm-a", now=now, host="gpu-1", **known)


def of_gpu(**known: Any) -> Callable[[float], HostView]:
    return lambda now: host_with(now, gpu(0, **known))


def xid_heard(number: int) -> Callable[[float], HostView]:
    return lambda now: host_with(now, gpu(0, xids=(Xid(number, START - 3, "words of it"),)))


def unread(now: float) -> HostView:
    return HostView("gpu-1", "http://gpu-1:9400/metrics", at=START - 60, reason="connection refused")


WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
ORPHAN = GpuProcess(4711, 3 * GIB, "VLLM::EngineCore", holder=Holder.ORPHAN, orphaned=True)
MODEL_8B = model("gemma3:27b", size_bytes=20 * GIB, vram_bytes=20 * GIB)
SPILT = model("gemma3:27b", size_bytes=20 * GIB, vram_bytes=15 * GIB)
LOG = AccessLog(60.0, (("2xx", 40), ("5xx", 20)))
DAY = 86_400.0
CASES = (
    Case("down", of_endpoint(), of_endpoint(state=State.DOWN, reason="connection refused"), "vllm-a", CRITICAL, "DOWN: connection refused", "OK"),
    Case("auth", of_endpoint(), of_endpoint(state=State.AUTH, reason="401"), "vllm-a", WARNING, "AUTH: 401", "OK"),
    Case("stalled", of_endpoint(), of_endpoint(state=State.STALLED, reason="no token for 9 s"), "vllm-a", CRITICAL, "STALLED: no token for 9 s", "OK"),
    Case("queue", of_endpoint(waiting=10), of_endpoint(waiting=21), "vllm-a", WARNING, "21 requests waiting", "10 requests waiting"),
    Case("kv", of_endpoint(kv_used=0.85), of_endpoint(kv_used=0.91), "vllm-a", WARNING, "KV cache 91% full", "KV cache 85% full"),
    Case("ttft", of_endpoint(ttft_p95_s=3.0), of_endpoint(ttft_p95_s=5.1), "vllm-a", WARNING, "TTFT p95 5.1 s", "TTFT p95 3.0 s"),
    Case("preemptions", of_endpoint(preemptions_ps=0.0), of_endpoint(preemptions_ps=0.3), "vllm-a", WARNING, "0.3 requests a second lose", "0.0 requests a second"),
    Case("errors", of_endpoint(finished_ps=(("stop", 9.0), ("abort", 5.0))), of_endpoint(finished_ps=(("stop", 9.0), ("error", 1.0))), "vllm-a", WARNING, "10% of the requests fail", "0% of the requests fail"),
    Case("errors", of_endpoint(finished_ps=(("200", 9.0), ("404", 5.0))), of_endpoint(finished_ps=(("200", 3.0), ("502", 1.0))), "vllm-a", WARNING, "25% of the requests fail", "0% of", "by status"),
    Case("errors", of_endpoint(access_log=AccessLog(40.0, (("2xx", 40),))), of_endpoint(access_log=LOG), "vllm-a", WARNING, "33% of the requests fail", "0% of", "by log"),
    Case("spill", of_endpoint(models=(MODEL_8B,)), of_endpoint(models=(SPILT, MODEL_8B)), "vllm-a", WARNING, "25% of gemma3:27b (5.0 GiB) lies in system memory", "every model"),
    Case("certificate", of_endpoint(certificate_ends=UNIX + 16 * DAY), of_endpoint(certificate_ends=UNIX + 3.5 * DAY), "vllm-a", WARNING, "its certificate expires in 3 days", "in 15 days"),
    Case("certificate", of_endpoint(certificate_ends=UNIX + 90 * DAY), of_endpoint(certificate_ends=UNIX - 60), "vllm-a", WARNING, "its certificate has expired", "in 89 days", "past"),
    Case("gpu-lost", of_gpu(), of_gpu(lost=True, problems=("GPU is lost",)), "gpu-1/0", CRITICAL, "the GPU does not answer: GPU is lost", "answers"),
    Case("xid", of_gpu(), xid_heard(79), "gpu-1/0", CRITICAL, "Xid 79: words of it", "no Xid"),
    Case("xid", of_gpu(), of_gpu(xids=(Xid(48, None, "double-bit memory error"),)), "gpu-1/0", CRITICAL, "Xid 48: double-bit memory error", "no Xid", "without a time"),
    Case("xid-program", of_gpu(), xid_heard(31), "gpu-1/0", WARNING, "Xid 31: words of it", "no Xid"),
    Case("throttled", of_gpu(throttle=("power cap",)), of_gpu(throttle=("power cap", "hardware thermal slowdown")), "gpu-1/0", WARNING, "its clocks are held back: hardware thermal slowdown", "free"),
    Case("hot", of_gpu(temperature_c=83.0), of_gpu(temperature_c=88.0), "gpu-1/0", WARNING, "88 °C", "83 °C"),
    Case("vram", of_gpu(used=76), of_gpu(used=79), "gpu-1/0", WARNING, "its memory is 99% full, 1.0 GiB free", "95% full"),
    Case("orphans", of_gpu(processes=()), of_gpu(processes=(ORPHAN,)), "gpu-1/0", WARNING, "3.0 GiB held by worker 4711 whose server is gone", "no orphan"),
    Case("disk", lambda now: host_with(now, disk_used_bytes=93, disk_total_bytes=100), lambda now: host_with(now, disk_used_bytes=96 * GIB, disk_total_bytes=100 * GIB), "gpu-1", WARNING, "the disk of its models is 96% full, 4.0 GiB free", "93% full"),
    Case("host", host_with, unread, "gpu-1", WARNING, "the machine can't be read: connection refused", "is read"),
)  # fmt: skip


class Told(NamedTuple):
    at: float
    """Seconds after the trouble began (or ended)."""
    change: Change


class Fleet:
    """One row that changes, and what is told of it."""

    def __init__(self) -> None:
        self.now = START - 10
        self.memory = NOTHING
        self.rules = builtin()
        self.alerts: tuple[Alert, ...] = ()

    def run(self, row: Callable[[float], EndpointView | HostView], seconds: float) -> list[Told]:
        """Poll it each second for so long."""
        began, found = self.now, []
        while self.now < began + seconds:
            self.now += 1
            made = row(self.now)
            views = (made,) if isinstance(made, EndpointView) else ()
            hosts = (made,) if isinstance(made, HostView) else ()
            snapshot = FleetSnapshot(self.now, UNIX + self.now - START, views, hosts)
            self.memory, self.alerts, changes = step(self.memory, snapshot, self.rules)
            found += [Told(self.now - began, change) for change in changes]
        return found
