"""The snapshot as JSON, text and the one line of `check`."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from typing import Any

from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import Boundary, EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, Holder, MigInstance, NvLink, PcieLink, Xid
from quarterdeck.model.host import HostView
from quarterdeck.model.latency import KINDS, Latencies, Window
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.own import OwnRequests
from quarterdeck.model.reading import AccessLog, Deployment, LoraAdapter, Spend
from quarterdeck.model.replica import ReplicaView
from quarterdeck.model.verdict import Level, judged, with_problems
from quarterdeck.report.check import line
from quarterdeck.report.json import document
from quarterdeck.report.text import render
from quarterdeck.report.values import timestamp

NOON = 1_795_348_800.0  # 2026-11-22T12:00:00Z

BUSY = EndpointView(
    name="vllm-a",
    url="http://127.0.0.1:8000",
    host="mole",
    engine="vllm",
    version="0.32.0",
    state=State.BUSY,
    reason="10 waiting",
    since=990.0,
    answered=999.5,
    latency_s=0.0042,
    running=2,
    waiting=10,
    generation_tps=123.4567,
    prompt_tps=0.0,
    ttft_p95_s=0.25,
    itl_p95_s=0.021,
    kv_used=0.5,
    replicas=(ReplicaView("0", 2, 10, 123.4567, 0.5),),
    models=(ModelReading("tiny-llama", ModelState.LOADED, context_length=1024),),
)
SILENT = EndpointView(name="far", url="https://api.example/v1", boundary=Boundary.EXTERNAL)
OLLAMA = EndpointView(
    name="mac",
    url="http://127.0.0.1:11434",
    engine="ollama",
    state=State.OK,
    answered=998.0,
    models=(
        ModelReading(
            "qwen3:8b", ModelState.LOADED, size_bytes=6_000_000_000, vram_bytes=5_000_000_000, expires_at=math.inf
        ),
        ModelReading("llama3:8b", ModelState.INSTALLED, size_bytes=4_700_000_000),
    ),
)
HOST = HostView(
    "mole",
    "nvml",
    cpu=0.25,
    memory_used_bytes=2**34,
    memory_total_bytes=2**36,
    gpus=(
        GpuView(
            0,
            "GPU-1",
            "NVIDIA H100",
            0.87,
            2**36,
            80 * 2**30,
            412.5,
            700.0,
            61.0,
            (GpuProcess(7, 2**30), GpuProcess(8)),
        ),
    ),
)
FULL = EndpointView(
    name="full",
    url="http://127.0.0.1:1",
    state=State.OK,
    answered=1000.0,
    running=4,
    waiting_by_reason=(("capacity", 3),),
    finished_ps=(("stop", 1.4), ("abort", 0.0)),
    cache_hit_rate=math.nan,
    latencies=Latencies(minute={"ttft": Window((1.0, math.inf), (10.0, 10.0))}),
    replicas=(ReplicaView("0"),),
    odd=("engine 1: KV 91 %, the others 40 %",),
    models=(ModelReading("m", ModelState.LOADED),),
    adapters=(LoraAdapter("sql", running=True),),
    deployments=(Deployment("chat", "openai/x", "outage"),),
    spend=Spend(1.25, "/metrics"),
    access_log=AccessLog(13.0, (("2xx", 12), ("5xx", 1))),
    active_at=995.0,
    own=OwnRequests(2, 0.1, 40.0, 980.0),
    origins={"running": "connections"},
    estimates=frozenset({"running"}),
    events=(Event(990.0, EventKind.STATE, "BUSY", "3 waiting"),),
)
FULL_GPU = GpuView(
    0,
    processes=(GpuProcess(7, 2**30, "VLLM::EngineCore", holder=Holder.ORPHAN),),
    throttle=("power cap",),
    pcie=PcieLink(4),
    nvlinks=(NvLink(0),),
    ecc=Ecc(0),
    mig=(MigInstance(0),),
    xids=(Xid(79, 900.0, "fell off the bus"),),
    lost=True,
    at=1000.0,
)


def snapshot(*views: EndpointView, hosts: tuple[HostView, ...] = ()) -> FleetSnapshot:
    return FleetSnapshot(at=1000.0, time=NOON, endpoints=views, hosts=hosts)


def test_json_has_exactly_the_contract() -> None:
    fleet = snapshot(BUSY, SILENT, OLLAMA, hosts=(HOST,))
    shown = json.loads(json.dumps(document(fleet, judged(fleet, Limits())), allow_nan=False))
    assert list(shown) == ["schema_version", "time", "level", "summary", "endpoints", "hosts"]
    assert (shown["schema_version"], shown["time"]) == (1, "2026-11-22T12:00:00.000Z")
    first = shown["endpoints"][0]
    assert {key: first[key] for key in ALWAYS} == {
        "name": "vllm-a",
        "engine": "vllm",
        "version": "0.32.0",
        "url": "http://127.0.0.1:8000",
        "host": "mole",
        "boundary": "local",
        "state": "BUSY",
        "reason": "10 waiting",
        "since": "2026-11-22T11:59:50.000Z",
        "age_s": 0.5,
        "latency_ms": 4.2,
        "running": 2,
        "waiting": 10,
        "generation_tps": 123.457,
        "prompt_tps": 0.0,
        "ttft_p95_s": 0.25,
        "itl_p95_s": 0.021,
        "kv_used": 0.5,
    }
    assert (
        first["replicas"][0] | {"engine": "0", "running": 2, "waiting": 10, "generation_tps": 123.457, "kv_used": 0.5}
        == (first["replicas"][0])
    )
    assert {key: value for key, value in first["models"][0].items() if value is not None} == {
        "id": "tiny-llama",
        "state": "loaded",
        "context_length": 1024,
    }
    assert shown["endpoints"][2]["models"][0]["expires_at"] == "never"
    assert [(p["pid"], p["memory_bytes"]) for p in shown["hosts"][0]["gpus"][0]["processes"]] == [(7, 2**30), (8, None)]


ALWAYS = (
    *(
        "name",
        "engine",
        "version",
        "url",
        "host",
        "boundary",
        "state",
        "reason",
        "since",
        "age_s",
        "latency_ms",
        "running",
    ),
    *("waiting", "generation_tps", "prompt_tps", "ttft_p95_s", "itl_p95_s", "kv_used"),
)
"""Fields that were there from the beginning."""


def test_what_is_unknown_is_null_and_never_zero() -> None:
    fleet = snapshot(SILENT, hosts=(HostView("bare", "ssh", gpus=(GpuView(0),)),))
    shown = document(fleet, judged(fleet, Limits()))
    known = {key: value for key, value in shown["endpoints"][0].items() if value is not None}
    assert known.pop("percentiles") == {kind: {"last": None, "minute": None} for kind in KINDS}
    assert {key: value for key, value in known.items() if value not in ([], {})} == {
        "name": "far",
        "url": "https://api.example/v1",
        "boundary": "external",
        "protected": False,
        "interval_s": 2.0,
    }
    gpu = shown["hosts"][0]["gpus"][0]
    assert {key: value for key, value in gpu.items() if value not in (None, [])} == {
        "index": 0,
        "unified": False,
        "lost": False,
    }


def test_everything_the_model_has_is_in_the_json() -> None:
    """A field that is added to the model is added to the JSON, or listed here with the word that stands for it."""
    fleet = snapshot(FULL, hosts=(replace(HOST, gpus=(FULL_GPU,)),))
    shown = document(fleet, judged(fleet, Limits()))
    endpoint, host = shown["endpoints"][0], shown["hosts"][0]
    gpu = host["gpus"][0]
    missing = {
        *_missing(EndpointView, endpoint),
        *_missing(ReplicaView, endpoint["replicas"][0]),
        *_missing(ModelReading, endpoint["models"][0]),
        *_missing(AccessLog, endpoint["access_log"]),
        *_missing(OwnRequests, endpoint["own_requests"]),
        *_missing(HostView, host),
        *_missing(GpuView, gpu),
        *_missing(GpuProcess, gpu["processes"][0]),
        *_missing(PcieLink, gpu["pcie"]),
        *_missing(NvLink, gpu["nvlinks"][0]),
        *_missing(Ecc, gpu["ecc"]),
        *_missing(MigInstance, gpu["mig"][0]),
        *_missing(Xid, gpu["xids"][0]),
    }
    assert missing == {
        *("EndpointView.answered", "EndpointView.latency_s", "EndpointView.interval", "EndpointView.finished_ps"),
        *("EndpointView.latencies", "EndpointView.spend", "EndpointView.active_at", "EndpointView.own"),
        *("EndpointView.engines", "EndpointView.history", "EndpointView.tps_history"),
        *("OwnRequests.last_at", "HostView.at", "HostView.interval", "HostView.gpu_history", "HostView.histories"),
        *(
            "GpuView.at",
            "Xid.at",
            "GpuProcess.ports",
            "GpuProcess.serves",
            "GpuProcess.orphaned",
            "GpuProcess.told_port",
        ),
    }


def _missing(kind: Any, shown: dict[str, Any]) -> set[str]:
    return {f"{kind.__name__}.{field.name}" for field in fields(kind) if field.name not in shown}


def test_json_of_everything() -> None:
    fleet = snapshot(FULL, hosts=(replace(HOST, gpus=(FULL_GPU,)),))
    shown = json.loads(json.dumps(document(fleet, judged(fleet, Limits())), allow_nan=False))
    endpoint, gpu = shown["endpoints"][0], shown["hosts"][0]["gpus"][0]
    assert endpoint["requests_ps"] == {"stop": 1.4, "abort": 0.0}
    assert endpoint["waiting_by_reason"] == {"capacity": 3}
    assert endpoint["percentiles"]["ttft"] == {
        "last": None,
        "minute": {"p50": 0.5, "p95": 0.95, "p99": 0.99, "count": 10},
    }
    assert endpoint["percentiles"]["queue"] == {"last": None, "minute": None}
    assert endpoint["adapters"] == [{"name": "sql", "running": True, "waiting": False}]
    assert endpoint["deployments"] == [{"model": "chat", "backend": "openai/x", "state": "outage"}]
    assert endpoint["spend_usd"] == 1.25
    assert endpoint["access_log"]["by_status"] == {"2xx": 12, "5xx": 1}
    assert endpoint["estimates"] == ["running"]
    assert endpoint["origins"] == {"running": "connections"}
    assert endpoint["events"] == [
        {"time": "2026-11-22T11:59:50.000Z", "kind": "state", "word": "BUSY", "text": "3 waiting"}
    ]
    assert endpoint["active"] == "2026-11-22T11:59:55.000Z"
    assert endpoint["own_requests"] == {
        "count": 2,
        "ttft_p50_s": 0.1,
        "decode_tps_p50": 40.0,
        "last": "2026-11-22T11:59:40.000Z",
    }
    assert endpoint["cache_hit_rate"] is None, "not a number"
    assert gpu["throttle"] == ["power cap"]
    assert gpu["processes"][0]["holder"] == "orphan"
    assert gpu["xids"] == [{"number": 79, "time": "2026-11-22T11:58:20.000Z", "words": "fell off the bus"}]
    assert gpu["age_s"] == 0.0


def test_text_marks_estimates_odd_ones_and_what_is_wrong_with_a_card() -> None:
    fleet = snapshot(FULL, hosts=(replace(HOST, gpus=(FULL_GPU,)),))
    text = render(fleet, judged(fleet, Limits()))
    assert "  ~4  " in text
    assert "odd: engine 1: KV 91 %, the others 40 %" in text
    assert "LOST, values are the last ones; throttled: power cap; Xid 79 fell off the bus" in text
    assert "ORPHAN VLLM::EngineCore (pid 7) holds 1.0 GiB" in text


def test_a_time_outside_the_calendar_is_unknown() -> None:
    assert timestamp(1e18) is None
    assert timestamp(None) is None


def test_text_shows_dashes_for_what_is_unknown_and_aligns_numbers() -> None:
    fleet = snapshot(
        BUSY, SILENT, OLLAMA, hosts=(HOST, HostView("attic", "local", reason="no NVIDIA driver on this machine"))
    )
    lines = render(fleet, judged(fleet, Limits())).splitlines()
    assert lines[0].startswith("UNKNOWN: far not polled yet; 2 of 3 endpoints well")
    head, busy, far, mac = lines[2:6]
    column = head.index("WAIT") + len("WAIT")
    assert busy[:column].endswith("  10")
    assert far[:column].endswith("–")
    assert "4.7 GiB" in mac
    assert "qwen3:8b (1 on disk)" in mac
    assert "GPU 0 NVIDIA H100: 87%, 64.0 GiB of 80.0 GiB, 412 W of 700 W, 61 °C" in "\n".join(lines)
    assert lines[-1].endswith("no NVIDIA driver on this machine")


def test_check_line_says_the_worst_first_with_perfdata() -> None:
    down = EndpointView(name="b", url="http://b", state=State.DOWN, reason="connection refused")
    fleet = snapshot(
        BUSY, down, EndpointView(name="c", url="http://c", state=State.AUTH, reason="401: key missing or wrong")
    )
    verdict = judged(fleet, Limits())
    assert verdict.level is Level.CRITICAL
    assert line(fleet, verdict) == (
        "QUARTERDECK CRITICAL - b DOWN: connection refused (+1 more); 1 of 3 endpoints well"
        " | up=1;;;0;3 running=2 waiting=10 kv_max=50.0%;;;0;100 latency_max=0.0042s ttft_p95_max=0.2500s"
    )


def test_check_line_is_one_line_whatever_a_server_says() -> None:
    down = EndpointView(name="b", url="http://b", state=State.DOWN, reason="500: a|b\nc")
    fleet = snapshot(down)
    text = line(fleet, judged(fleet, Limits()))
    assert "\n" not in text
    assert text.count("|") == 1


def test_limits_of_check_warn() -> None:
    fleet = snapshot(BUSY)
    assert judged(fleet, Limits()).level is Level.OK
    assert judged(fleet, Limits(warn_waiting=10)).summary.startswith("vllm-a 10 requests waiting")
    assert judged(fleet, Limits(warn_kv=0.5)).level is Level.WARNING


def test_a_wrong_fleet_file_is_unknown_unless_something_is_worse() -> None:
    well = judged(snapshot(OLLAMA), Limits())
    assert with_problems(well, ()).level is Level.OK
    assert with_problems(well, ("fleet.toml:3: a", "fleet.toml:9: b")).summary.startswith("fleet.toml:3: a (+1 more)")
    assert with_problems(well, ("x",)).level is Level.UNKNOWN
    broken = judged(snapshot(EndpointView(name="b", url="http://b", state=State.DOWN)), Limits())
    assert with_problems(broken, ("x",)).level is Level.CRITICAL
    assert judged(snapshot(), Limits()).level is Level.UNKNOWN
