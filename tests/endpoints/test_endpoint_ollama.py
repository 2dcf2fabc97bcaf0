"""Ollama by its own interface: what is loaded and installed, what moved, and its metrics page where something adds one."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from datetime import datetime

import pytest

from fake_servers import Reply
from polling import engine_of, facts_of, poll_once, watching
from quarterdeck.endpoints.ollama_ladder import NO_LOAD, REMOTE
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from recorded import recorded, value


def ollama_pages(ps: str = "ps_two", others: Mapping[str, object] | None = None) -> dict[str, object]:
    return {
        "/api/ps": recorded(f"ollama/{ps}.json"),
        "/api/tags": recorded("ollama/tags_three.json"),
        "/api/version": {"version": "0.32.15"},
        **(others or {}),
    }


async def test_ollama_tells_what_is_loaded_and_what_is_installed() -> None:
    reading = await poll_once(ollama_pages(), "ollama")
    facts = facts_of(reading)
    assert reading.outcome is Outcome.ANSWERED
    assert (facts.engine, facts.version, facts.engines) == ("ollama", "0.32.15", ())
    assert facts.notes == (f"{NO_LOAD}; {REMOTE}",)
    assert [(m.id, m.state) for m in facts.models] == [
        ("tiny-b:latest", ModelState.LOADED),
        ("tiny-a:latest", ModelState.LOADED),
        ("tiny-copy:latest", ModelState.INSTALLED),
    ]
    ps = {entry["name"]: entry for entry in json.loads(recorded("ollama/ps_two.json"))["models"]}
    for model in facts.models[:2]:
        entry = ps[model.id]
        assert (model.size_bytes, model.vram_bytes) == (entry["size"], entry["size_vram"])
        assert model.context_length == entry["context_length"]
        assert model.parameters == entry["details"]["parameter_size"]
    assert facts.models[0].expires_at == math.inf
    expected = datetime.fromisoformat(ps["tiny-a:latest"]["expires_at"]).timestamp()
    assert facts.models[1].expires_at == expected
    installed = facts.models[2]
    assert (installed.size_bytes, installed.vram_bytes, installed.expires_at) == (452593, None, None)
    assert installed.context_length == 2048


@pytest.mark.parametrize("ps", [recorded("ollama/ps_empty.json"), {"models": None}])
async def test_ollama_with_nothing_loaded(ps: object) -> None:
    facts = facts_of(await poll_once(ollama_pages(others={"/api/ps": ps}), "ollama"))
    assert [m.state for m in facts.models] == [ModelState.INSTALLED] * 3


async def test_ollama_is_asked_little_and_harmlessly() -> None:
    async with watching(ollama_pages("ps_one"), "ollama") as watch:
        for _ in range(8):
            await watch.poll(2.0)
        assert watch.server.targets.count("/api/ps") == 8
        assert sorted(set(watch.server.targets)) == ["/api/ps", "/api/tags", "/api/version", "/metrics"]
        assert len(watch.server.targets) == 11
        assert {one.method for one in watch.server.asked} == {"GET"}


async def test_ollama_without_its_other_pages() -> None:
    facts = facts_of(await poll_once({"/api/ps": recorded("ollama/ps_one.json")}, "ollama"))
    assert facts.version is None
    assert len(facts.models) == 1


async def test_ollama_whose_identity_failed_is_asked_for_it_again() -> None:
    pages = ollama_pages(others={"/api/version": Reply(b"", 500)})
    async with watching(pages, "ollama") as watch:
        facts = facts_of(await watch.poll())
        assert (facts.version, facts.notes[0]) == (None, "version and installed models: 500: X")
        assert [m.id for m in facts.models] == ["tiny-b:latest", "tiny-a:latest"]
        pages["/api/version"] = {"version": "1.0"}
        facts = facts_of(await watch.poll())
        assert (facts.version, len(facts.models)) == ("1.0", 3)
        assert "version" not in facts.notes[0]


@pytest.mark.parametrize("answers", [{"*": {"version": "1.0"}}, {"*": [{"models": []}]}, {"*": b"Ollama is running"}])
async def test_what_is_not_ollama(answers: dict[str, object]) -> None:
    reading = await poll_once(answers, "ollama")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as Ollama")


async def test_ollama_refuses_a_host_header() -> None:
    reading = await poll_once({"*": Reply(b"", 403)}, "ollama")
    assert reading.outcome is Outcome.AUTH
    assert "Host header" in reading.reason


async def test_ollama_that_evicts_a_model_answers_late_and_stays_what_it_is() -> None:
    pages = ollama_pages()
    async with watching(pages, "auto", timeout=0.3) as watch:
        assert facts_of(await watch.poll()).version == "0.32.15"
        adapter, plain = watch.endpoint._adapter, watch.endpoint._fetch.get

        async def blocked(path: str, **how: object) -> object:
            await asyncio.sleep(3600)
            raise AssertionError(path, how)

        watch.endpoint._fetch.get = blocked  # type: ignore[method-assign,assignment]
        reading = await watch.poll()
        assert (reading.outcome, reading.reason) == (Outcome.TIMEOUT, "no answer in 0.3 s")
        watch.endpoint._fetch.get = plain  # type: ignore[method-assign]
        before = len(watch.server.asked)
        assert facts_of(await watch.poll()).version == "0.32.15"
        assert watch.endpoint._adapter is adapter
        assert watch.server.targets[before:] == ["/api/ps"]  # nothing had to be found out again


async def test_a_moved_expiry_shows_when_it_was_last_active() -> None:
    pages = ollama_pages("ps_one")
    async with watching(pages, "ollama") as watch:
        assert facts_of(await watch.poll()).active_at is None
        assert facts_of(await watch.poll()).active_at is None
        pages["/api/ps"] = recorded(
            "ollama/ps_two.json"
        )  # recorded after a request to tiny-a; tiny-b is there for ever
        facts = facts_of(await watch.poll())
        assert facts.active_at == watch.now
        assert "expires_at" in facts.origins["active_at"]
        moved_at = watch.now
        assert facts_of(await watch.poll()).active_at == moved_at
        pages["/api/ps"] = recorded("ollama/ps_empty.json")
        assert facts_of(await watch.poll()).active_at == moved_at


PROXY = recorded("ollama/metrics_proxy.txt")


async def test_a_metrics_page_is_the_best_source_and_each_number_says_so() -> None:
    facts = facts_of(reading := await poll_once(ollama_pages(others={"/metrics": PROXY}), "ollama"))
    engine, page = engine_of(reading), "ollama/metrics_proxy.txt"
    assert engine.running == value(page, "ollama_active_requests")
    assert engine.generation_tokens == value(page, "ollama_completion_tokens_total")
    assert engine.prompt_tokens == value(page, "ollama_prompt_tokens_total")
    assert engine.requests == value(page, "ollama_requests_total")
    assert engine.e2e is not None
    assert engine.e2e.counts[-1] == value(page, "ollama_request_duration_seconds_count")
    assert engine.started == value(page, "process_start_time_seconds")
    assert engine.waiting is None
    assert engine.counts_at_end
    assert facts.origins["running"] == "/metrics ollama_active_requests"
    assert facts.origins["generation_tokens"] == "/metrics ollama_completion_tokens_total"
    assert (facts.estimates, facts.notes) == (frozenset(), ())


async def test_names_that_ollamas_own_page_may_have() -> None:
    page = (
        b"ollama_requests_queued 3\nollama_queue_capacity 512\nollama_models_loaded 1\n"
        b'ollama_prompt_eval_total{model="a"} 70\nollama_eval_total{model="a"} 103\nollama_eval_total{model="b"} 7\n'
    )
    facts = facts_of(reading := await poll_once(ollama_pages(others={"/metrics": page}), "ollama"))
    engine = engine_of(reading)
    assert (engine.running, engine.waiting) == (None, 3)
    assert (engine.generation_tokens, engine.prompt_tokens) == (110, 70)
    assert facts.origins["waiting"] == "/metrics ollama_requests_queued"
    assert facts.notes == (f"{NO_LOAD}; {REMOTE}",)


@pytest.mark.parametrize("page", [b"", b"go_goroutines 7\nprocess_start_time_seconds 5\n", b"<html>", b"\xff\x00" * 99])
async def test_a_metrics_page_without_numbers_of_ollama_is_none(page: bytes) -> None:
    facts = facts_of(await poll_once(ollama_pages(others={"/metrics": page}), "ollama"))
    assert (facts.engines, facts.notes) == ((), (f"{NO_LOAD}; {REMOTE}",))


@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (Reply(b"", 404), None),
        (Reply(b"", 500), "/metrics: 500: X"),
        (Reply(b"", 401), "/metrics: 401: key missing or wrong"),
        (Reply(b"x" * (9 * 2**20)), "/metrics: the answer is larger than 8 MiB"),
    ],
)
async def test_a_metrics_page_that_goes_away_shows_at_the_next_poll(reply: Reply, note: str | None) -> None:
    pages = ollama_pages(others={"/metrics": PROXY})
    async with watching(pages, "ollama") as watch:
        assert engine_of(await watch.poll()).running == 3
        pages["/metrics"] = reply
        facts = facts_of(await watch.poll())
        assert (facts.engines, "running" in facts.origins) == ((), False)
        assert facts.notes == ((note,) if note else ()) + (f"{NO_LOAD}; {REMOTE}",)
        pages["/metrics"] = PROXY
        assert engine_of(await watch.poll(61.0)).running == 3


async def test_a_metrics_page_is_looked_for_once_a_minute() -> None:
    async with watching(ollama_pages(), "ollama") as watch:
        for _ in range(90):
            await watch.poll(2.0)
        assert watch.server.targets.count("/metrics") == 3
