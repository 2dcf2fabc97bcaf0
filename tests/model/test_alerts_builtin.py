"""Each built-in rule: what raises it, when, what it says, and what clears it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alert_cases import CASES, START, UNIX, Case, Fleet, host_with, of_endpoint
from fakes import GIB, endpoint_view, gpu, model
from quarterdeck.model.alerts.alert import Alert
from quarterdeck.model.alerts.builtin import IDS, builtin
from quarterdeck.model.alerts.measure import Moment
from quarterdeck.model.alerts.measures import MEASURES
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.watch import step
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.host import HostView
from quarterdeck.model.models import ModelState

NAMES = [f"{case.rule} {case.name}".strip() for case in CASES]


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
