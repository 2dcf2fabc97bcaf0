"""Whatever a server says, a poll ends with a reading that is safe to show."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_servers import Asked, Reply
from polling import watching
from quarterdeck.config.fleet import ENGINES
from quarterdeck.format import printable
from quarterdeck.model.health import remember
from quarterdeck.model.limits import Limits
from quarterdeck.model.memory import NOTHING_KNOWN
from quarterdeck.model.reading import Outcome, Reading
from recorded import recorded
from sound_servers import SOUND

NASTY = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x00",
    "\ud800",
    "\u202e",
    "\r\n",
    "a\u0301" * 50,
    "\x9b31m",
    "[bold]",
    "x" * 3000,
)
KEYS = (
    "data", "models", "loads", "id", "name", "model", "owned_by", "status", "value", "version", "role", "build_info", "meta", "size",
    "n_ctx", "ftype", "details", "size_vram", "expires_at", "context_length", "max_model_len", "is_sleeping", "dp_rank", "token_usage",
    "num_running_reqs", "gen_throughput", "next_token", "n_decoded", "is_processing", "error", "message", "detail",
    "num_waiting_reqs", "queues", "disaggregation", "memory", "lora", "speculative", "accelerator", "running", "state", "key",
    "loaded_instances", "config", "quantization", "model_name", "litellm_params", "api_base", "model_info", "in_flight_requests",
    "queued_requests", "db", "model_id", "max_total_tokens", "max_input_tokens", "total_slots", "model_path", "modalities", "metadata",
)  # fmt: skip
WORDS = (
    "router",
    "loaded",
    "unloaded",
    "vllm",
    "ollama",
    "llamacpp",
    "sglang",
    "library",
    "2026-11-22T15:45:43Z",
    *NASTY,
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=6)
    ),
    max_leaves=20,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=8)
METRICS = (
    "vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:kv_cache_usage_perc", "vllm:generation_tokens_total",
    "vllm:generation_tokens_created", "vllm:time_to_first_token_seconds_bucket", "vllm:engine_sleep_state",
    "llamacpp:requests_processing", "llamacpp:requests_deferred", "llamacpp:tokens_predicted_total",
    "sglang:num_running_reqs", "sglang:realtime_tokens_total", "sglang:max_total_num_tokens", "sglang:queue_time_seconds_bucket",
    "litellm_in_flight_requests", "litellm_spend_metric_total", "litellm_deployment_state", "litellm_proxy_total_requests_metric_total",
    "tgi_batch_current_size", "tgi_request_failure", "tgi_request_duration_bucket",
)  # fmt: skip


@st.composite
def metric_pages(draw: st.DrawFn) -> bytes:
    """A metrics page with strange labels and numbers."""
    lines = []
    for name in draw(st.lists(st.sampled_from(METRICS), max_size=12)):
        label = draw(st.sampled_from(["", "0", "1", *NASTY]))
        le = draw(st.sampled_from(["0.1", "+Inf", "-Inf", "NaN", "", "x"]))
        number = draw(
            st.one_of(
                st.floats().map(repr), st.integers(-(10**30), 10**30).map(str), st.sampled_from(["1_0", "", "nan"])
            )
        )
        told = (
            "engine",
            "sleep_state",
            "tp_rank",
            "dp_rank",
            "mode",
            "err",
            "model_id",
            "requested_model",
            "status_code",
        )
        labels = ",".join(f'{word}="{label}"' for word in draw(st.lists(st.sampled_from(told), unique=True)))
        lines.append(f'{name}{{le="{le}",{labels}}} {number}')
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


bodies = st.one_of(
    objects.map(encoded),
    values.map(encoded),
    metric_pages(),
    st.binary(max_size=200),
    st.sampled_from([b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"<html>", b'{"models":', recorded("vllm/load_1.txt")]),
)
replies = st.builds(
    Reply,
    bodies,
    st.sampled_from([200] * 12 + [204, 302, 400, 401, 403, 404, 500, 501, 503]),
    st.fixed_dictionaries(
        {}, optional={"Process-Start-Time-Unix": st.sampled_from(["1", "nan", "inf", "-1e999", "\x07"])}
    ),
)
PATHS = (
    "/v1/models", "/models", "/version", "/api/version", "/api/ps", "/api/tags", "/props", "/metrics", "/slots", "/v1/loads",
    "/health/readiness", "/api/v1/models", "/info", "/model_info", "/health/backlog", "/model/info", "/metrics/", "/api/v0/models",
    "/running",
)  # fmt: skip


@st.composite
def spoiled(draw: st.DrawFn, body: bytes) -> Reply:
    """A good answer with one thing in it that is wrong."""
    headers = draw(st.sampled_from([{}, {"Process-Start-Time-Unix": "nan"}, {"Process-Start-Time-Unix": "1e999"}]))
    if draw(st.integers(0, 4)) == 0:
        return draw(replies)
    if body[:1] in b"{[":
        return Reply(encoded(_spoiled_leaf(draw, json.loads(body))), headers=headers)
    lines = body.split(b"\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        head, _, _ = lines[at].rpartition(b" ")
        number = draw(st.sampled_from([b"NaN", b"+Inf", b"-1", b"1e300", b"1e17", b"", b"x", b"-0.0", b"0.5"]))
        lines[at] = head + b" " + number
    return Reply(b"\n".join(lines), headers=headers)


def _spoiled_leaf(draw: st.DrawFn, value: object) -> object:
    if isinstance(value, dict) and value and draw(st.integers(0, 9)):
        key = draw(st.sampled_from(sorted(value)))
        return value | {key: _spoiled_leaf(draw, value[key])}
    if isinstance(value, list) and value and draw(st.integers(0, 9)):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _spoiled_leaf(draw, value[at]), *value[at + 1 :]]
    return draw(values)


@pytest.mark.parametrize("server", SOUND)
@settings(max_examples=60)
@given(st.data())
async def test_a_good_server_that_goes_wrong_in_places(server: str, data: st.DataObject) -> None:
    sound = SOUND[server]
    pages: dict[str, Reply] = {path: Reply(body) for path, body in sound.items()}
    memory = NOTHING_KNOWN
    async with watching(pages, "llamacpp" if server == "router" else server) as watch:
        check_reading(await watch.poll())
        for after in (2.0, 20.0):
            path = data.draw(st.sampled_from(sorted(sound)))
            pages[path] = data.draw(spoiled(sound[path]))
            reading = await watch.poll(after)
            check_reading(reading)
            memory = remember(memory, reading, Limits())
            check_safe(
                (
                    memory.reason,
                    memory.trouble,
                    memory.total.generation_tps,
                    memory.total.prompt_tps,
                    memory.latencies.quantile("itl", 0.95),
                )
            )


def check_safe(found: object) -> None:
    """All text is one printable line, every number finite (an expiry may be inf: "never")."""
    if isinstance(found, str):
        assert found == printable(found, 400), repr(found)
    elif isinstance(found, float):
        assert not math.isnan(found)
    elif isinstance(found, int):
        assert abs(found) < 2**70
    elif isinstance(found, tuple | frozenset):
        for item in found:
            check_safe(item)
    elif isinstance(found, Mapping):
        check_safe((*found, *found.values()))
    elif dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            inner = getattr(found, field.name)
            if isinstance(inner, float) and field.name not in ("expires_at", "bounds"):
                assert math.isfinite(inner), field.name
            check_safe(inner)


def check_reading(reading: Reading) -> None:
    """A poll's result is complete: facts or a reason."""
    assert reading.facts is not None or reading.reason
    assert (reading.outcome is Outcome.ANSWERED) == (reading.reason == "")
    check_safe(reading)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from(PATHS), replies, min_size=4), st.data())
async def test_any_answers_make_a_reading(engine: str, pages: dict[str, Reply], data: st.DataObject) -> None:
    memory = NOTHING_KNOWN
    async with watching(pages, engine) as watch:
        for _ in range(2):
            reading = await watch.poll()
            check_reading(reading)
            memory = remember(memory, reading, Limits())
            assert memory.state is not None
            check_safe(
                (memory.reason, memory.trouble, memory.total.generation_tps, memory.latencies.quantile("ttft", 0.95))
            )
        pages |= data.draw(st.dictionaries(st.sampled_from(PATHS), replies))
        reading = await watch.poll(20.0)
        check_reading(reading)
        remember(memory, reading, Limits())
        assert len(watch.server.asked) < 60


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=40)
@given(replies)
async def test_one_answer_to_everything_makes_a_reading(engine: str, reply: Reply) -> None:
    async with watching({"*": reply}, engine) as watch:
        for after in (2.0, 20.0):
            check_reading(await watch.poll(after))


HUGE: dict[str, object] = {
    "a list of everything": {"data": [{"id": f"m{i}", "status": {"value": "loaded"}} for i in range(30_000)]},
    "models": {"models": [{"name": f"m{i}"} for i in range(30_000)]},
    "ranks": {"loads": [{"dp_rank": i} for i in range(30_000)]},
    "engines": "\n".join(f'vllm:num_requests_running{{engine="{i}"}} 1' for i in range(30_000)),
    "nine megabytes": b" " * (9 * 2**20),
    "long texts": {"data": [{"id": "x" * 1_000_000, "owned_by": "y" * 1_000_000}]},
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("what", HUGE)
async def test_huge_answers_stay_bounded(engine: str, what: str) -> None:
    async with watching({"*": Reply(HUGE[what])}, engine) as watch:
        reading = await watch.poll()
        check_reading(reading)
        assert len(watch.server.asked) < 40
    if reading.facts is not None:
        assert len(reading.facts.models) <= 2000
        assert len(reading.facts.engines) <= 1024


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_bug_in_an_adapter_is_a_reading(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from quarterdeck.wire.http import Fetch

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError(Asked)

    monkeypatch.setattr(Fetch, "get", broken)
    async with watching({}, engine) as watch:
        reading = await watch.poll()
    assert (reading.outcome, reading.reason) == (Outcome.FAILED, "the answer can't be read (ZeroDivisionError)")
