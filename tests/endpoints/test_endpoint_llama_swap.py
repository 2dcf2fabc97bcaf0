"""llama-swap. Its answers in tests/data/llama_swap are hand-made from its source."""

from __future__ import annotations

from fake_servers import Reply
from polling import facts_of, poll_once, watching
from quarterdeck.endpoints import llama_swap
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from recorded import recorded


def pages(**others: object) -> dict[str, object]:
    return {
        "/running": recorded("llama_swap/running.json"),
        "/v1/models": recorded("llama_swap/v1_models.json"),
        "/api/version": {"version": "250", "commit": "abc1234", "build_date": "2026-08-22"},
        **others,
    }


async def test_states_of_its_models() -> None:
    async with watching(pages(), "llama-swap") as watch:
        reading = await watch.poll()
        await watch.poll()
        assert watch.server.targets == ["/running", "/api/version", "/v1/models", "/running"]
    facts = facts_of(reading)
    assert (facts.engine, facts.version, facts.identity) == ("llama-swap", "250", (("commit", "abc1234"),))
    assert [(m.id, m.state) for m in facts.models] == [
        ("qwen3-8b", ModelState.LOADED),
        ("gemma", ModelState.LOADING),
        ("old", ModelState.LOADED),
        ("mistral", ModelState.INSTALLED),
        ("remote-70b", ModelState.SERVED),
    ]
    assert (facts.engines, facts.notes) == ((), (llama_swap.NO_LOAD,))
    assert "sk-inner" not in repr(reading)  # command lines can hold keys


async def test_nothing_runs_and_nothing_more_is_told() -> None:
    facts = facts_of(await poll_once({"/running": {"running": []}}, "llama-swap"))
    assert (facts.models, facts.version) == ((), None)
    assert {
        m.state for m in facts_of(await poll_once(pages(**{"/running": {"running": None}}), "llama-swap")).models
    } == {
        ModelState.INSTALLED,
        ModelState.SERVED,
    }


async def test_refusals() -> None:
    assert (await poll_once({"*": Reply(b"", 401)}, "llama-swap")).outcome is Outcome.AUTH
    reading = await poll_once({"*": {"status": "ok"}}, "llama-swap")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as llama-swap")
