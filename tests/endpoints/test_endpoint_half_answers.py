"""Servers that answer a part of what they are asked: what is known is shown, what is not stays unknown and is told."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest

from fake_servers import Asked, Reply
from polling import facts_of, poll_once, watching
from quarterdeck.config.fleet import Auth
from quarterdeck.endpoints.llamacpp import MOST_ROUTED, NO_CACHE, NO_LATENCIES
from quarterdeck.model.reading import Outcome
from recorded import recorded

ONE_RUNNING = b"llamacpp:requests_processing 1\nllamacpp:requests_deferred 1\n"
LOADED = {"value": "loaded"}


class Router:
    """A llama.cpp router with ``count`` loaded models; ``pages`` are the answers for single models' metrics."""

    def __init__(self, count: int, pages: dict[str, Reply] | None = None) -> None:
        self.names = [f"m{i}" for i in range(count)]
        self.pages = pages or {}

    def __call__(self, asked: Asked) -> object:
        if asked.path == "/metrics":
            (model,) = parse_qs(asked.target.partition("?")[2])["model"]
            return self.pages.get(model, ONE_RUNNING)
        listing = {"data": [{"id": name, "status": LOADED} for name in self.names]}
        return {"/props": recorded("llamacpp/router_props.json"), "/models": listing, "/slots": []}.get(asked.path)


async def running(router: Router) -> tuple[list[int | None], tuple[str, ...]]:
    """Requests that run, and the notes but those that every llama-server has."""
    facts = facts_of(await poll_once(router, "llamacpp"))
    assert facts.notes[-2:] == (NO_CACHE, NO_LATENCIES)
    return [engine.running for engine in facts.engines], facts.notes[:-2]


async def test_a_router_with_more_models_than_are_read_has_no_sum() -> None:
    values, notes = await running(Router(12))
    assert values == [1] * MOST_ROUTED + [None] * (12 - MOST_ROUTED)
    assert notes == (f"load of {MOST_ROUTED} of 12 loaded models is known",)


@pytest.mark.parametrize("page", [Reply(b"", 500), Reply(b"", 429), None], ids=["500", "429", "no metrics"])
async def test_a_routed_model_whose_page_fails_is_unknown(page: Reply | None) -> None:
    values, notes = await running(Router(3, {"m1": page or Reply(b"", 404)}))
    assert values == [1, None, 1]
    assert notes == ("load of 2 of 3 loaded models is known",)


async def test_a_routed_model_that_was_unloaded_meanwhile_is_no_gap() -> None:
    assert await running(Router(3, {"m1": Reply({"error": "model is not loaded"}, 400)})) == ([1, 1], ())


async def test_all_read_is_no_note_and_all_failed_is_no_load() -> None:
    assert await running(Router(2)) == ([1, 1], ())
    broken = {name: Reply(b"", 500) for name in ("m0", "m1")}
    assert await running(Router(2, broken)) == ([None, None], ("load of 0 of 2 loaded models is known",))


async def test_routed_models_are_asked_at_the_same_time() -> None:
    together = asyncio.Barrier(4)
    router = Router(4)

    async def ask() -> None:
        async with watching(router, "llamacpp") as watch:
            fetch = watch.endpoint._fetch
            plain = fetch.optional

            async def held(path: str) -> object:
                if path.startswith("/metrics") and not together.broken and path not in seen:
                    seen.add(path)
                    await together.wait()
                return await plain(path)

            seen: set[str] = set()
            fetch.optional = held  # type: ignore[method-assign,assignment]
            reading = await watch.poll()
            assert [engine.running for engine in facts_of(reading).engines] == [1] * 4

    await asyncio.wait_for(ask(), 10)


@pytest.mark.parametrize("path", ["/version", "/v1/models"])
@pytest.mark.parametrize("status", [500, 502, 429])
async def test_a_vllm_whose_identity_page_fails_shows_its_load(path: str, status: int) -> None:
    pages: dict[str, object] = {
        "/metrics": recorded("vllm/load_1.txt"),
        "/version": {"version": "0.11.0"},
        "/v1/models": recorded("vllm/models.json"),
    }
    whole = dict(pages)
    async with watching(lambda asked: pages.get(asked.path), "vllm") as watch:
        pages[path] = Reply(b"", status)
        first = await watch.poll()
        assert (first.outcome, first.reason) == (Outcome.ANSWERED, "")
        facts = facts_of(first)
        assert facts.engines[0].running is not None
        assert facts.notes[0].startswith(f"{path}: {status}: ")
        assert (facts.version is None) == (path == "/version")
        assert (facts.models == ()) == (path == "/v1/models")
        pages.update(whole)
        before = len(watch.server.asked)
        assert facts_of(await watch.poll()).notes == facts.notes
        assert [one.path for one in watch.server.asked[before:]] == ["/metrics"]  # not asked again at once
        good = facts_of(await watch.poll(after=20))
        assert (good.version, good.notes) == ("0.11.0", ())
        assert good.models
        pages[path] = Reply(b"", status)
        later = facts_of(await watch.poll(after=20))
        assert (later.version, later.models) == (good.version, good.models)


async def test_a_vllm_without_load_and_identity_is_down_with_the_servers_words() -> None:
    reading = await poll_once({"/version": Reply(b"", 502)}, "vllm")
    assert (reading.outcome, reading.reason) == (Outcome.FAILED, "502: the proxy can't reach the server behind it")


async def test_a_wrong_key_is_refused_once_a_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-wrong-0123456789")
    pages: dict[str, object] = {"*": Reply({"error": "Unauthorized"}, 401)}
    async with watching(pages, "auto", auth=Auth(env="MY_KEY")) as watch:
        counts = []
        for after in (2.0, 2.0, 2.0, 60.0, 2.0):
            before = len(watch.server.asked)
            assert (await watch.poll(after)).outcome is Outcome.AUTH
            counts.append(len(watch.server.asked) - before)
        assert counts == [9, 1, 1, 9, 1]
        pages["/v1/models"] = recorded("vllm/models.json")
        pages["/metrics"] = recorded("vllm/idle.txt")
        assert facts_of(await watch.poll()).engine == "vllm"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"object": "list", "data": None}, Outcome.ANSWERED),
        ({"object": "list"}, Outcome.FOREIGN),
        ({"data": None}, Outcome.FOREIGN),
        ({"object": "list", "data": {}}, Outcome.FOREIGN),
    ],
)
async def test_a_list_of_no_models(body: object, outcome: Outcome) -> None:
    reading = await poll_once({"/v1/models": body}, "openai")
    assert reading.outcome is outcome
    assert reading.facts is None or reading.facts.models == ()
