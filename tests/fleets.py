"""Fleets to look at: one in all kinds of states, and one of any size whose numbers all change."""

from __future__ import annotations

import math
from dataclasses import replace

from fakes import GIB, endpoint_view, event, gpu, history, host_view, model, window
from quarterdeck.model.events import EventKind
from quarterdeck.model.fleet import Boundary, EndpointView, FleetSnapshot, State
from quarterdeck.model.latency import Latencies
from quarterdeck.model.models import ModelState
from quarterdeck.model.own import OwnRequests
from quarterdeck.model.reading import AccessLog, Deployment, EngineReading, Histogram, LoraAdapter, Spend
from quarterdeck.model.replica import ReplicaView


def wave(length: int, top: float, gap: int | None = None) -> tuple[float | None, ...]:
    """A history that rises and falls, with a gap of three at ``gap``."""
    values = [top * (0.35 + 0.6 * abs(((place * 7) % 40) / 20 - 1)) for place in range(length)]
    return tuple(None if gap is not None and gap <= place < gap + 3 else value for place, value in enumerate(values))


def load(top: float, period: float = 240.0, restarted: float | None = None, floor: float = 0.3):  # type: ignore[no-untyped-def]
    """A series that rises and falls, as a function of the seconds before now; unknown for half a minute at ``restarted``."""

    def value(ago: float) -> float | None:
        if restarted is not None and restarted <= ago < restarted + 30:
            return None
        return (
            top * (floor + (1 - floor) * (0.5 + 0.5 * math.sin(ago * 2 * math.pi / period))) * (1 - 0.1 * (ago % 7) / 7)
        )

    return value


TTFT = (0.1, 0.25, 0.5, 1.0, 2.5)
VLLM_ORIGINS = {
    "running": "/metrics vllm:num_requests_running",
    "waiting": "/metrics vllm:num_requests_waiting",
    "kv_used": "/metrics vllm:kv_cache_usage_perc",
    "generation_tokens": "/metrics vllm:generation_tokens_total",
    "finished": "/metrics vllm:request_success_total",
    "ttft": "/metrics vllm:time_to_first_token_seconds",
    "models": "/v1/models",
    "version": "/version",
}


def vllm_engine(label: str, running: int) -> EngineReading:
    """What a vLLM engine told."""
    return EngineReading(
        label,
        running=running,
        waiting=0,
        kv_used=0.62,
        kv_capacity_tokens=640_000,
        generation_tokens=81_231_554.0,
        finished=(("stop", 120_331.0), ("length", 4_410.0), ("abort", 12.0)),
        ttft=Histogram((*TTFT, math.inf), (40.0, 4_010.0, 7_700.0, 9_100.0, 9_130.0, 9_131.0)),
        started=1_795_300_000.0,
    )


def busy_history(now: float):  # type: ignore[no-untyped-def]
    """An hour of a vLLM in production that was restarted eleven minutes ago."""
    return history(
        3000,
        now=now,
        generation_tps=load(1400, restarted=660),
        prompt_tps=load(6200, 310, restarted=660),
        running=lambda ago: float(round(load(18, restarted=660)(ago) or 0)) if not 660 <= ago < 690 else None,
        waiting=lambda ago: max(0.0, float(round(9 * math.sin(ago / 170)))) if not 660 <= ago < 690 else None,
        kv_used=load(0.93, 400, restarted=660),
        ttft_p95_s=load(0.61, 180, restarted=660),
        itl_p95_s=load(0.028, 500, restarted=660, floor=0.7),
    )


def gateway(now: float = 10_000.0) -> EndpointView:
    """A LiteLLM with one deployment that is out."""
    return endpoint_view(
        "litellm",
        now=now,
        url="http://10.0.0.2:4000",
        engine="litellm",
        version="1.77.5",
        host="gate",
        running=7,
        spend=Spend(41.2371, "/metrics litellm_spend_metric_total"),
        deployments=(
            Deployment("chat", "hosted_vllm/qwen3-32b http://10.0.0.4:8000", "healthy"),
            Deployment("chat", "hosted_vllm/qwen3-32b http://10.0.0.5:8000", "outage"),
            Deployment("embed", "openai/bge-m3"),
        ),
        origins={"running": "/metrics litellm_in_flight_requests", "deployments": "/model/info"},
    )


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
                    ReplicaView("0", 7, 0, 700.0, 0.66, 2_900.0, 0.40, 0.021),
                    ReplicaView("1", 5, 0, 534.0, 0.58, 2_500.0, 0.44, 0.048, ("ITL 48 ms, the others 21 ms",)),
                ),
                odd=("engine 1: ITL 48 ms, the others 21 ms",),
                tps_history=wave(60, 1300),
                cached_tps=4_100.0,
                finished_ps=(("stop", 1.4), ("length", 0.2), ("abort", 0.1)),
                preemptions_ps=0.0,
                cache_hit_rate=0.76,
                acceptance=0.71,
                kv_capacity_tokens=1_280_000,
                latencies=Latencies(
                    last={"ttft": window(TTFT, (1, 2, 3, 3, 3, 3)), "itl": window((0.02, 0.05), (300, 2_400, 2_410))},
                    minute={
                        "ttft": window(TTFT, (3, 51, 88, 95, 96, 96)),
                        "itl": window((0.02, 0.05), (9_000, 71_000, 71_200)),
                        "e2e": window((1.0, 5.0, 20.0), (2, 40, 91, 92)),
                        "queue": window((0.01, 0.1), (90, 96, 96)),
                    },
                ),
                adapters=(LoraAdapter("sql-expert", running=True), LoraAdapter("support-de", waiting=True)),
                max_adapters=8,
                identity=(
                    ("model data type", "bfloat16"),
                    ("KV cache data type", "fp8"),
                    ("block size", "16"),
                    ("prefix caching", "on"),
                    ("tensor parallel", "2"),
                ),
                engines=(vllm_engine("0", 7), vllm_engine("1", 5)),
                origins=VLLM_ORIGINS,
                events=(
                    event(2900, "OK", "it answers", now=now),
                    event(690, "DOWN", "connection refused", now=now),
                    event(660, "restart", "counters began anew", EventKind.RESTART, now=now),
                    event(655, "OK", "it answers again", now=now),
                    event(200, "BUSY", "12 requests wait", now=now),
                    event(140, "OK", "nothing waits any more", now=now),
                ),
                history=busy_history(now),
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
                evidence=("37 waiting, the limit is 1", "KV cache 97 %, the limit is 90 %"),
                waiting_by_reason=(("capacity", 35), ("deferred", 2)),
                tps_history=wave(60, 900, gap=40),
                history=history(
                    400,
                    now=now,
                    generation_tps=load(900, 100),
                    running=lambda ago: 16.0,
                    waiting=lambda ago: max(0.0, 40.0 - ago // 4),
                    kv_used=lambda ago: max(0.4, 0.97 - ago / 900),
                ),
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
                running=2,
                estimates=frozenset({"running"}),
                origins={
                    "running": "established connections to port 11434: an upper bound",
                    "models": "/api/ps, /api/tags",
                },
                access_log=AccessLog(14.0, (("2xx", 12), ("5xx", 2)), 1.2, 8.8, "journalctl -u ollama"),
                own=OwnRequests(5, 0.31, 44.0, now - 40),
                active_at=now - 12,
                certificate_ends=1_797_000_000.0,
                history=history(
                    1200,
                    now=now,
                    vram_bytes=lambda ago: 17.4 * GIB if ago < 700 else 0.0,
                    running=lambda ago: float(ago % 200 < 60),
                ),
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
