"""Each built-in rule: what raises it, when, what it says, and what clears it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fakes import GIB, endpoint_view, gpu, model
from quarterdeck.format import duration
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.alerts.builtin import IDS, builtin
from quarterdeck.model.alerts.measure import Moment, Unit
from quarterdeck.model.alerts.measures import MEASURES
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.alerts.watch import Change, step
from quarterdeck.model.alerts.words import in_unit
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuProcess, GpuView, Holder, Xid
from quarterdeck.model.host import HostView
from quarterdeck.model.models import ModelState
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
NAMES = [f"{case.rule} {case.name}".strip() for case in CASES]


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


def test_every_built_in_rule_is_tried_here() -> None:
    assert {case.rule for case in CASES} == set(IDS)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_a_rule_is_raised_once_and_cleared(case: Case) -> None:
    rule = next(rule for rule in builtin() if rule.id == case.rule)
    fleet = Fleet()
    assert fleet.run(case.well, 10) == []
    (told,) = fleet.run(case.bad, max(200, rule.for_s + 30))
    alert = told.change.alert
    assert told.change.word == "raised"
    assert rule.for_s <= told.at <= rule.for_s + 2
    assert (alert.key, alert.rule, alert.subject) == (f"{rule.id} {case.subject}", rule.id, case.subject)
    assert alert.severity is case.severity
    assert case.says in alert.what
    assert alert.evidence[0].startswith("when it began: ")
    assert alert.evidence[1].startswith("now: ")
    assert f"rule {rule.id}: {case.severity.value}" in alert.evidence[-1]
    assert alert.advice
    assert alert.since <= alert.raised_at
    assert fleet.alerts == (fleet.alerts[0],)
    assert fleet.alerts[0].open
    (over,) = fleet.run(case.well, rule.calm_s + 620)
    assert over.change.word == "cleared"
    assert over.at >= rule.calm_s
    assert over.change.alert.key == alert.key
    assert case.ends in over.change.alert.ending
    assert over.change.alert.cleared_at == pytest.approx(fleet.memory.recent[0][1].cleared_at)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_trouble_shorter_than_its_duration_is_not_told(case: Case) -> None:
    rule = next(rule for rule in builtin() if rule.id == case.rule)
    if rule.for_s <= 1 or case.rule == "host":
        pytest.skip("told at once; a machine is unread for seconds before it is told")
    fleet = Fleet()
    for _ in range(5):
        assert fleet.run(case.bad, rule.for_s - 1) == []
        assert fleet.run(case.well, 3) == []


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_what_is_not_known_neither_raises_nor_clears(case: Case) -> None:
    """The row as it was before anything was ever read of it."""

    def unknown(now: float) -> EndpointView | HostView:
        if isinstance(case.well(now), EndpointView):
            return EndpointView("vllm-a", "http://vllm-a", host="gpu-1")
        return HostView("gpu-1", "nvml")

    rule = next(rule for rule in builtin() if rule.id == case.rule)
    fleet = Fleet()
    assert fleet.run(unknown, 200) == []
    fleet = Fleet()
    assert [told.change.word for told in fleet.run(case.bad, max(30, rule.for_s + 5))] == ["raised"]
    assert fleet.run(unknown, 290) == []
    (over,) = fleet.run(unknown, 20)
    assert over.change.alert.ending == "nothing is known of it for 5 min"


def test_advice_names_commands_that_there_are() -> None:
    """`quarterdeck WORD …` must be one that can be typed."""
    typed = {(action.typed or (action.id,))[0] for action in ACTIONS} | {"probe", "doctor", "check", "launch", "status"}
    seen = set()
    for case in CASES:
        fleet = Fleet()
        fleet.run(case.bad, 200)
        for word in re.findall(r"`quarterdeck ([a-z-]+)", fleet.alerts[0].advice):
            assert word in typed
            seen.add(word)
    assert {"probe", "restart", "start", "unload", "load", "doctor", "rm"} <= seen


@pytest.mark.parametrize(
    ("known", "cause"),
    [
        ({"kv_used": 0.97}, "its KV cache is 97% full"),
        ({"odd": ("engine 2: ITL 48 ms, the others 21 ms",)}, "the load is uneven: engine 2"),
        ({"running": 64, "kv_used": 0.3}, "more requests come than it can serve at once (64 run)"),
    ],
)
def test_the_cause_of_a_queue(known: dict[str, Any], cause: str) -> None:
    fleet = Fleet()
    fleet.run(of_endpoint(waiting=30, **known), 40)
    assert cause in next(alert for alert in fleet.alerts if alert.rule == "queue").cause


def test_a_gpu_that_is_lost_is_named_as_the_cause_of_what_runs_on_it() -> None:
    memory, now = NOTHING, START
    for _ in range(8):
        now += 1
        rows = (endpoint_view("vllm-a", now=now, host="gpu-1", state=State.DOWN, reason="connection refused"),)
        used = GpuProcess(7, GIB, endpoint="vllm-a", holder=Holder.MODEL)
        hosts = (host_with(now, gpu(0), gpu(3, lost=True, processes=(used,))),)
        memory, alerts, _ = step(memory, FleetSnapshot(now, UNIX + now, rows, hosts), builtin())
    by_rule = {alert.rule: alert for alert in alerts}
    assert by_rule["down"].cause == "GPU gpu-1/3 is lost; what runs on it fails"
    assert (by_rule["gpu-lost"].endpoint, by_rule["gpu-lost"].host) == ("vllm-a", "gpu-1")


def test_a_model_in_system_memory_is_no_trouble_where_there_is_no_gpu() -> None:
    on_cpu = of_endpoint(models=(model("gemma3:4b", size_bytes=4 * GIB, vram_bytes=0),))
    assert Fleet().run(on_cpu, 60) == []
    for host in ("gpu-1", None):
        memory, now = NOTHING, START
        alerts: tuple[Alert, ...] = ()
        for _ in range(40):
            now += 1
            rows = (replace(on_cpu(now), host=host),)
            memory, alerts, _ = step(memory, FleetSnapshot(now, UNIX + now, rows, (host_with(now, gpu(0)),)), builtin())
        assert [alert.what for alert in alerts] == ["100% of gemma3:4b (4.0 GiB) lies in system memory"]


def test_only_what_changed_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cost of a look is that of the rows that are new; nothing is timed here."""
    counted: list[str] = []

    def count(view: EndpointView, moment: Moment) -> float | None:
        counted.append(view.name)
        return view.waiting

    monkeypatch.setitem(MEASURES, "waiting", MEASURES["waiting"]._replace(value=count))
    rules = tuple(rule for rule in builtin() if rule.measure == "waiting")
    rows = tuple(endpoint_view(f"e{place}", now=START, waiting=50 if place == 7 else 0) for place in range(200))
    memory, now = NOTHING, START
    for _ in range(3):
        now += 1
        memory, _, _ = step(memory, FleetSnapshot(now, UNIX + now, rows), rules)
    assert counted == [view.name for view in rows] + ["e7", "e7"]
    counted.clear()
    rows = (*rows[:9], endpoint_view("e9", now=now, waiting=1), *rows[10:])
    step(memory, FleetSnapshot(now + 1, UNIX + now + 1, rows), rules)
    assert counted == ["e7", "e9"]


def row(rule: Rule) -> str:
    """A rule as docs/alerts.md has it."""
    measure = MEASURES[rule.measure]
    limit, clear = in_unit(rule.limit, measure.unit), in_unit(rule.clear, measure.unit)
    when, over = f"{'below' if rule.below else 'above'} {limit}", f"{clear} or {'more' if rule.below else 'less'}, "
    if measure.unit is Unit.YES_NO:
        when = over = ""
    lasting = duration(rule.for_s) if rule.for_s else "at once"
    columns = (
        rule.id,
        rule.severity.value,
        f"`{rule.measure}`",
        measure.doc,
        when,
        lasting,
        f"{over}{duration(rule.calm_s)}",
    )
    return "| " + " | ".join(columns) + " |"


def test_the_documentation_has_every_rule_and_measure() -> None:
    text = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
    assert "\n".join(row(rule) for rule in builtin()) in text
    used = {rule.measure for rule in builtin()}
    for name, measure in MEASURES.items():
        assert name in used or f"`{name}` ({measure.doc})" in text


def test_scope_globs_and_engine() -> None:
    rule = next(rule for rule in builtin() if rule.id == "queue")
    rules = (
        replace(rule, id="by-name", endpoints=("VLLM-*",)),
        replace(rule, id="by-host", hosts=("gpu-1",)),
        replace(rule, id="by-model", models=("qwen*",)),
        replace(rule, id="by-engine", engine="sglang"),
        replace(rule, id="nobody", endpoints=("nobody",)),
    )
    memory, now = NOTHING, START
    alerts: tuple[Alert, ...] = ()
    for _ in range(40):
        now += 1
        rows = (
            endpoint_view("vllm-a", now=now, waiting=30),
            endpoint_view("b", now=now, waiting=30, host="gpu-1"),
            endpoint_view("c", now=now, waiting=30, models=(model("qwen3:8b", ModelState.SERVED),)),
            endpoint_view("d", now=now, waiting=30, engine="sglang"),
        )
        memory, alerts, _ = step(memory, FleetSnapshot(now, UNIX + now, rows), rules)
    assert {alert.key for alert in alerts} == {"by-name vllm-a", "by-host b", "by-model c", "by-engine d"}
