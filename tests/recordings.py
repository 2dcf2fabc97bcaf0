"""Recordings to play: a fleet that changes, second by second."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

from fakes import GIB, endpoint_view, gpu, host_view, model, window
from quarterdeck.engine.recording import frames
from quarterdeck.engine.recording.frames import HEAD_SIZE, MARK, Kind
from quarterdeck.engine.recording.writer import Recorder
from quarterdeck.model.alerts.alert import Alert, Severity
from quarterdeck.model.events import Event, EventKind
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.job import Job, JobState, Order, Progress
from quarterdeck.model.latency import Latencies
from quarterdeck.model.reading import EngineReading, Histogram
from quarterdeck.model.replica import ReplicaView

START_AT, START_TIME = 5_000.25, 1_795_370_400.5
DOWN_FROM, DOWN_TO = 20, 32
BOUNDS = (0.1, 0.25, 0.5, 1.0, float("inf"))


def _row(second: int, place: int) -> EndpointView:
    at = START_AT + second
    down = place == 1 and DOWN_FROM <= second < DOWN_TO
    events: tuple[Event, ...] = ()
    if second >= DOWN_FROM:
        events += (Event(START_AT + DOWN_FROM, EventKind.STATE, "DOWN", "b is DOWN: refused"),)
    if second >= DOWN_TO:
        events += (Event(START_AT + DOWN_TO, EventKind.STATE, "OK", "b is OK"),)
    tps = None if down else 100.0 + second * 1.7 + place / 3
    history = tuple(
        None if place == 1 and DOWN_FROM <= each < DOWN_TO else 100.0 + each * 1.7 + place / 3
        for each in range(max(0, second - 119), second + 1)
    )
    if down:
        return endpoint_view(
            "b",
            now=at,
            state=State.DOWN,
            reason="refused",
            answered=START_AT + DOWN_FROM - 1,
            since=START_AT + DOWN_FROM,
            latency_s=None,
            tps_history=history,
            events=events,
        )
    counts = tuple(float(second * step) for step in (1, 2, 3, 3, 4))
    return endpoint_view(
        "ab"[place],
        now=at,
        since=START_AT - 60,
        answered=at,
        running=3 + second % 4,
        waiting=second % 3,
        generation_tps=tps,
        kv_used=0.4 + second / 1000,
        latencies=Latencies({}, {"ttft": window((0.1, 0.25, 0.5, 1.0), counts)}),
        ttft_p95_s=0.2 + second / 999,
        replicas=(ReplicaView("0", 3, 0, tps, 0.4),),
        models=(model("qwen3-32b", vram_bytes=61 * GIB, size_bytes=61 * GIB, expires_at=float("inf")),),
        engines=(EngineReading("0", running=3, generation_tokens=second * 170.0, ttft=Histogram(BOUNDS, counts)),),
        origins={"running": "/metrics vllm:num_requests_running"},
        estimates=frozenset({"running"}),
        waiting_by_reason=(("capacity", 2),),
        finished_ps=(("stop", 0.5),),
        tps_history=history,
        events=events if place == 1 else (),
    )


def moments(seconds: int = 60) -> list[FleetSnapshot]:
    """A snapshot each second: b goes down and comes back, an alert is raised and cleared, a job runs, a GPU is warm."""
    found: list[FleetSnapshot] = []
    for second in range(seconds):
        rows = tuple(_row(second, place) for place in range(2))
        if found and second % 2:  # every other second only the first endpoint has news
            rows = (rows[0], found[-1].endpoints[1]) if second not in (DOWN_FROM, DOWN_TO) else rows
        card = replace(gpu(0, 0.5 + second / 200, used=40 + second / 10), uuid="GPU-1")
        host = host_view("box", card, at=START_AT + second, gpu_history=tuple(0.5 + s / 200 for s in range(second + 1)))
        found.append(
            FleetSnapshot(
                at=START_AT + second,
                time=START_TIME + second,
                endpoints=rows,
                hosts=(host,),
                jobs=_jobs(second),
                alerts=found[-1].alerts if found and second not in (DOWN_FROM + 3, DOWN_TO + 5) else _alerts(second),
            )
        )
    return found


def _jobs(second: int) -> tuple[Job, ...]:
    if second < 10:
        return ()
    done = min(1.0, (second - 10) / 30)
    state = JobState.RUNNING if done < 1 else JobState.DONE
    order = Order("pull", "a", "qwen3:8b", {"insecure": False, "level": 2})
    return (Job("j1", order, state, created=START_TIME + 10, progress=Progress("pulling", done), user="ada"),)


def _alerts(second: int) -> tuple[Alert, ...]:
    if second < DOWN_FROM + 3:
        return ()
    raised = START_TIME + DOWN_FROM + 3
    cleared = START_TIME + DOWN_TO + 5 if second >= DOWN_TO + 5 else None
    return (
        Alert(
            "down b",
            "down",
            Severity.CRITICAL,
            "b",
            "b is DOWN",
            since=START_TIME + DOWN_FROM,
            raised_at=raised,
            evidence=("3 failed polls in a row",),
            endpoint="b",
            cleared_at=cleared,
            ending="b is OK" if cleared else "",
        ),
    )


def recorded(path: Path, seconds: int = 60, *, closed: bool = True) -> list[FleetSnapshot]:
    """Those moments in a file; what was recorded."""
    snapshots = moments(seconds)
    recorder = Recorder(path)
    for snapshot in snapshots:
        recorder.take(snapshot)
    assert not recorder.problem
    if closed:
        recorder.close()
    return snapshots


def alike(one: Any, other: Any) -> None:
    """Field by field: rows of a fleet are compared by identity otherwise."""
    assert type(one) is type(other)
    for field in dataclasses.fields(one):
        mine, theirs = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("history", "histories"):
            continue
        if isinstance(mine, tuple) and mine and dataclasses.is_dataclass(mine[0]):
            assert len(mine) == len(theirs), field.name
            for left, right in zip(mine, theirs, strict=True):
                alike(left, right)
        else:
            assert mine == theirs, field.name


def everything_in(path: Path) -> str:
    """All the text of a recording, uncompressed."""
    data, text, offset = path.read_bytes(), b"", len(MARK)
    stream = frames.Inflater()
    while offset < len(data):
        head = frames.head_of(data[offset : offset + HEAD_SIZE])
        payload = data[offset + HEAD_SIZE : offset + HEAD_SIZE + head.size]
        offset += HEAD_SIZE + head.size
        if head.kind == Kind.KEY:
            stream = frames.Inflater()
        text += stream.plain(head, payload) if head.kind in (Kind.KEY, Kind.CHANGE) else payload
    return text.decode()
