"""What a look at the alert rules costs: 200 endpoints and 64 GPUs, every row new, and no row new.

python benchmarks/alerts.py      (one JSON line: median milliseconds)
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import replace

from quarterdeck.model.alerts.builtin import builtin
from quarterdeck.model.alerts.memory import NOTHING
from quarterdeck.model.alerts.watch import step
from quarterdeck.model.fleet import EndpointView, FleetSnapshot, State
from quarterdeck.model.gpu import GpuView
from quarterdeck.model.host import HostView

ENDPOINTS, HOSTS, GPUS, LOOKS = 200, 8, 8, 60


def fleet(now: float, queues: int) -> FleetSnapshot:
    """All rows new; ``queues`` of them have one."""
    endpoints = tuple(
        EndpointView(
            f"vllm-{place}",
            f"http://gpu-{place}:8000",
            host=f"gpu-{place % HOSTS}",
            engine="vllm",
            state=State.OK,
            answered=now,
            running=8,
            waiting=50 if place < queues else 0,
            kv_used=0.4,
            ttft_p95_s=0.3,
            preemptions_ps=0.0,
            finished_ps=(("stop", 2.0), ("length", 0.3), ("error", 0.0)),
        )
        for place in range(ENDPOINTS)
    )
    gpus = tuple(
        GpuView(index, temperature_c=60.0, memory_used_bytes=70, memory_total_bytes=80, throttle=(), processes=())
        for index in range(GPUS)
    )
    hosts = tuple(
        HostView(f"gpu-{place}", "nvml", at=now, gpus=gpus, disk_used_bytes=4, disk_total_bytes=9)
        for place in range(HOSTS)
    )
    return FleetSnapshot(now, 1.795e9 + now, endpoints, hosts)


def measured(queues: int) -> dict[str, float]:
    """Median milliseconds of a look."""
    rules, memory, new, same = builtin(), NOTHING, [], []
    now = 1000.0
    snapshot = fleet(now, queues)
    for _ in range(LOOKS):
        now += 1
        snapshot = fleet(now, queues)
        began = time.perf_counter()
        memory, _, _ = step(memory, snapshot, rules)
        new.append(time.perf_counter() - began)
    for _ in range(LOOKS):
        now += 1
        snapshot = replace(snapshot, at=now, time=1.795e9 + now)
        began = time.perf_counter()
        memory, _, _ = step(memory, snapshot, rules)
        same.append(time.perf_counter() - began)
    return {"all_new_ms": statistics.median(new) * 1e3, "none_new_ms": statistics.median(same) * 1e3}


if __name__ == "__main__":
    print(json.dumps({f"{queues} queues": measured(queues) for queues in (0, 20)}))
