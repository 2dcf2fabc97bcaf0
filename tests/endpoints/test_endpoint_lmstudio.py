"""LM Studio. Its answers in tests/data/lmstudio are hand-made from its documentation."""

from __future__ import annotations

import pytest

from fake_servers import Reply
from polling import facts_of, poll_once, watching
from quarterdeck.endpoints import lmstudio
from quarterdeck.model.models import ModelState
from quarterdeck.model.reading import Outcome
from recorded import recorded

V1, V0 = recorded("lmstudio/v1_models.json"), recorded("lmstudio/v0_models.json")
UNEXPECTED = {"error": "Unexpected endpoint or method. (GET /api/v1/models)"}


async def test_loaded_instances_and_installed_models() -> None:
    async with watching({"/api/v1/models": V1}, "lmstudio") as watch:
        facts = facts_of(await watch.poll())
        await watch.poll()
        assert watch.server.targets == ["/api/v1/models"] * 2
    assert (facts.engine, facts.engines, facts.notes) == ("lmstudio", (), (lmstudio.NO_LOAD,))
    assert [(m.id, m.state, m.context_length, m.quantization, m.parameters) for m in facts.models] == [
        ("qwen/qwen3-8b", ModelState.LOADED, 8192, "4bit", "8B"),
        ("qwen/qwen3-8b:2", ModelState.LOADED, 4096, "4bit", "8B"),
        ("google/gemma-4-e4b", ModelState.INSTALLED, 131072, "Q4_K_M", "7.5B"),
        ("text-embedding-nomic", ModelState.INSTALLED, 2048, None, None),
    ]
    assert [m.size_bytes for m in facts.models] == [4623456789, 4623456789, 5335318528, 84106624]


@pytest.mark.parametrize("newer", [None, UNEXPECTED], ids=["404", "200 with an error"])
async def test_before_0_4(newer: object) -> None:
    async with watching({"/api/v1/models": newer, "/api/v0/models": V0}, "lmstudio") as watch:
        facts = facts_of(await watch.poll())
        await watch.poll()
        assert watch.server.targets == ["/api/v1/models", "/api/v0/models", "/api/v0/models"]
    assert [(m.id, m.state, m.context_length) for m in facts.models] == [
        ("granite-3.0-2b", ModelState.LOADED, 2048),
        ("qwen2-vl-7b", ModelState.INSTALLED, 32768),
    ]


async def test_before_0_3_6_it_is_not_told_what_is_loaded() -> None:
    served = {"*": UNEXPECTED, "/v1/models": {"data": [{"id": "m", "owned_by": "organization_owner"}]}}
    facts = facts_of(await poll_once(served, "lmstudio"))
    assert [(m.id, m.state) for m in facts.models] == [("m", ModelState.SERVED)]
    assert facts.notes == (lmstudio.NO_LOAD, lmstudio.NO_STATES)


async def test_an_update_under_watch_is_noticed() -> None:
    served: dict[str, object] = {"/api/v0/models": V0}
    async with watching(served, "lmstudio") as watch:
        await watch.poll()
        served.clear()
        served["/api/v1/models"] = V1
        assert (await watch.poll()).outcome is Outcome.FOREIGN
        assert len(facts_of(await watch.poll()).models) == 4


async def test_a_token_is_wanted_and_others_are_foreign() -> None:
    assert (await poll_once({"*": Reply(b"", 401)}, "lmstudio")).outcome is Outcome.AUTH
    reading = await poll_once({"*": {"models": "many"}}, "lmstudio")
    assert (reading.outcome, reading.reason) == (Outcome.FOREIGN, "answers, but not as LM Studio")
