"""Telling engines apart, and the requests that no poll may ever send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import parse_qs

import pytest

from fake_servers import Asked, Recorder, Reply, free_port, pages_server
from polling import facts_of, poll_once, watching
from quarterdeck.config.fleet import ENGINES, EndpointSpec
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.endpoints.fingerprint import fingerprint
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure
from quarterdeck.wire.http import Fetch, Target
from recorded import recorded

UNAUTHORIZED = Reply({"error": "Unauthorized"}, 401)


def listing(owner: object, *more: str) -> dict[str, object]:
    return {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": owner}, *({"id": m} for m in more)]}


SERVERS: dict[str, tuple[str, dict[str, object]]] = {
    "ollama": ("ollama", {"/v1/models": listing("library"), "/api/version": {"version": "0.32.15"}, "/api/ps": {"models": []}}),
    "ollama, own namespace": ("ollama", {"/v1/models": listing("mario"), "/api/version": {"version": "0.33.0"}}),
    "ollama, no models": ("ollama", {"/v1/models": {"object": "list", "data": None}, "/api/version": {"version": "0.33.0"}}),
    "old ollama": ("ollama", {"/api/version": {"version": "0.1.20"}, "/api/tags": {"models": []}}),
    "vllm": ("vllm", {"/v1/models": recorded("vllm/models.json"), "/version": recorded("vllm/version.json")}),
    "vllm with a key": ("vllm", {"/v1/models": UNAUTHORIZED, "/version": {"version": "0.33.0"}, "/metrics": b""}),
    "sglang": ("sglang", {"/v1/models": listing("sglang"), "/api/tags": {"models": []}, "/": '"SGLang is running"'}),
    "llama-server": ("llamacpp", {"/v1/models": recorded("llamacpp/v1_models.json"), "/props": recorded("llamacpp/props.json")}),
    "router": ("llamacpp", {"/v1/models": recorded("llamacpp/router_models_0.json"), "/props": recorded("llamacpp/router_props.json")}),
    "router, no models": ("llamacpp", {"/v1/models": {"data": []}, "/props": recorded("llamacpp/router_props.json")}),
    "llama-swap": ("llama-swap", {"/v1/models": listing("llama-swap"), "/api/version": {"version": "250", "commit": "a", "build_date": "b"}}),
    "llama-swap, no models": ("llama-swap", {"/v1/models": {"data": []}, "/api/version": {"version": "250", "commit": "a", "build_date": "b"}}),
    "sglang with a key": ("sglang", {"/v1/models": UNAUTHORIZED, "/metrics": recorded("sglang/metrics_tp2.txt"), "/v1/loads": UNAUTHORIZED}),
    "sglang as ollama": ("sglang", {"/v1/models": listing("sglang"), "/api/tags": {"models": []}, "/api/show": {}, "/": "Ollama is running"}),
    "lm studio": ("lmstudio", {"/v1/models": listing("organization_owner"), "/api/v1/models": recorded("lmstudio/v1_models.json")}),
    "lm studio, no models": ("lmstudio", {"/v1/models": {"data": []}, "/api/v1/models": {"models": []}}),
    "lm studio before 0.4": ("lmstudio", {"/v1/models": listing("organization_owner"), "/api/v0/models": recorded("lmstudio/v0_models.json")}),
    "old lm studio": ("lmstudio", {"/v1/models": listing("x"), "/api/v0/models": recorded("lmstudio/v0_models.json"), "*": {"error": "Unexpected endpoint"}}),
    "litellm": ("litellm", {"/v1/models": recorded("litellm/v1_models.json"), "/health/readiness": recorded("litellm/readiness.json")}),
    "litellm with a key": ("litellm", {"*": Reply(recorded("litellm/unauthorized.json"), 401), "/health/readiness": recorded("litellm/readiness.json")}),
    "tgi": ("tgi", {"/v1/models": listing("m/m"), "/info": recorded("tgi/info.json")}),
    "llama-cpp-python": ("openai", {"/v1/models": listing("me")}),
    "bare list": ("openai", {"/v1/models": [{"id": "m"}]}),
}  # fmt: skip


async def name_of(pages: Mapping[str, object], base: str = "") -> str:
    async with pages_server(pages) as server:
        fetch = Fetch(Target(server.url + base))
        try:
            return await fingerprint(fetch)
        finally:
            await fetch.close()


@pytest.mark.parametrize("server", SERVERS)
async def test_every_engine_is_known_by_its_answers(server: str) -> None:
    name, pages = SERVERS[server]
    assert await name_of(pages) == name


async def test_an_engine_below_a_path() -> None:
    pages = {"/gpu1/v1/models": recorded("vllm/models.json")}
    assert await name_of(pages, "/gpu1") == "vllm"
    assert await name_of({"/gpu1/v1/models": UNAUTHORIZED, "/gpu1/version": {"version": "0.33.0"}}, "/gpu1") == "vllm"
    assert await name_of({"/openai/v1/models": listing("x")}, "/openai/v1") == "openai"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"<!doctype html><html><title>App</title></html>", Outcome.FOREIGN),
        (b"OK", Outcome.FOREIGN),
        (b"", Outcome.FOREIGN),
        ({}, Outcome.FOREIGN),
        ({"status": "ok"}, Outcome.FOREIGN),
        ({"data": "x", "models": None, "version": None}, None),
        ({"version": "1"}, None),
        ([], None),
        ({"data": []}, None),
        ({"models": []}, None),
    ],
)
async def test_servers_that_answer_everything_alike_are_never_taken_for_an_engine_with_load(
    body: object, outcome: Outcome | None
) -> None:
    reading = await poll_once({"*": body}, "auto")
    if outcome is not None:
        assert reading.outcome is outcome
        assert reading.reason == "answers, but not as any model server that is known here"
    if reading.facts is not None:
        assert reading.facts.engine in ("openai", "lmstudio")
        assert reading.facts.engines == ()
        assert reading.facts.models == ()


async def test_a_server_that_refuses_everything() -> None:
    assert (await poll_once({"*": UNAUTHORIZED}, "auto")).outcome is Outcome.AUTH
    assert (await poll_once({"*": Reply(b"", 403)}, "auto")).outcome is Outcome.AUTH
    broken = await poll_once({"*": Reply(b"", 500)}, "auto")
    assert broken.outcome in (Outcome.FAILED, Outcome.FOREIGN)


async def test_an_endpoint_that_becomes_another_engine_is_recognised_anew() -> None:
    pages: dict[str, object] = dict(SERVERS["ollama"][1])
    async with watching(pages, "auto") as watch:
        assert facts_of(await watch.poll()).engine == "ollama"
        pages.clear()
        pages.update({"/v1/models": recorded("vllm/models.json"), "/metrics": recorded("vllm/idle.txt")})
        assert (await watch.poll()).outcome is Outcome.FAILED
        assert facts_of(await watch.poll()).engine == "vllm"


async def test_an_engine_is_asked_for_once() -> None:
    async with watching({**SERVERS["vllm"][1], "/metrics": recorded("vllm/idle.txt")}, "auto") as watch:
        for _ in range(5):
            await watch.poll()
        assert watch.server.targets.count("/v1/models") == 2


async def test_what_cannot_be_reached_says_why() -> None:
    endpoint = Endpoint(EndpointSpec("e", f"http://127.0.0.1:{free_port()}"))
    reading = await endpoint.poll()
    assert (reading.outcome, reading.reason, reading.latency_s) == (Outcome.REFUSED, "connection refused", None)
    await endpoint.close()


FORBIDDEN = re.compile(
    r"/(health|health_generate|health/|unload|api/models/unload.*|upstream/.*|is_sleeping|load|models/(load|unload).*|api/generate|api/chat"
    r"|v1/(chat/.*|completions|embeddings)|sleep|wake_up|start_profile|api/show|api/pull)"
)
"""WIRE §0.2: SGLang's /health generates a token, LiteLLM's calls every model, llama-swap's /unload is an action …"""


def check_harmless(asked: list[Asked], *, may_read_slots: bool, is_vllm: bool = False) -> None:
    """What any server was asked must change nothing there, whoever it turns out to be."""
    for one in asked:
        assert one.method == "GET", one.target
        if is_vllm and one.path == "/health":
            continue
        assert not FORBIDDEN.fullmatch(one.path), one.target
        if one.path == "/slots":
            assert may_read_slots, one.target
        if "model=" in one.target:
            assert parse_qs(one.target.partition("?")[2]).get("autoload") == ["false"], one.target


ANSWERS: dict[str, object] = {
    "everything is a list of models": {
        "data": [{"id": "m", "status": {"value": "loaded"}}],
        "models": [],
        "loads": [{}],
    },
    "everything is a router": {
        "role": "router",
        "build_info": "b",
        "data": [{"id": "m", "status": {"value": "unloaded"}}],
    },
    "everything is a sleeping server": {"is_sleeping": True, "build_info": "b", "version": "1"},
    "everything is empty": b"",
    "everything is missing": Reply(b"", 404),
    "everything is forbidden": Reply(b"", 403),
    "everything is broken": Reply(b"", 500),
    "everything idles": b"llamacpp:requests_processing 0\nllamacpp:tokens_predicted_total 5\nvllm:num_requests_running 0\n",
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("answers", [*ANSWERS, *SERVERS])
async def test_no_request_does_harm(engine: str, answers: str) -> None:
    pages = {"*": ANSWERS[answers]} if answers in ANSWERS else SERVERS[answers][1]
    async with watching(pages, engine) as watch:
        await watch.poll()
        await watch.poll(20.0)
        check_harmless(watch.server.asked, may_read_slots=False, is_vllm=answers == "vllm")
        assert len(watch.server.asked) <= 24


async def test_discovery_asks_nothing_else() -> None:
    async def ask(server: Recorder) -> None:
        fetch = Fetch(Target(server.url))
        try:
            await fingerprint(fetch)
        except Failure:
            pass
        finally:
            await fetch.close()

    allowed = {
        "/v1/models", "/api/version", "/version", "/props", "/health/readiness", "/api/v1/models", "/api/v0/models", "/info",
        "/metrics",
    }  # fmt: skip
    for answers in [{"*": body} for body in ANSWERS.values()] + [pages for _, pages in SERVERS.values()]:
        async with pages_server(answers) as server:
            await ask(server)
            assert {one.target for one in server.asked} <= allowed
            check_harmless(server.asked, may_read_slots=False)


async def test_polls_of_one_endpoint_are_cancelled_cleanly() -> None:
    async with pages_server(lambda _: Reply(b"", 404)) as server:
        endpoint = Endpoint(EndpointSpec("e", server.url))
        poll = asyncio.create_task(endpoint.poll())
        await asyncio.sleep(0)
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        assert (await endpoint.poll()).outcome is Outcome.FOREIGN
        await endpoint.close()


@pytest.mark.parametrize(
    ("reply", "outcome", "reason"),
    [
        (Reply(b"", 502), Outcome.FAILED, "502: the proxy can't reach the server behind it"),
        (Reply(b"", 429), Outcome.BUSY, "429: too many requests"),
        (Reply(b"", 302, {"Location": "https://elsewhere/x"}), Outcome.FAILED, "302: redirects to https://elsewhere/x"),
        (Reply(b"x" * (2**20 + 1)), Outcome.FAILED, "the answer is larger than 1 MiB"),
    ],
)
async def test_what_keeps_a_server_from_being_known_is_said(reply: Reply, outcome: Outcome, reason: str) -> None:
    reading = await poll_once({"*": reply}, "auto")
    assert reading.outcome is outcome
    assert reading.reason.startswith(reason)


async def test_a_url_of_a_page_instead_of_a_server_is_pointed_out() -> None:
    reading = await poll_once({}, "auto", base="/metrics")
    assert reading.outcome is Outcome.FOREIGN
    assert reading.reason.endswith("asked below /metrics; is the URL the server's root?")
