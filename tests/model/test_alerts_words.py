"""What alerts say: the cause, advice that can be followed, and the same in the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from alert_cases import CASES, START, UNIX, Fleet, host_with, of_endpoint
from fakes import GIB, endpoint_view, gpu
from quarterdeck.format import duration
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.alerts.builtin import builtin
from quarterdeck.model.alerts.measure import Unit
from quarterdeck.model.alerts.measures import MEASURES
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.rules import Rule
from quarterdeck.model.alerts.watch import step
from quarterdeck.model.alerts.words import in_unit
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.gpu import GpuProcess, Holder


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
