"""The snapshot as JSON, text and the one line of `check`."""

from __future__ import annotations

import json
import math

from quarterdeck.model.fleet import (
    Boundary,
    EndpointView,
    FleetSnapshot,
    ReplicaView,
    State,
)
from quarterdeck.model.gpu import GpuProcess, GpuView
from quarterdeck.model.host import HostView
from quarterdeck.model.limits import Limits
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.verdict import Level, judged, with_problems
from quarterdeck.report.check import line
from quarterdeck.report.json import document, timestamp
from quarterdeck.report.text import render

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


def snapshot(*views: EndpointView, hosts: tuple[HostView, ...] = ()) -> FleetSnapshot:
    return FleetSnapshot(at=1000.0, time=NOON, endpoints=views, hosts=hosts)


def test_json_has_exactly_the_contract() -> None:
    fleet = snapshot(BUSY, SILENT, OLLAMA, hosts=(HOST,))
    shown = json.loads(json.dumps(document(fleet, judged(fleet, Limits())), allow_nan=False))
    assert list(shown) == ["schema_version", "time", "level", "summary", "endpoints", "hosts"]
    assert (shown["schema_version"], shown["time"]) == (1, "2026-11-22T12:00:00.000Z")
    assert shown["endpoints"][0] == {
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
        "replicas": [{"engine": "0", "running": 2, "waiting": 10, "generation_tps": 123.457, "kv_used": 0.5}],
        "models": [
            {
                "id": "tiny-llama",
                "state": "loaded",
                "size_bytes": None,
                "vram_bytes": None,
                "context_length": 1024,
                "expires_at": None,
            }
        ],
    }
    unknown = {key: value for key, value in shown["endpoints"][1].items() if value is not None}
    assert unknown == {
        "name": "far",
        "url": "https://api.example/v1",
        "boundary": "external",
        "replicas": [],
        "models": [],
    }
    assert shown["endpoints"][2]["models"][0]["expires_at"] == "never"
    assert shown["hosts"][0]["gpus"][0]["processes"] == [
        {"pid": 7, "memory_bytes": 2**30},
        {"pid": 8, "memory_bytes": None},
    ]
    assert set(shown["hosts"][0]["gpus"][0]) == {
        "index", "uuid", "name", "utilization", "memory_used_bytes", "memory_total_bytes",
        "power_w", "power_limit_w", "temperature_c", "processes",
    }  # fmt: skip


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
        " | up=1;;;0;3 running=2 waiting=10 kv_max=50.0%;;;0;100 latency_max=0.0042s"
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
