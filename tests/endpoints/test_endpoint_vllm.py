"""vLLM, on recorded pages and on the names of older versions."""

from __future__ import annotations

import json

import pytest

from fake_servers import Asked, Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.config.fleet import Auth
from quarterdeck.endpoints.vllm import NO_PAGE, NO_STATS
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Histogram, Outcome
from recorded import recorded, samples, value

VERSION = recorded("vllm/version.json")
MODELS = recorded("vllm/models.json")


def pages(metrics: str | bytes, **others: object) -> dict[str, object]:
    body = recorded(metrics) if isinstance(metrics, str) else metrics
    return {"/metrics": body, "/version": VERSION, "/v1/models": MODELS, **others}


def histogram(page: str, name: str) -> Histogram:
    """By the full parser, summed over label sets."""
    buckets: dict[float, float] = {}
    for sample, labels, number in samples(recorded(page).decode()):
        if sample == name:
            bound = float(dict(labels)["le"])
            buckets[bound] = buckets.get(bound, 0.0) + number
    return Histogram(tuple(sorted(buckets)), tuple(buckets[bound] for bound in sorted(buckets)))


@pytest.mark.parametrize(
    "name", ["idle", "load_1", "load_3", "after", "kvpressure_1", "kvpressure_2", "lora", "sleeping"]
)
async def test_recorded_pages(name: str) -> None:
    page = f"vllm/{name}.txt"
    reading = await poll_once(pages(page), "vllm")
    assert (reading.outcome, reading.reason) == (Outcome.ANSWERED, "")
    assert reading.latency_s is not None
    assert reading.latency_s > 0
    engine = engine_of(reading)
    assert engine.label == "0"
    assert engine.running == value(page, "vllm:num_requests_running")
    assert engine.waiting == value(page, "vllm:num_requests_waiting")
    assert engine.kv_used == value(page, "vllm:kv_cache_usage_perc")
    assert engine.generation_tokens == value(page, "vllm:generation_tokens_total")
    assert engine.prompt_tokens == value(page, "vllm:prompt_tokens_total")
    assert engine.started == value(page, "vllm:generation_tokens_created")
    assert engine.steps == value(page, "vllm:iteration_tokens_total_count")
    assert engine.ttft == histogram(page, "vllm:time_to_first_token_seconds_bucket")
    assert engine.itl == histogram(page, "vllm:inter_token_latency_seconds_bucket")
    asleep = ("asleep (weights offloaded): requests wait until somebody wakes it (POST /wake_up)",)
    assert facts_of(reading).notes == (asleep if name == "sleeping" else ())


async def test_the_recorded_queue() -> None:
    engine = engine_of(await poll_once(pages("vllm/kvpressure_2.txt"), "vllm"))
    assert (engine.running, engine.waiting) == (6, 4)


async def test_identity() -> None:
    facts = facts_of(await poll_once(pages("vllm/idle.txt"), "vllm"))
    assert (facts.engine, facts.version) == ("vllm", json.loads(VERSION)["version"])
    (model,) = facts.models
    assert (model.id, model.state, model.context_length) == ("tiny-llama", ModelState.LOADED, 1024)


async def test_identity_is_asked_for_every_15_seconds_only() -> None:
    async with watching(pages("vllm/idle.txt"), "vllm") as watch:
        for _ in range(8):
            await watch.poll(2.0)
        assert [path for path in watch.server.targets if path == "/version"] == ["/version"]
        assert len(watch.server.targets) == 8 + 3
        await watch.poll(2.0)
        assert watch.server.targets[-3:] == ["/version", "/v1/models", "/health"]


def data_parallel(ranks: int, models: tuple[str, ...] = ("m",)) -> bytes:
    lines = []
    for rank in range(ranks):
        for model in models:
            at = f'{{engine="{rank}",model_name="{model}"}}'
            lines += [f"vllm:num_requests_running{at} {rank}", f"vllm:num_requests_waiting{at} 1"]
            lines += [f"vllm:kv_cache_usage_perc{at} 0.{rank}", f"vllm:generation_tokens_total{at} {rank * 100}"]
            lines += [f"vllm:generation_tokens_created{at} {1000 + rank}"]
    return "\n".join(reversed(lines)).encode()


async def test_eight_engines_behind_one_port() -> None:
    facts = facts_of(await poll_once(pages(data_parallel(8)), "vllm"))
    assert [e.label for e in facts.engines] == [str(rank) for rank in range(8)]
    assert [e.running for e in facts.engines] == list(range(8))
    assert [e.generation_tokens for e in facts.engines] == [rank * 100 for rank in range(8)]
    assert [e.kv_used for e in facts.engines] == [pytest.approx(rank / 10) for rank in range(8)]


async def test_twelve_engines_stand_in_order() -> None:
    facts = facts_of(await poll_once(pages(data_parallel(12)), "vllm"))
    assert [e.label for e in facts.engines] == [str(rank) for rank in range(12)]


async def test_several_label_sets_of_one_engine_are_one_engine() -> None:
    (_, engine) = facts_of(await poll_once(pages(data_parallel(2, ("m", "n"))), "vllm")).engines
    assert (engine.running, engine.waiting, engine.generation_tokens) == (2, 2, 200)
    assert (engine.kv_used, engine.started) == (0.1, 1001)


async def test_a_server_without_statistics() -> None:
    reading = await poll_once(pages(b'python_info{version="3.12"} 1.0\n'), "vllm")
    facts = facts_of(reading)
    assert reading.outcome is Outcome.ANSWERED
    assert (facts.engines, facts.notes) == ((), (NO_STATS,))
    assert [m.id for m in facts.models] == ["tiny-llama"]


async def test_a_server_without_a_metrics_page() -> None:
    facts = facts_of(await poll_once({"/version": VERSION, "/v1/models": MODELS}, "vllm"))
    assert (facts.engines, facts.notes) == ((), (NO_PAGE,))


async def test_a_server_that_wants_a_key_shows_its_load_all_the_same() -> None:
    reading = await poll_once(
        pages("vllm/load_1.txt", **{"/v1/models": Reply(recorded("vllm/unauthorized.json"), 401)}), "vllm"
    )
    assert (reading.outcome, reading.reason) == (Outcome.AUTH, "401: key missing or wrong")
    assert engine_of(reading).running == value("vllm/load_1.txt", "vllm:num_requests_running")
    assert facts_of(reading).version == "0.32.0"


async def test_the_key_opens_the_model_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_KEY", "sk-right-one")

    def models(asked: Asked) -> object:
        if asked.path == "/v1/models" and asked.headers.get("authorization") != "Bearer sk-right-one":
            return Reply(recorded("vllm/unauthorized.json"), 401)
        return pages("vllm/idle.txt").get(asked.path)

    reading = await poll_once(models, "vllm", auth=Auth(env="VLLM_KEY"))
    assert (reading.outcome, len(facts_of(reading).models)) == (Outcome.ANSWERED, 1)


def narrowing(page: bytes, asked: Asked, *, empty: bool) -> bytes:
    """What `name[]` does: only these samples, or nothing where several processes serve."""
    from urllib.parse import parse_qs

    names = set(parse_qs(asked.target.partition("?")[2]).get("name[]", []))
    if not names:
        return page
    lines = [] if empty else page.decode().split("\n")
    return "\n".join(line for line in lines if line.partition("{")[0] in names).encode()


async def test_only_what_is_shown_is_asked_for() -> None:
    def serve(asked: Asked) -> object:
        body = recorded(f"vllm/{'idle' if len(watch.server.asked) < 5 else 'load_3'}.txt")
        return narrowing(body, asked, empty=False) if asked.path == "/metrics" else pages(b"").get(asked.path)

    async with watching(serve, "vllm") as watch:
        readings = [await watch.poll() for _ in range(3)]
        assert watch.server.targets[0] == "/metrics"
        assert all(
            "name%5B%5D=vllm:" in t.replace("%3A", ":") for t in watch.server.targets if t.startswith("/metrics?")
        )
        assert sum("?" in t for t in watch.server.targets) == 2
    assert engine_of(readings[0]) == engine_of(await poll_once(pages("vllm/idle.txt"), "vllm"))
    assert engine_of(readings[2]) == engine_of(await poll_once(pages("vllm/load_3.txt"), "vllm"))


async def test_series_that_begin_with_the_first_request_are_seen() -> None:
    early = b'vllm:num_requests_running{model_name="m"} 0.0\n'

    def serve(asked: Asked) -> object:
        body = early if len(watch.server.asked) < 5 else recorded("vllm/0.6.txt")
        return narrowing(body, asked, empty=False) if asked.path == "/metrics" else pages(b"").get(asked.path)

    async with watching(serve, "vllm") as watch:
        assert engine_of(await watch.poll()).generation_tokens is None
        engine = engine_of(await watch.poll())
    assert engine == engine_of(await poll_once(pages("vllm/0.6.txt"), "vllm"))
    assert None not in (engine.generation_tokens, engine.kv_used, engine.itl)


async def test_a_server_that_answers_a_narrowed_request_with_nothing_is_asked_for_all() -> None:
    def serve(asked: Asked) -> object:
        body = recorded("vllm/load_1.txt")
        return narrowing(body, asked, empty=True) if asked.path == "/metrics" else pages(b"").get(asked.path)

    async with watching(serve, "vllm") as watch:
        readings = [await watch.poll() for _ in range(4)]
        metrics = [t for t in watch.server.targets if t.startswith("/metrics")]
    assert {engine_of(reading).running for reading in readings} == {
        value("vllm/load_1.txt", "vllm:num_requests_running")
    }
    assert len(metrics) == 5
    assert [("?" in target) for target in metrics] == [False, True, False, False, False]


@pytest.mark.parametrize(
    "answers",
    [
        {"*": b"<html>hello</html>"},
        {"*": {"detail": "x"}},
        {},
        {"/v1/models": {"data": [{"id": "m", "owned_by": "openai"}]}},
        {
            "/metrics": b"llamacpp:requests_processing 1\n",
            "/v1/models": {"data": [{"id": "m", "owned_by": "llamacpp"}]},
        },
    ],
)
async def test_what_is_not_vllm(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "vllm")
    assert reading.outcome is Outcome.FOREIGN
    assert reading.reason.startswith("answers, but not as vLLM")
    assert reading.facts is None


async def test_a_trailing_v1_is_dropped() -> None:
    assert (await poll_once(pages("vllm/idle.txt"), "vllm", base="/v1")).outcome is Outcome.ANSWERED


async def test_identity_that_failed_is_asked_for_again() -> None:
    failing = True

    def serve(asked: Asked) -> object:
        return Reply(b"", 500) if failing and asked.path == "/version" else pages("vllm/idle.txt").get(asked.path)

    async with watching(serve, "vllm") as watch:
        reading = await watch.poll()
        assert (reading.outcome, facts_of(reading).version) == (Outcome.ANSWERED, None)
        failing = False
        assert facts_of(await watch.poll(after=20)).version == "0.32.0"


async def test_identity_that_timed_out_is_asked_for_again() -> None:
    import asyncio

    from fake_servers import Writer, reply_of, serving
    from quarterdeck.config.fleet import EndpointSpec
    from quarterdeck.endpoints.endpoint import Endpoint

    hang = True

    async def respond(asked: Asked, writer: Writer) -> bool:
        if hang and asked.path == "/version":
            await asyncio.sleep(3600)
        writer.write(reply_of(pages("vllm/idle.txt"), asked).encoded())
        return True

    async with serving(respond) as server:
        endpoint = Endpoint(EndpointSpec("e", server.url, engine="vllm", timeout=0.3), monotonic=lambda: 0.0)
        assert (await endpoint.poll()).outcome is Outcome.TIMEOUT
        hang = False
        assert facts_of(await endpoint.poll()).version == "0.32.0"
        await endpoint.close()
