"""What can be asked of endpoints, alerts, events and jobs."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.model.alerts.alert import Acknowledged, Alert, Severity
from quarterdeck.model.fleet import Boundary, EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuProcess, GpuView
from quarterdeck.model.happening import Happening, Topic
from quarterdeck.model.host import HostView
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.models import ModelReading, ModelState
from quarterdeck.model.query.field import Around, Vocabulary
from quarterdeck.model.query.of_events import ALERTS, HAPPENINGS
from quarterdeck.model.query.of_fleet import ENDPOINTS
from quarterdeck.model.query.of_jobs import JOBS
from quarterdeck.model.query.query import Query

ALARM = Alert(
    "queue vllm",
    "queue",
    Severity.CRITICAL,
    "vllm",
    "12 requests wait",
    900.0,
    940.0,
    ("12",),
    "too many",
    endpoint="vllm",
)
OLD = Alert(
    "hot gpu-1/0", "hot", Severity.WARNING, "gpu-1/0", "91 °C", 100.0, 200.0, ("91",), host="gpu-1", cleared_at=300.0
)
SEEN = Alert(
    "kv mac",
    "kv",
    Severity.WARNING,
    "mac",
    "KV 97%",
    990.0,
    995.0,
    ("97",),
    endpoint="mac",
    acknowledged=Acknowledged(999.0, "ana"),
)
VIEWS = (
    EndpointView("vllm", "http://gpu-1:8000", host="gpu-1", engine="vllm", version="0.11.0", state=State.BUSY, running=4, waiting=12,
                 generation_tps=120.0, kv_used=0.92, ttft_p95_s=0.8, answered=99.0, since=40.0,
                 models=(ModelReading("Qwen/Qwen3-8B", ModelState.LOADED, vram_bytes=70 * 2**30),)),
    EndpointView("mac", "http://mac:11434", host="mac", engine="ollama", state=State.OK, waiting=0, answered=20.0,
                 models=(ModelReading("qwen3:8b", ModelState.INSTALLED), ModelReading("phi4:latest", ModelState.LOADED, vram_bytes=5 * 2**30))),
    EndpointView("cloud", "https://api", boundary=Boundary.EXTERNAL, protected=True, state=State.DOWN, reason="timeout after 2 s", since=99.0),
    EndpointView("new", "http://new:8000"),
)  # fmt: skip
HOSTS = (HostView("gpu-1", "local", gpus=(GpuView(0, utilization=0.4, processes=(GpuProcess(1, endpoint="vllm"),)),
                                          GpuView(1, utilization=0.9, processes=(GpuProcess(2, endpoint="vllm"),)))),)  # fmt: skip
AROUND = Around(
    FleetSnapshot(at=100.0, time=1000.0, endpoints=VIEWS, hosts=HOSTS, alerts=(ALARM, OLD, SEEN)), 100.0, 1000.0
)
HAPPENED = (
    Happening(995.0, Topic.STATE, "vllm", "DOWN", "OK → DOWN: timeout"),
    Happening(500.0, Topic.ALERT, "vllm", "raised", "12 requests wait", "critical"),
    Happening(100.0, Topic.JOB, "mac", "done", "pulled phi4"),
)
WORK = (
    Job("a1", Order("pull", "mac", "qwen3:8b"), JobState.RUNNING, 900.0, 910.0, progress=Progress("pulling", 0.6, 6, 10 * 2**30, 2e7, 120.0), user="ana"),
    Job("b2", Order("launch", "vllm"), JobState.FAILED, 100.0, 110.0, 200.0, words="no disk left", user="bo"),
    Job("c3", Order("unload", "mac", "phi4"), JobState.QUEUED, 999.0),
)  # fmt: skip


def kept(text: str, vocabulary: Vocabulary[Any], rows: tuple[Any, ...], name: str) -> str:
    found = Query(text, vocabulary).keep(rows, AROUND)
    assert not found.problems
    return " ".join(str(getattr(row, name)) for row in found.rows)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("state:down", "cloud"),
        ("state=down,busy", "vllm cloud"),
        ("state:unpolled", "new"),
        ("!state:down,unpolled", "vllm mac"),
        ("name:v", "vllm"),
        ("engine:ollama", "mac"),
        ('engine=""', "cloud new"),
        ("version:0.11", "vllm"),
        ("model:qwen3", "vllm mac"),
        ("qwen3:8b", "mac"),
        ("model>1", "mac"),
        ("loaded:qwen3", "vllm"),
        ("loaded>0", "vllm mac"),
        ("why:timeout", "cloud"),
        ("host:gpu", "vllm"),
        ("url:11434", "mac"),
        ("boundary:external", "cloud"),
        ("protected:yes", "cloud"),
        ("alert:critical", "vllm"),
        ("alert>0", "vllm mac"),
        ('alert=""', "cloud new"),
        ("run>0", "vllm"),
        ("wait=0", "mac"),
        ("!wait>0", "mac cloud new"),
        ("tok/s>100", "vllm"),
        ("kv>90%", "vllm"),
        ("kv>=0.92", "vllm"),
        ("mem>20GiB", "vllm"),
        ("vram<20GiB", "mac"),
        ("ttft>500ms", "vllm"),
        ("gpu>80", "vllm"),
        ("gpu<80", ""),
        ('gpu=""', "mac cloud new"),
        ("age>1m", "mac"),
        ("for<10s", "cloud"),
        ("wait>0 kv>90% host:gpu-1", "vllm"),
    ],
)
def test_endpoints(text: str, names: str) -> None:
    assert kept(text, ENDPOINTS, VIEWS, "name") == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("severity:critical", "vllm"),
        ("where:gpu-1", "gpu-1/0"),
        ("host:gpu-1", "gpu-1/0"),
        ("endpoint:mac", "mac"),
        ("rule:hot", "gpu-1/0"),
        ('what:"requests wait"', "vllm"),
        ("why:many", "vllm"),
        ("state:open", "vllm mac"),
        ("state:cleared", "gpu-1/0"),
        ("state:acknowledged", "mac"),
        ("for>1m", "vllm gpu-1/0"),
        ("age<10s", "mac"),
        ("!mac", "vllm gpu-1/0"),
    ],
)
def test_alerts(text: str, names: str) -> None:
    assert kept(text, ALERTS, (ALARM, OLD, SEEN), "subject") == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("topic:state", "DOWN"),
        ("topic:state,job", "DOWN done"),
        ("where:vllm", "DOWN raised"),
        ("endpoint:mac", "done"),
        ("word:down", "DOWN"),
        ("text:phi4", "done"),
        ("severity:critical", "raised"),
        ("age<10m", "DOWN raised"),
        ("vllm !wait", "DOWN"),
    ],
)
def test_events(text: str, words: str) -> None:
    assert kept(text, HAPPENINGS, HAPPENED, "word") == words


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("state:failed", "b2"),
        ("state:waiting", "c3"),
        ("state:queued", "c3"),
        ("action:pull", "a1"),
        ("what:mac", "a1 c3"),
        ("model:phi4", "c3"),
        ("where:vllm", "b2"),
        ("user:ana", "a1"),
        ("result:disk", "b2"),
        ("id:a1", "a1"),
        ("done>50%", "a1"),
        ("size>5GiB", "a1"),
        ("rate<30MB/s", "a1"),
        ("left>1m", "a1"),
        ("took>1m", "a1 b2"),
        ("age<1m", "c3"),
        ("!done>50%", "b2 c3"),
    ],
)
def test_jobs(text: str, ids: str) -> None:
    assert kept(text, JOBS, WORK, "id") == ids


@pytest.mark.parametrize("vocabulary", [ENDPOINTS, ALERTS, HAPPENINGS, JOBS])
def test_every_example_is_a_term_of_its_own_field(vocabulary: Vocabulary[Any]) -> None:
    for field in vocabulary.fields:
        query = Query(field.example, vocabulary)
        assert query, field.name
        assert not query.problems, field.name
        assert (
            vocabulary.by_name[field.example.partition(":")[0].rstrip("<>=").partition("<")[0].partition(">")[0]]
            is field
        )
        assert field.meaning.endswith("."), field.name


@pytest.mark.parametrize(
    ("vocabulary", "rows"), [(ENDPOINTS, VIEWS), (ALERTS, (ALARM, OLD, SEEN)), (HAPPENINGS, HAPPENED), (JOBS, WORK)]
)
def test_every_field_can_be_asked_of_rows_that_know_nothing(vocabulary: Vocabulary[Any], rows: tuple[Any, ...]) -> None:
    for field in vocabulary.fields:
        unknown = Query(f'{field.name}=""', vocabulary).keep(rows, AROUND).rows
        known = Query(f'!{field.name}=""', vocabulary).keep(rows, AROUND).rows
        assert len(unknown) + len(known) == len(rows)
