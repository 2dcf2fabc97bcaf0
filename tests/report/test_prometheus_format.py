"""The two formats, whatever names and numbers come; and what is written about the metrics."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exported import everything, parsed, seen, series, value
from fakes import endpoint_view, gpu, host_view, model, snapshot
from quarterdeck.format import printable
from quarterdeck.model.fleet import State
from quarterdeck.model.gpu import Ecc, GpuProcess, NvLink, Xid
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import EngineReading
from quarterdeck.model.replica import ReplicaView
from quarterdeck.report.prometheus import METRICS, Metric, render
from quarterdeck.report.prometheus.metric import Kind
from quarterdeck.report.prometheus.rows import MOST

DOCS = Path(__file__).parents[2] / "docs"


# ---- the format


def test_both_formats_say_the_same() -> None:
    fleet = everything()
    for known in ({}, {"missed": 7, "jobs_known": True}):
        text, openmetrics = (render(seen(fleet, **known), openmetrics=each) for each in (False, True))
        assert parsed(text) == parsed(openmetrics, openmetrics=True)
        assert openmetrics.endswith(b"\n# EOF\n")
        assert b"# EOF" not in text
        assert b"# UNIT quarterdeck_gpu_power_watts watts\n" in openmetrics


def test_the_same_snapshot_gives_the_same_page() -> None:
    assert render(seen(everything())) == render(seen(everything()))


def test_names_units_and_kinds_fit() -> None:
    names = [metric.full_name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert re.fullmatch(r"quarterdeck(_[a-z0-9]+)+", metric.full_name)
        assert metric.full_name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.full_name.endswith("_info") == (metric.kind is Kind.INFO)
        assert metric.family.endswith(f"_{metric.unit}") or not metric.unit
        assert metric.help.endswith((".", ")"))
        assert "\n" not in metric.help
        assert len(set(metric.all_labels)) == len(metric.all_labels)
        assert "quantile" not in metric.labels or metric.kind is Kind.SUMMARY
    suffixes = ("seconds", "bytes", "ratio", "watts", "celsius", "hertz", "tokens", "dollars", "lanes", "per_second")
    assert [name for name in names if name.endswith(suffixes) and not unit_of(name)] == []


def unit_of(name: str) -> str:
    return next(metric.unit for metric in METRICS if metric.full_name == name)


def test_a_hostile_name_is_one_label() -> None:
    name = 'a"b\\c\nd{e="f"} 1\n# EOF'
    page = render(seen(snapshot(endpoint_view(name))), openmetrics=True)
    assert value(parsed(page, openmetrics=True), "endpoint_up", endpoint='a"b\\c d{e="f"} 1 # EOF') == 1
    assert page.count(b"# EOF\n") == 1


def test_names_that_look_the_same_are_one_series() -> None:
    twice = (model("qwen", size_bytes=1), model("qwen\x07", size_bytes=2), model("qwen", size_bytes=3))
    page = series(snapshot(endpoint_view("a", models=twice)))
    assert value(page, "model_size_bytes", model="qwen") == 1


def test_no_more_than_a_page_may_hold() -> None:
    many = tuple(model(f"m{place}", ModelState.INSTALLED) for place in range(MOST + 40))
    last = (*many, model("late", ModelState.LOADED, vram_bytes=3))
    reasons = tuple((f"r{place}", 1.0) for place in range(MOST + 5))
    page = series(snapshot(endpoint_view("a", models=last, finished_ps=reasons)))
    assert sum(name == "quarterdeck_model_state" for name, _ in page) == MOST
    assert value(page, "model_vram_bytes", model="late") == 3
    assert value(page, "left_out", of="models") == 41
    assert value(page, "left_out", of="endpoint_requests_per_second") == 5
    assert value(page, "endpoint_models", state="installed") == MOST + 40


NUMBER = st.none() | st.floats() | st.integers() | st.just(10**400)
NAME = st.text(max_size=12) | st.sampled_from(['"', "\\", "\n", "\\n", '\\"', "{}", "\ud800", "\x00", " "])


@given(
    name=NAME,
    other=NAME,
    some=NUMBER,
    more=NUMBER,
    whole=st.none() | st.integers(min_value=-5),
    state=st.sampled_from([None, *State]),
)
def test_whatever_comes_both_parsers_read_it(
    *, name: str, other: str, some: Any, more: Any, whole: int | None, state: State | None
) -> None:
    view = endpoint_view(
        name,
        state=state,
        generation_tps=finite_or_odd(some),
        kv_used=finite_or_odd(more),
        running=whole,
        finished_ps=((other, finite_or_odd(some) or 0.0),),
        replicas=(ReplicaView(other, whole, None, finite_or_odd(more)),),
        models=(model(other, size_bytes=whole), model(name, vram_bytes=whole)),
        engines=(EngineReading(other, generation_tokens=some, finished=((name, finite_or_odd(more) or 0.0),)),),
    )
    card = gpu(
        0,
        finite_or_odd(some),
        uuid=other,
        ecc=Ecc(whole),
        nvlinks=(NvLink(1, None, whole),),
        throttle=(name,),
        xids=(Xid(79, 9_990.0, other), Xid(79, None, name)),
        processes=(GpuProcess(1, whole, endpoint=name, model=other),),
    )
    seen_now = seen(snapshot(view, hosts=(host_view(other, card),)))
    text, openmetrics = render(seen_now), render(seen_now, openmetrics=True)
    found = parsed(text)
    assert found == parsed(openmetrics, openmetrics=True)
    assert not any(math.isnan(number) for number in found.values())
    labels = frozenset({("endpoint", clean(name))} if clean(name) else set())
    assert found.get(("quarterdeck_endpoint_requests_running", labels)) == (None if whole is None else float(whole))
    rate = found.get(("quarterdeck_endpoint_generation_tokens_per_second", labels))
    known = finite_or_odd(some)
    assert rate == (None if known is None or not math.isfinite(known) else round(known, 3))


def finite_or_odd(number: Any) -> float | None:
    """A float, whatever it is: what is too large for one is infinite."""
    try:
        return None if number is None else float(number)
    except OverflowError:
        return math.inf


def clean(name: str) -> str:
    return printable(name, 200).encode("utf-8", "replace").decode()


# ---- what is written about it


def row(metric: Metric) -> str:
    labels = ", ".join(metric.all_labels)
    field = f"`{metric.json_path}`" if metric.json_path else ""
    return f"| `{metric.full_name}` | {metric.kind.value} | {labels} | {metric.help} | {field} |"


def test_the_documentation_has_every_metric() -> None:
    text = (DOCS / "exporter.md").read_text()
    table = [line for line in text.splitlines() if line.startswith("| `quarterdeck_")]
    assert table == [row(metric) for metric in METRICS]


@pytest.mark.parametrize("file", ["grafana/quarterdeck.json", "prometheus/rules.yml", "exporter.md"])
def test_examples_name_only_metrics_that_are(file: str) -> None:
    text = (DOCS / file).read_text()
    named = set(re.findall(r"\bquarterdeck_[a-z0-9_]+", text))
    assert len(named) > 10
    assert named <= {metric.full_name for metric in METRICS}


def test_the_dashboard_is_one() -> None:
    board = json.loads((DOCS / "grafana" / "quarterdeck.json").read_text())
    assert board["title"] == "Quarterdeck"
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert all(panel["targets"] and panel["title"] for panel in panels)
