"""The three machines of the demo fleet: their GPUs, and which server of the fleet uses which."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from quarterdeck.demo.exporter import GIB, MIB, ExporterServer, Gpu, GpuState, Held, Machine
from quarterdeck.demo.llamacpp import LOADING_S, LlamaServer
from quarterdeck.demo.load import Load
from quarterdeck.demo.ollama import OllamaServer
from quarterdeck.demo.vllm import VllmServer

VLLM_SHARE = 0.92
"""``--gpu-memory-utilization``: taken at the start, whatever the load."""
_IDLE_MIB = 4.0
_CONTEXT_MIB = 420.0
"""What a process takes on a GPU before it loads anything."""
_DRIVERS_MIB = 60.0
"""What is in use without being any process's."""
_LLAMA_MIB = 17_300.0

ROTTERDAM = Machine("rotterdam", 32, 512 * GIB, 118 * GIB, base_load=0.03, cores_per_busy=1.6)
ANTWERP = Machine("antwerp", 24, 256 * GIB, 61 * GIB, base_load=0.04, cores_per_busy=2.1)
PIRAEUS = Machine("piraeus", 12, 64 * GIB, 22 * GIB, base_load=0.05, cores_per_busy=1.3)

_QWEN_PID, _LLAMA_PID, _OLLAMA_PID, _PILOT_PID = 20_417, 18_802, 6_120, 3_344

State = Callable[[], GpuState]


def h100(state: State) -> Gpu:
    """An H100."""
    return Gpu("NVIDIA H100 80GB HBM3", 81_559, idle_w=68, limit_w=700, state=state)


def l40s(state: State) -> Gpu:
    """An L40S."""
    return Gpu("NVIDIA L40S", 46_068, idle_w=33, limit_w=350, state=state)


def rtx4090(state: State) -> Gpu:
    """A GeForce under somebody's desk."""
    return Gpu("NVIDIA GeForce RTX 4090", 24_564, idle_w=21, limit_w=450, state=state)


def rotterdam(qwen: VllmServer, *, clock: Callable[[], float], born: float) -> ExporterServer:
    """Four H100, one rank of the data-parallel vLLM on each."""
    gpus = [
        h100(partial(_vllm, qwen, rank, clock, 81_559, Held(_QWEN_PID + rank, f"VLLM::EngineCore_DP{rank}", 0.0)))
        for rank in range(4)
    ]
    return ExporterServer(ROTTERDAM, gpus, busy=lambda: qwen.busy_s, clock=clock, born=born)


def antwerp(llama: VllmServer, workbench: OllamaServer, *, clock: Callable[[], float], born: float) -> ExporterServer:
    """Three L40S: two hold a tensor-parallel vLLM, the third is Ollama's."""
    workers = [Held(_LLAMA_PID + rank, f"VLLM::Worker_TP{rank}", 0.0) for rank in range(2)]
    halves = [l40s(partial(_vllm, llama, 0, clock, 46_068, worker)) for worker in workers]
    gpus = [*halves, l40s(partial(_ollama, workbench, clock))]
    return ExporterServer(ANTWERP, gpus, busy=lambda: llama.busy_s + workbench.load.busy_s, clock=clock, born=born)


def piraeus(pilot: LlamaServer, *, clock: Callable[[], float], born: float) -> ExporterServer:
    """One RTX 4090 with a llama-server."""
    gpus = [rtx4090(partial(_llama, pilot, clock))]
    return ExporterServer(PIRAEUS, gpus, busy=lambda: pilot.busy_s, clock=clock, born=born)


def _vllm(server: VllmServer, rank: int, clock: Callable[[], float], total_mib: int, worker: Held) -> GpuState:
    server.advance(clock())
    load = server.loads[rank]
    if server.down:
        return GpuState(0.0, load.warmth, _IDLE_MIB)
    memory = total_mib * VLLM_SHARE
    return _working(load, memory, Held(worker.pid, worker.title, memory - _DRIVERS_MIB))


def _ollama(server: OllamaServer, clock: Callable[[], float]) -> GpuState:
    """One runner for each model in memory, numbered by its name so that it keeps its pid."""
    server.advance(clock())
    resident = server.residency.resident
    runners = [
        Held(
            _OLLAMA_PID + sum(map(ord, entry.model.name)),
            "/usr/local/lib/ollama/llama-server",
            entry.vram / MIB + _CONTEXT_MIB,
        )
        for entry in resident
    ]
    held = sum(runner.mib for runner in runners)
    return _working(server.load, held + _DRIVERS_MIB if held else _IDLE_MIB, *runners)


def _llama(server: LlamaServer, clock: Callable[[], float]) -> GpuState:
    server.advance(clock())
    if server.down:
        return GpuState(0.0, server.load.warmth, _IDLE_MIB)
    read = 1 - server.loading_left_s / LOADING_S
    memory = _CONTEXT_MIB + (_LLAMA_MIB - _CONTEXT_MIB) * read
    return _working(server.load, memory, Held(_PILOT_PID, "llama-server", memory - _DRIVERS_MIB))


def _working(load: Load, memory_mib: float, *held: Held) -> GpuState:
    return GpuState(load.utilization, load.warmth, memory_mib, load.stalled and load.running > 0, held)
