"""SGLang. Nobody here has one: its pages in tests/data/sglang are hand-made from its source and documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints import sglang
from quarterdeck.endpoints.sglang_page import WANTED
from quarterdeck.model.models import ModelState
from quarterdeck.model.rates import Sample, engine_rates, progress_mark
from quarterdeck.model.reading import Outcome
from recorded import recorded, value

MODELS = {"data": [{"id": "qwen", "owned_by": "sglang", "root": "qwen", "max_model_len": 4096}]}
LOADS = recorded("sglang/loads.json")
TP2 = recorded("sglang/metrics_tp2.txt")
DP2 = recorded("sglang/metrics_dp2.txt")


def load(rank: int, running: int = 3, **others: object) -> dict[str, object]:
    return {
        "dp_rank": rank,
        "num_running_reqs": running,
        "num_waiting_reqs": 5,
        "token_usage": 0.5,
        "gen_throughput": 123.5,
        "max_running_requests": 64,
        **others,
    }


def loads_of(*loads: object) -> dict[str, object]:
    return {"timestamp": "2026-11-22T09:15:23+00:00", "version": "0.5.23", "loads": list(loads)}


def pages(loads: object = LOADS, metrics: object = None, **others: object) -> dict[str, Any]:
    return {
        "/v1/loads": loads,
        "/v1/models": MODELS,
        "/model_info": {"model_path": "Qwen/Qwen3-8B", "weight_version": "default"},
        **({"/metrics": metrics} if metrics is not None else {}),
        **others,
    }


async def test_load_without_metrics() -> None:
    async with watching(pages(), "sglang") as watch:
        reading = await watch.poll()
        assert watch.server.targets == ["/v1/loads?include=all", "/metrics", "/v1/models", "/model_info"]
    engine, facts = engine_of(reading), facts_of(reading)
    assert (engine.label, engine.running, engine.waiting) == ("0", 3, 7)
    assert engine.waiting_by_reason == (("queue", 5), ("grammar", 2))
    assert (engine.kv_used, engine.kv_capacity_tokens) == (0.5, 524288)
    assert (engine.reported_tps, engine.generation_tokens) == (123.5, None)
    assert (engine.reported_hit_rate, engine.reported_acceptance) == (0.25, 0.625)
    assert (facts.engine, facts.version) == ("sglang", "0.5.23")
    assert facts.notes == (sglang.NO_METRICS, sglang.REPORTED)
    assert facts.max_adapters == 8
    assert dict(facts.identity) == {
        "model path": "Qwen/Qwen3-8B",
        "weight version": "default",
        "accelerator": "NVIDIA H100 ×2",
        "most running": "64",
        "weights": "15.2 GiB",
        "KV cache": "42.0 GiB",
        "CUDA graphs": "2.0 GiB",
        "LoRA slots": "3 of 8 in use",
        "accepted per step": "2.88 tokens",
    }
    assert [(m.id, m.context_length, m.state) for m in facts.models] == [("qwen", 4096, ModelState.LOADED)]
    assert facts.origins["running"] == "/v1/loads num_running_reqs"


async def test_metrics_add_counters_and_latencies() -> None:
    facts = facts_of(await poll_once(pages(metrics=TP2), "sglang"))
    (engine,) = facts.engines
    decode = {"mode": "decode", "tp_rank": "0"}
    name = "sglang:realtime_tokens_total"
    assert engine.generation_tokens == value("sglang/metrics_tp2.txt", name, **decode) == 7000
    assert (engine.prompt_tokens, engine.cached_tokens, engine.cached_apart) == (3000, 1000, True)
    assert (engine.cache_queries, engine.cache_hits) == (4000, 1000)
    assert (engine.preemptions, engine.requests) == (2, 40)
    assert (engine.running, engine.waiting) == (3, 7)  # as /v1/loads tells them
    assert engine.ttft is not None
    assert engine.ttft.counts == (10, 35, 40)
    assert engine.itl is not None
    assert engine.itl.counts == (6000, 6960)
    assert engine.e2e is not None
    assert engine.e2e.bounds[0] == 1.0
    assert engine.queue is not None
    assert engine.queue.counts == (30, 39, 40)
    assert facts.notes == ()
    assert facts.origins["ttft"] == "/metrics sglang:time_to_first_token_seconds_bucket"
    assert facts.origins["running"] == "/v1/loads num_running_reqs"


async def test_what_counts_at_the_end_of_requests_is_no_progress() -> None:
    """generation_tokens_total stands still while a long answer is written: STALLED would be wrong."""
    without = b"\n".join(line for line in TP2.split(b"\n") if b"realtime" not in line)
    engine = engine_of(await poll_once(pages(metrics=without), "sglang"))
    assert (engine.generation_tokens, progress_mark(engine)) == (None, None)
    rates = engine_rates(Sample(0.0, (engine,)), Sample(2.0, (engine,)))["0"]
    assert rates.generation_tps == 123.5


async def test_metrics_alone() -> None:
    for loads in (None, Reply(b"", 404)):
        facts = facts_of(await poll_once(pages(loads=loads, metrics=TP2), "sglang"))
        (engine,) = facts.engines
        assert (engine.running, engine.waiting, engine.kv_used, engine.kv_capacity_tokens) == (3, 5, 0.5, 524288)
        assert (engine.reported_hit_rate, engine.reported_acceptance) == (0.25, 0.625)
        assert facts.notes == ()
        assert facts.origins["running"] == "/metrics sglang:num_running_reqs"


async def test_an_older_page_without_ranks() -> None:
    page = b'sglang:num_running_reqs{model_name="q"} 2\nsglang:num_queue_reqs{model_name="q"} 1\nsglang:gen_throughput 40\n'
    engine = engine_of(await poll_once(pages(loads=None, metrics=page), "sglang"))
    assert (engine.label, engine.running, engine.waiting, engine.reported_tps) == ("0", 2, 1, 40)


async def test_ranks_are_kept_apart_whatever_their_tensor_rank() -> None:
    body = loads_of(load(0), load(1, 1, gen_throughput=50.0))
    facts = facts_of(await poll_once(pages(body, metrics=DP2), "sglang"))
    assert [(e.label, e.running, e.generation_tokens, e.reported_tps) for e in facts.engines] == [
        ("0", 3, 7000, 123.5),
        ("1", 1, 2000, 50.0),
    ]
    assert [(e.requests, e.ttft) for e in facts.engines] == [(None, None)] * 2
    assert facts.notes == ()
    assert facts.whole is not None
    assert facts.whole.ttft is not None
    alone = facts_of(await poll_once(pages(None, metrics=DP2), "sglang"))
    assert [(e.label, e.running, e.waiting) for e in alone.engines] == [("0", 3, 5), ("1", 1, 0)]


async def test_several_ranks_one_of_them_idle() -> None:
    facts = facts_of(await poll_once(pages(loads_of(load(0), load(1, 0), load(2, token_usage=1.5))), "sglang"))
    assert [(e.label, e.reported_tps) for e in facts.engines] == [("0", 123.5), ("1", 0.0), ("2", 123.5)]
    assert [e.kv_used for e in facts.engines] == [0.5, 0.5, None]


async def test_stages_of_disaggregated_serving_are_parts_of_the_queue() -> None:
    stages = {"mode": "prefill", "prefill_bootstrap_queue_reqs": 2, "prefill_inflight_queue_reqs": 1}
    engine = engine_of(await poll_once(pages(loads_of(load(0, disaggregation=stages))), "sglang"))
    assert (engine.waiting, engine.waiting_by_reason) == (
        5,
        (("queue", 2), ("prefill bootstrap", 2), ("prefill in flight", 1)),
    )


@pytest.mark.parametrize("status", [400, 422, 500])
async def test_a_version_that_knows_no_such_sections(status: int) -> None:
    def serve(asked: Asked) -> object:
        if asked.target == "/v1/loads?include=all":
            return Reply({"detail": "Invalid include sections"}, status)
        return pages(loads_of(load(0))).get(asked.path)

    async with watching(serve, "sglang") as watch:
        assert engine_of(await watch.poll()).running == 3
        assert engine_of(await watch.poll()).running == 3
        assert watch.server.targets.count("/v1/loads?include=all") == 1


async def test_what_is_missing_is_asked_for_once_a_minute() -> None:
    served = pages()
    async with watching(served, "sglang") as watch:
        for _ in range(20):
            await watch.poll(2.0)
        assert watch.server.targets.count("/metrics") == 1
        served["/metrics"] = TP2
        assert engine_of(await watch.poll(30.0)).generation_tokens == 7000


async def test_a_broken_metrics_page_costs_only_itself() -> None:
    facts = facts_of(await poll_once(pages(metrics=Reply(b"", 500)), "sglang"))
    assert facts.engines[0].running == 3
    assert facts.notes[0].startswith("/metrics: 500")


async def test_without_the_key_the_open_page_tells_the_load() -> None:
    refused = Reply({"error": "Unauthorized"}, 401)
    served = {"/metrics": TP2, "*": refused}
    async with watching(served, "sglang") as watch:
        for _ in range(5):
            reading = await watch.poll(2.0)
            assert reading.outcome is Outcome.AUTH
            assert facts_of(reading).engines[0].running == 3
        assert watch.server.targets.count("/v1/loads?include=all") == 1
        assert "/v1/models" not in watch.server.targets
        served.update(pages(metrics=TP2))
        assert (await watch.poll(20.0)).outcome is Outcome.ANSWERED
    assert (await poll_once({"*": refused}, "sglang")).facts is None


async def test_a_server_that_tells_no_load() -> None:
    facts = facts_of(await poll_once(pages(loads=None), "sglang"))
    assert (facts.engines, facts.notes) == ((), (sglang.NO_LOADS,))
    assert len(facts.models) == 1


@pytest.mark.parametrize(
    "answers", [{}, {"*": b"<html>"}, {"/v1/models": {"data": [{"id": "sglang", "owned_by": "vllm", "x": "sglang"}]}}]
)
async def test_what_is_not_sglang(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "sglang")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as SGLang")


def test_the_hand_made_pages_hold_what_is_read() -> None:
    seen = {line.partition(b"{")[0].decode() for line in TP2.split(b"\n") if line[:1] not in (b"#", b"")}
    assert seen - {"sglang:generation_tokens_total"} <= WANTED
    assert WANTED - seen == {"sglang:time_per_output_token_seconds_bucket"}
    assert json.loads(LOADS)["loads"][0]["num_running_reqs"] == 3
