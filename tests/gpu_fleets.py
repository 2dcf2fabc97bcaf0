"""GPUs in all kinds of states: models on them, an orphan, trouble of every sort, machines that don't answer."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

from fakes import GIB, endpoint_view, gpu, host_view, model
from quarterdeck.model.fleet import FleetSnapshot, State
from quarterdeck.model.gpu import Ecc, GpuProcess, GpuView, Holder, MigInstance, NvLink, PcieLink, Xid
from quarterdeck.model.history import History
from quarterdeck.model.host import GPU_SERIES, HostView
from quarterdeck.model.models import ModelState

WALL = 1_795_370_400.0


def held(pid: int, memory: float, model: str | None, endpoint: str, name: str = "VLLM::EngineCore") -> GpuProcess:
    return GpuProcess(
        pid, int(memory * GIB), name, "vllm", None, WALL - 9000, Holder.MODEL, endpoint, model, "vllm", (8000,)
    )


ORPHAN = GpuProcess(
    41_207,
    int(31.4 * GIB),
    "VLLM::EngineCore",
    "vllm",
    started=WALL - 11_000,
    holder=Holder.ORPHAN,
    engine="vllm",
    orphaned=True,
)
TRAINING = GpuProcess(9_120, int(6.3 * GIB), "python3 train.py --config big.yaml", "ada", "0a1b2c3d4e5f", WALL - 800)
HIDDEN = GpuProcess(77, None)


def history_of(view: GpuView, now: float, phase: float) -> History:
    """An hour of it, a sample in two seconds."""
    history = History(GPU_SERIES)
    for step in range(1800):
        at = now - 3600 + 2 * step
        wave = 0.5 + 0.5 * math.sin(at / 97 + phase)
        busy = view.utilization
        history.record(
            at,
            (
                None if busy is None or 900 < step < 960 else min(1.0, busy * (0.4 + 0.6 * wave)),
                view.memory_used_bytes,
                None if view.power_w is None else view.power_w * (0.6 + 0.4 * wave),
                None if view.temperature_c is None else view.temperature_c - 8 + 8 * wave,
                None if busy is None else busy * 0.4,
            ),
        )
    return history


def with_histories(host: HostView, now: float) -> HostView:
    found = {view.key: history_of(view, now, float(view.index)) for view in host.gpus}
    return replace(host, histories=MappingProxyType(found))


def full_gpu(index: int, **known: object) -> GpuView:
    """One of which everything is known."""
    usual: dict[str, object] = {
        "uuid": f"GPU-5e1f{index:04}-0000-1111-2222-333344445555",
        "memory_reserved_bytes": int(0.6 * GIB),
        "memory_utilization": 0.31,
        "memory_temperature_c": 66.0,
        "slowdown_c": 87.0,
        "sm_mhz": 1755.0,
        "sm_max_mhz": 1980.0,
        "memory_mhz": 2619.0,
        "memory_max_mhz": 2619.0,
        "performance_state": 0,
        "throttle": (),
        "encoder": 0.0,
        "decoder": 0.0,
        "pcie": PcieLink(5, 5, 16, 16, 1.2e9, 3.4e8),
        "nvlinks": tuple(NvLink(number, active=True, errors=0) for number in range(18)),
        "ecc": Ecc(0, 0, 0, remap_pending=False, remap_failed=False),
        "processes": (),
        "problems": ("fan: not supported by this GPU",),
    }
    return replace(gpu(index), **(usual | known))  # type: ignore[arg-type]


def gpu_fleet(now: float = 10_000.0) -> FleetSnapshot:
    """Eight GPUs that are read in full, four that an exporter tells of, a machine without and one that is gone."""
    qwen = [held(4000 + place, 72.6, "qwen3-32b", "qwen-prod", f"VLLM::Worker_TP{place}") for place in range(2)]
    gemma = held(5100, 17.8, "gemma3:27b", "ollama-lab", "llama-server")
    small = held(5200, 5.9, "qwen3:8b", "ollama-lab", "llama-server")
    box = host_view(
        "gpu-box-1",
        full_gpu(
            0,
            utilization=0.97,
            memory_used_bytes=int(73.1 * GIB),
            processes=(qwen[0],),
            throttle=("power cap",),
            power_w=699.0,
        ),
        full_gpu(1, utilization=0.95, memory_used_bytes=int(73.1 * GIB), processes=(qwen[1],), power_w=655.0),
        full_gpu(2, utilization=0.41, memory_used_bytes=int(31.2 * GIB), processes=(gemma, small, TRAINING, HIDDEN)),
        full_gpu(
            3, utilization=0.0, memory_used_bytes=int(31.6 * GIB), processes=(ORPHAN,), power_w=71.0, temperature_c=33.0
        ),
        full_gpu(
            4,
            utilization=0.88,
            throttle=("hardware thermal slowdown", "power cap"),
            temperature_c=86.0,
            ecc=Ecc(12, 2, 3, True, False),
        ),
        full_gpu(5, lost=True, at=now - 95, xids=(Xid(79, now - 97, "GPU has fallen off the bus"),), utilization=0.5),
        full_gpu(6, utilization=0.0, memory_used_bytes=0, power_w=68.0, temperature_c=30.0, pcie=PcieLink(5, 5, 8, 16)),
        full_gpu(
            7,
            utilization=None,
            problems=("utilization: not supported in MIG mode",),
            mig=(MigInstance(0, "MIG-1", "3g.40gb", 1, 0, 9 * GIB, 40 * GIB),),
        ),
        driver="580.95.05",
        cuda="13.0",
    )
    told = host_view(
        "rotterdam",
        *(
            gpu(place, 0.7 + place / 20, 73 - place * 9, processes=None, memory_reserved_bytes=GIB // 2)
            for place in range(4)
        ),
        source="http://rotterdam:9400/metrics",
    )
    gone = host_view(
        "antwerp",
        gpu(0, 0.6, 30),
        source="ssh",
        reason="connection refused",
        at=now - 80,
        cpu=None,
        memory_used_bytes=None,
    )
    bare = host_view("workstation", source="local", reason="no NVIDIA driver on this machine", cpu=0.07)
    endpoints = (
        endpoint_view(
            "qwen-prod", host="gpu-box-1", kv_used=0.34, models=(model("qwen3-32b", ModelState.LOADED),), running=12
        ),
        endpoint_view(
            "ollama-lab",
            url="http://127.0.0.1:11434",
            engine="ollama",
            host="gpu-box-1",
            models=(
                model("gemma3:27b", vram_bytes=int(17.4 * GIB), size_bytes=int(23.2 * GIB)),
                model("qwen3:8b", vram_bytes=int(5.6 * GIB), size_bytes=int(5.6 * GIB)),
            ),
        ),
        endpoint_view("coder", state=State.DOWN, reason="connection refused", host="gpu-box-1", answered=None),
    )
    hosts = tuple(with_histories(host, now) for host in (box, told, gone, bare))
    return FleetSnapshot(at=now, time=WALL, endpoints=endpoints, hosts=hosts)
