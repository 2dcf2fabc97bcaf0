"""llama-server as a router over several models, on recorded answers. What must not be asked is asserted, not hoped."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from fake_servers import Asked, Reply
from polling import facts_of, poll_once, watching
from quarterdeck.endpoints.llamacpp import NOTHING_LOADED, STILL_LOADING
from quarterdeck.model.models import ModelState
from recorded import recorded

ROUTER_PROPS = recorded("llamacpp/router_props.json")


def router(models: str, **others: Any) -> Callable[[Asked], object]:
    """Refuses, as the real one does, what would load a model; the tests look at what was asked."""

    def serve(asked: Asked) -> object:
        query = parse_qs(asked.target.partition("?")[2])
        if asked.target in others:
            return others[asked.target]
        if asked.path in ("/props", "/metrics", "/slots") and asked.target != "/props":
            if "model" not in query:
                return Reply(recorded("llamacpp/router_metrics_bare.json"), 400)
            if asked.path == "/metrics":
                return Reply(
                    recorded("llamacpp/router_metrics_b.txt"), headers={"Process-Start-Time-Unix": "2040954765"}
                )
            return recorded("llamacpp/slots.json")
        pages = {"/props": ROUTER_PROPS, "/models": recorded(f"llamacpp/{models}.json")}
        return pages.get(asked.path, pages["/models"] if asked.path == "/v1/models" else None)

    return serve


def never_loads(targets: list[str]) -> None:
    """Every per-model page carries autoload=false."""
    for target in targets:
        path, _, query = target.partition("?")
        if path in ("/metrics", "/slots") or "model=" in query:
            assert parse_qs(query).get("autoload") == ["false"], target
            assert parse_qs(query).get("model"), target


async def test_a_router_tells_its_models() -> None:
    async with watching(router("router_models"), "auto") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        assert "/slots" not in {one.path for one in watch.server.asked}
    assert facts.engine == "llamacpp"
    entries = json.loads(recorded("llamacpp/router_models.json"))["data"]
    assert [m.id for m in facts.models] == [entry["id"] for entry in entries]
    states = {"loaded": ModelState.LOADED, "unloaded": ModelState.INSTALLED}
    assert [m.state for m in facts.models] == [states[entry["status"]["value"]] for entry in entries]
    loaded = [entry["id"] for entry in entries if entry["status"]["value"] == "loaded"]
    assert [e.label for e in facts.engines] == loaded
    assert {e.generation_tokens for e in facts.engines} == {16}
    assert dict(facts.identity) == {"most models at once": "2", "loads on demand": "yes"}
    assert facts.origins["running"] == "/metrics?model=… llamacpp:requests_processing"


async def test_a_router_without_loaded_models_is_asked_for_none_of_them() -> None:
    async with watching(router("router_models_0"), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        assert {one.path for one in watch.server.asked} == {"/props", "/models"}
    assert (facts.engines, facts.notes) == ((), (NOTHING_LOADED,))
    assert facts.origins["models"] == "/models"
    assert {m.state for m in facts.models} == {ModelState.INSTALLED}


async def test_a_router_whose_model_is_loading() -> None:
    async with watching(router("router_models_loading"), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        assert {one.path for one in watch.server.asked} == {"/props", "/models"}
    (loading,) = [m.id for m in facts.models if m.state is ModelState.LOADING]
    assert facts.notes == (STILL_LOADING.format(loading),)


async def test_a_model_unloaded_between_the_list_and_its_page() -> None:
    gone = Reply(recorded("llamacpp/router_unloaded.json"), 400)
    serve = router("router_models", **{"/metrics?model=tiny-a&autoload=false": gone})
    facts = facts_of(await poll_once(serve, "llamacpp"))
    assert "tiny-a" not in [e.label for e in facts.engines]
    assert facts.engines


async def test_names_of_models_cannot_smuggle_a_query() -> None:
    name = "a&autoload=true#/../unload?x"
    models = {"data": [{"id": name, "status": {"value": "loaded"}}, {"id": "b\x1b[2J", "status": {"value": "failed"}}]}
    async with watching(router("router_models", **{"/models": models}), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        never_loads(watch.server.targets)
        (asked,) = [one for one in watch.server.asked if one.path == "/metrics"]
    assert parse_qs(asked.target.partition("?")[2])["model"] == [name]
    assert [m.id for m in facts.models] == [name, "b"]


async def test_states_of_routed_models() -> None:
    words = ["loaded", "loading", "downloading", "sleeping", "unloaded", "dreaming", None]
    models = [{"id": f"m{i}", "status": {"value": word}} for i, word in enumerate(words)]
    models.append({"id": "broken", "status": {"value": "unloaded", "failed": True, "exit_code": 1}})
    facts = facts_of(await poll_once(router("router_models", **{"/models": {"data": models}}), "llamacpp"))
    assert [m.state.value for m in facts.models] == [
        "loaded", "loading", "loading", "sleeping", "installed", "served", "served", "failed",
    ]  # fmt: skip


async def test_many_loaded_models_do_not_become_many_requests() -> None:
    models = {"data": [{"id": f"m{i}", "status": {"value": "loaded"}} for i in range(100)]}
    async with watching(router("router_models", **{"/models": models}), "llamacpp") as watch:
        facts = facts_of(await watch.poll())
        assert len(watch.server.asked) <= 10
    assert len(facts.models) == 100
