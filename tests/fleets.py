"""Fleets to look at: one in all kinds of states, and one of any size whose numbers all change."""

from __future__ import annotations

from dataclasses import replace

from fakes import GIB, endpoint_view, gpu, host_view, model
from quarterdeck.model.fleet import Boundary, FleetSnapshot, ReplicaView, State
from quarterdeck.model.models import ModelState


def wave(length: int, top: float, gap: int | None = None) -> tuple[float | None, ...]:
    """A history that rises and falls, with a gap of three at ``gap``."""
    values = [top * (0.35 + 0.6 * abs(((place * 7) % 40) / 20 - 1)) for place in range(length)]
    return tuple(None if gap is not None and gap <= place < gap + 3 else value for place, value in enumerate(values))


def mixed_fleet(now: float = 10_000.0) -> FleetSnapshot:
    """Eight endpoints in all kinds of states on three machines with eight GPUs."""
    return FleetSnapshot(
        at=now,
        time=1_795_370_400.0,
        endpoints=(
            endpoint_view(
                "qwen-prod",
                now=now,
                host="gpu-box-1",
                running=12,
                waiting=0,
                generation_tps=1234.0,
                prompt_tps=5_400.0,
                ttft_p95_s=0.42,
                itl_p95_s=0.021,
                kv_used=0.62,
                models=(model("qwen3-32b", ModelState.SERVED, context_length=32768),),
                replicas=(
                    ReplicaView("0", 7, 0, 700.0, 0.66),
                    ReplicaView("1", 5, 0, 534.0, 0.58),
                ),
                tps_history=wave(60, 1300),
            ),
            endpoint_view(
                "llama-batch",
                now=now,
                host="gpu-box-1",
                state=State.BUSY,
                reason="37 requests wait",
                since=now - 75,
                running=16,
                waiting=37,
                generation_tps=812.0,
                prompt_tps=12_000.0,
                ttft_p95_s=8.4,
                itl_p95_s=0.048,
                kv_used=0.97,
                models=(model("meta-llama/Llama-3.3-70B-Instruct", ModelState.SERVED),),
                tps_history=wave(60, 900, gap=40),
            ),
            endpoint_view(
                "ollama-lab",
                now=now,
                url="http://127.0.0.1:11434",
                engine="ollama",
                version="0.32.15",
                host="workstation",
                models=(
                    model(
                        "gemma3:27b",
                        vram_bytes=int(17.4 * GIB),
                        size_bytes=int(21.0 * GIB),
                        context_length=8192,
                        quantization="Q4_K_M",
                        parameters="27.4B",
                        expires_at=1_795_370_400.0 + 250,
                    ),
                    model("qwen3:8b", ModelState.INSTALLED, size_bytes=int(5.2 * GIB), parameters="8.2B"),
                    model("nomic-embed-text:latest", ModelState.INSTALLED, size_bytes=274_302_450),
                ),
                notes=("Ollama tells nothing of its load: running, waiting and tok/s are unknown.",),
            ),
            endpoint_view(
                "llama-edge",
                now=now,
                url="http://10.0.0.7:8080",
                engine="llamacpp",
                version="b11434",
                host="edge-pi",
                state=State.STALE,
                reason="no answer in 2 s",
                since=now - 14,
                answered=now - 20,
                running=1,
                waiting=0,
                generation_tps=9.6,
                kv_used=0.2,
                models=(model("phi-4-mini-instruct-q4_k_m.gguf"),),
                tps_history=wave(40, 10),
            ),
            endpoint_view(
                "coder-b",
                now=now,
                url="http://10.0.0.9:8001",
                version=None,
                host="gpu-box-2",
                state=State.DOWN,
                reason="connection refused",
                since=now - 312,
                answered=None,
                latency_s=None,
            ),
            endpoint_view(
                "embed",
                now=now,
                host="gpu-box-2",
                state=State.STALLED,
                reason="4 requests run and no token came for 23 s",
                since=now - 23,
                running=4,
                waiting=9,
                generation_tps=0.0,
                prompt_tps=0.0,
                kv_used=0.41,
                models=(model("bge-m3", ModelState.SERVED),),
                tps_history=(*wave(40, 300), 0.0, 0.0, 0.0, 0.0),
            ),
            endpoint_view(
                "openrouter",
                now=now,
                url="https://openrouter.ai/api/v1",
                engine="openai",
                version=None,
                boundary=Boundary.EXTERNAL,
                interval=30.0,
                state=State.AUTH,
                reason="401: key missing or wrong",
                since=now - 4000,
                answered=None,
                latency_s=0.231,
            ),
            endpoint_view(
                "sglang-r1",
                now=now,
                url="http://10.0.0.9:30000",
                engine="sglang",
                version="0.5.4",
                host="gpu-box-2",
                state=State.RESTARTED,
                reason="counters began anew 31 s ago",
                since=now - 31,
                running=2,
                waiting=0,
                generation_tps=96.0,
                kv_used=0.08,
                models=(model("deepseek-r1-distill-32b", ModelState.SERVED),),
                tps_history=wave(12, 100),
            ),
        ),
        hosts=(
            host_view(
                "gpu-box-1",
                *(gpu(place, used / 80, used) for place, used in enumerate((71.0, 69.5, 12.0, 77.9))),
                gpu_history=wave(40, 0.9),
            ),
            host_view(
                "gpu-box-2",
                gpu(0, 0.97, 76.0, temperature_c=87.0, power_w=688.0),
                gpu(1, 0.0, 0.4, power_w=61.0, temperature_c=31.0),
                gpu(2, None, 40.0, power_w=None, problems=("utilisation: not supported",)),
                gpu(3, 0.35, 22.0),
                cpu=0.44,
            ),
            host_view("workstation", source="none", reason="no NVIDIA GPU on this machine", cpu=0.07),
        ),
    )


def many(count: int, tick: int = 0, now: float = 10_000.0) -> FleetSnapshot:
    """A fleet of ``count`` endpoints whose numbers all differ at every ``tick``."""
    states = (State.OK, State.OK, State.OK, State.BUSY, State.OK, State.DOWN)
    views = []
    for place in range(count):
        state = states[(place * 7) % len(states)]
        base = endpoint_view(
            f"node-{place:03}",
            now=now,
            host=f"box-{place // 8}",
            state=state,
            reason={State.BUSY: "requests wait", State.DOWN: "connection refused"}.get(state, ""),
            running=(place + tick) % 17,
            waiting=(place * 3 + tick) % 5 if state is State.BUSY else 0,
            generation_tps=float((place * 37 + tick * 91) % 2000),
            kv_used=((place * 13 + tick * 7) % 100) / 100,
            models=(model(f"model-{place % 9}", ModelState.SERVED),),
            tps_history=tuple(float((place * 37 + (tick + step) * 91) % 2000) for step in range(30)),
        )
        down = {"running": None, "waiting": None, "generation_tps": None, "kv_used": None, "answered": None}
        views.append(replace(base, **down) if state is State.DOWN else base)  # type: ignore[arg-type]
    return FleetSnapshot(
        at=now, time=1_795_370_400.0, endpoints=tuple(views), hosts=(host_view("box-0", gpu(0), gpu(1)),)
    )
