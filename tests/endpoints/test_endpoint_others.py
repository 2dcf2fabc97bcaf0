"""OpenAI-compatible servers."""

from __future__ import annotations

import pytest

from fake_servers import Reply
from polling import facts_of, poll_once, watching
from quarterdeck.endpoints import openai_compat
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome


@pytest.mark.parametrize(
    ("base", "path"),
    [("", "/v1/models"), ("/v1", "/v1/models"), ("/openai/v1", "/openai/v1/models"), ("/api/v1", "/api/v1/models")],
)
@pytest.mark.parametrize("bare", [True, False])
async def test_openai_compatible(base: str, path: str, bare: bool) -> None:
    entries = [{"id": "gpt", "context_length": 128_000}, {"id": "gpt-mini"}, {"name": "no id"}, "nonsense"]
    async with watching({path: entries if bare else {"object": "list", "data": entries}}, "openai", base=base) as watch:
        reading = await watch.poll()
        assert watch.server.targets == [path]
    facts = facts_of(reading)
    assert (facts.engine, facts.version, facts.engines, facts.notes) == ("openai", None, (), (openai_compat.NO_LOAD,))
    assert [(m.id, m.state, m.context_length) for m in facts.models] == [
        ("gpt", ModelState.SERVED, 128_000),
        ("gpt-mini", ModelState.SERVED, None),
    ]


CONTEXTS = {
    "vLLM, SGLang": {"max_model_len": 7},
    "OpenRouter, Together": {"context_length": 7, "top_provider": {"context_length": 9}},
    "OpenRouter, best provider": {"context_length": None, "top_provider": {"context_length": 7}},
    "LiteLLM": {"max_input_tokens": 7},
    "llama.cpp": {"meta": {"n_ctx": 7}},
    "DeepInfra": {"metadata": {"context_length": 7, "max_tokens": 9}},
}


@pytest.mark.parametrize("entry", CONTEXTS.values(), ids=CONTEXTS)
async def test_context_lengths_under_every_name(entry: dict[str, object]) -> None:
    (model,) = facts_of(await poll_once({"/v1/models": {"data": [{"id": "m", **entry}]}}, "openai")).models
    assert model.context_length == 7


@pytest.mark.parametrize(
    "entry", [{"metadata": None}, {"context_length": "7"}, {"context_length": -1, "meta": 5}, {"top_provider": [7]}]
)
async def test_no_context_length(entry: dict[str, object]) -> None:
    (model,) = facts_of(await poll_once({"/v1/models": [{"id": "m", **entry}]}, "openai")).models
    assert model.context_length is None


async def test_openai_compatible_below_a_path_that_is_no_base() -> None:
    async with watching({"/litellm/v1/models": {"data": []}}, "openai", base="/litellm") as watch:
        assert (await watch.poll()).outcome is Outcome.ANSWERED
        await watch.poll()
        assert watch.server.targets == ["/litellm/models", "/litellm/v1/models", "/litellm/v1/models"]


@pytest.mark.parametrize("answer", [b"<html>", {"models": []}, {"data": {}}, b"", 5])
async def test_what_is_not_openai_compatible(answer: object) -> None:
    reading = await poll_once({"*": answer}, "openai")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as an OpenAI-compatible server")


async def test_refusals_of_an_external_endpoint() -> None:
    assert (await poll_once({"*": Reply({"error": {"message": "bad"}}, 401)}, "openai")).outcome is Outcome.AUTH
    reading = await poll_once({"*": Reply({"error": {"message": "Slow down."}}, 429)}, "openai")
    assert (reading.outcome, reading.reason) == (Outcome.BUSY, "429: Slow down.")


async def test_a_reading_says_when_by_both_clocks() -> None:
    """Where the wall clock went on and the other one stood still, the machine slept between two readings."""
    async with watching({"/v1/models": {"data": []}}, "openai") as watch:
        first, second = await watch.poll(2.0), await watch.poll(3.0)
    assert (first.at, second.at) == (1002.0, 1005.0)
    assert first.wall == second.wall == 1_795_370_400.0  # the test's wall clock stands still
