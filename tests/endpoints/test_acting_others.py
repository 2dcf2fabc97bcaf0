"""Acting on LM Studio, llama.cpp's router, llama-swap and vLLM: small servers that remember what they were told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from acting_demo import HASTY, Script, acting, refused
from fake_servers import Asked, Reply, free_port, pages_server
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.endpoints.acting.base import Interrupted
from quarterdeck.endpoints.acting.llama_router import OLD
from quarterdeck.endpoints.acting.lmstudio import NEEDS
from quarterdeck.endpoints.acting.open import actor_for
from quarterdeck.endpoints.llamacpp import NO_ROUTER
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure


def lmstudio() -> Script:
    """One model on disk, of which any number of instances can be loaded; a download that takes three looks."""
    loaded: list[str] = []
    looks = iter((30, 60, 100))

    def models(_: Asked, __: Any) -> object:
        instances = [{"id": name, "config": {"context_length": 4096}} for name in loaded]
        return {"models": [{"key": "qwen", "loaded_instances": instances}, {"key": "other", "loaded_instances": []}]}

    def load(_: Asked, sent: Any) -> object:
        if sent["model"] != "qwen":
            return Reply({"error": {"type": "model_not_found", "message": f"Model {sent['model']} not found"}}, 404)
        loaded.append("qwen" if not loaded else f"qwen:{len(loaded) + 1}")
        return {"type": "llm", "instance_id": loaded[-1], "load_time_seconds": 9.1, "status": "loaded"}

    def unload(_: Asked, sent: Any) -> object:
        loaded.remove(sent["instance_id"])
        return sent

    def download(_: Asked, sent: Any) -> object:
        if sent["model"] == "here":
            return {"status": "already_downloaded"}
        return {"job_id": "job/1", "status": "downloading", "total_size_bytes": 100}

    def status(_: Asked, __: Any) -> object:
        done = next(looks)
        state = "completed" if done == 100 else "downloading"
        return {"job_id": "job/1", "status": state, "total_size_bytes": 100, "downloaded_bytes": done}

    return Script(
        {
            "GET /api/v1/models": models,
            "POST /api/v1/models/load": load,
            "POST /api/v1/models/unload": unload,
            "POST /api/v1/models/download": download,
            "GET /api/v1/models/download/status/job%2F1": status,
        }
    )


async def test_lm_studio() -> None:
    script = lmstudio()
    async with pages_server(script) as server, acting(EndpointSpec("e", server.url), "lmstudio") as acted:
        assert await acted.do("load", "qwen", context="8192") == "loaded in 9.1 s, as qwen"
        assert script.told[-1][1] == {"model": "qwen", "context_length": 8192}
        words = await acted.do("load", "qwen", keep_alive="1h")
        assert words == "loaded in 9.1 s, as qwen:2; LM Studio takes no keep_alive here: left as it is set there"
        await acted.do("load", "qwen")
        assert await acted.do("unload", "qwen:3") == "left memory"
        assert await acted.do("unload", "qwen") == "2 left memory"
        assert await acted.do("unload", "qwen") == "nothing of it was in memory"
        await acted.do("load", "qwen")
        assert await acted.do("unload_all") == "left memory"
        assert await acted.do("pull", model="here") == "here was there already"
        assert await acted.do("pull", model="org/new") == "pulled org/new, 100 B"
        fractions = [progress.fraction for progress in acted.said if progress.fraction is not None]
        assert len(fractions) >= 4
        assert fractions[-1] == 1.0
        with pytest.raises(Failure, match="Model nope not found"):
            await acted.do("load", "nope")


async def test_lm_studio_that_is_too_old_says_so() -> None:
    unexpected = {"*": {"error": "Unexpected endpoint or method. (POST /api/v1/models/load). Returning 200 anyway"}}
    assert (await refused(unexpected, "lmstudio", "load", "m")).reason == NEEDS
    assert (await refused(unexpected, "lmstudio", "unload_all")).reason == NEEDS
    assert (await refused({"*": Reply(b"", 405)}, "lmstudio", "pull", model="m")).reason == NEEDS


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ({"status": "failed", "message": "no space left on device"}, Failure, "the disk is full"),
        ({"status": "paused"}, Interrupted, "it is paused in LM Studio for 0.6 s"),
        ({"status": "downloading", "downloaded_bytes": 1}, Interrupted, "no progress for 0.6 s"),
        (Reply(b"", 502), Interrupted, "502"),
        (Reply({}, 401), Failure, "401: key missing or wrong"),
        ("{", Interrupted, "no progress"),
    ],
)
async def test_lm_studio_downloads_that_do_not_end(status: object, kind: type[Exception], words: str) -> None:
    pages = {
        "/api/v1/models/download": {"job_id": "j", "status": "downloading", "total_size_bytes": 9},
        "/api/v1/models/download/status/j": status,
    }
    async with pages_server(pages) as server, acting(EndpointSpec("e", server.url), "lmstudio", HASTY) as acted:
        with pytest.raises(kind, match=words.replace(".", r"\.")):
            await acted.do("pull", model="m")


def entry(name: str, value: str, **more: object) -> dict[str, object]:
    return {"id": name, "status": {"value": value, **more}}


async def test_a_router_that_downloads_and_deletes() -> None:
    looks = iter(
        [[], [entry("org/m", "downloading", progress={"u": {"done": done, "total": 100}}) for done in (10,)]]
        + [[entry("org/m", "downloading", progress={"u": {"done": 90, "total": 100}})]]
        + [[entry("org/m", "unloaded")]] * 9
    )
    script = Script(
        {
            "GET /models": lambda _, __: {"data": next(looks)},
            "GET /props": lambda _, __: {"role": "router"},
            "POST /models": lambda _, __: {"success": True},
            "DELETE /models": lambda _, __: {"success": True},
        }
    )
    async with pages_server(script) as server, acting(EndpointSpec("e", server.url), "llamacpp") as acted:
        assert await acted.do("pull", model="org/m") == "pulled org/m, 90 B"
        fractions = [progress.fraction for progress in acted.said if progress.fraction]
        assert fractions == sorted(fractions) != []
        assert await acted.do("pull", model="org/m") == "org/m was there already"
        assert await acted.do("delete", "org/m") == "deleted"
        assert script.told == [("POST /models", {"model": "org/m"}), ("DELETE /models?model=org%2Fm", {})]


@pytest.mark.parametrize(
    ("after", "kind", "words"),
    [
        ([entry("m", "unloaded", failed=True, exit_code=1)], Failure, "its process ended with exit code 1"),
        ([entry("m", "downloading", progress={"u": {"done": 1, "total": 9}})], Interrupted, r"no progress for 0\.6 s"),
        ([], Interrupted, r"no progress for 0\.6 s"),
    ],
)
async def test_router_downloads_that_do_not_end(after: list[object], kind: type[Exception], words: str) -> None:
    looks: Iterator[list[object]] = iter([[]])
    script = Script(
        {
            "GET /models": lambda _, __: {"data": next(looks, after)},
            "GET /props": lambda _, __: {"role": "router"},
            "POST /models": lambda _, __: {"success": True},
        }
    )
    async with pages_server(script) as server, acting(EndpointSpec("e", server.url), "llamacpp", HASTY) as acted:
        with pytest.raises(kind, match=words):
            await acted.do("pull", model="m")


async def test_what_a_router_refuses() -> None:
    one = {"/models": {"data": [{"id": "m"}]}, "/props": {"total_slots": 1}}
    assert (await refused(one, "llamacpp", "load", "m")).reason == NO_ROUTER
    assert (await refused({"/models": {"data": []}, "/props": {}}, "llamacpp", "load", "m")).reason == NO_ROUTER
    old: dict[str, Any] = {"/models": {"data": [entry("m", "unloaded")]}}
    old_script = Script({"GET /models": lambda _, __: old["/models"]})
    assert (await refused(old_script, "llamacpp", "delete", "m")).reason == OLD
    assert (await refused(old_script, "llamacpp", "pull", model="x")).reason == OLD
    assert (await refused(old_script, "llamacpp", "load", "x")).reason == "the router knows no model 'x'"
    never = Script({**old_script.pages, "POST /models/load": lambda _, __: {"success": True}})
    assert (
        await refused(never, "llamacpp", "load", "m", patience=replace(HASTY, load_s=0.1))
    ).reason == "not loaded after 0.1 s"
    for rubbish in ("[", "7", {"data": 7}, {"data": [7, {"id": 7}, {"id": "m", "status": "up"}]}, b"\xff"):
        assert (await refused({"*": rubbish}, "llamacpp", "load", "m")).outcome in (Outcome.FOREIGN, Outcome.FAILED)


def swap() -> Script:
    """Holds one model at a time; "broken" never starts."""
    running: dict[str, str] = {}

    def start(asked: Asked, _: Any) -> object:
        name = asked.path.split("/")[2]
        if name not in ("a", "b"):
            return Reply({"error": f"could not start {name}"}, 502)
        running.clear()
        running[name] = "ready"
        return Reply("no such page", 404)  # what the model behind it says

    def unload(asked: Asked, _: Any) -> object:
        name = asked.path.removeprefix("/api/models/unload").strip("/")
        for each in [name] if name else [*running]:
            running.pop(each, None)
        return "OK"

    return Script(
        {
            "GET /running": lambda _, __: {
                "running": [{"model": m, "state": s, "cmd": "x"} for m, s in running.items()]
            },
            **{f"GET /upstream/{name}/health": start for name in ("a", "b", "broken")},
            **{f"POST /api/models/unload{end}": unload for end in ("", "/a", "/b")},
        }
    )


async def test_llama_swap() -> None:
    script = swap()
    async with pages_server(script) as server, acting(EndpointSpec("e", server.url), "llama-swap") as acted:
        assert (await acted.do("load", "a")).startswith("loaded in ")
        assert await acted.do("load", "a") == "was in memory already"
        assert (await acted.do("load", "b")).endswith("; evicted a")
        with pytest.raises(Failure, match="502: could not start broken"):
            await acted.do("load", "broken")
        assert await acted.do("unload", "a") == "was not in memory"
        assert await acted.do("unload", "b") == "left memory"
        await acted.do("load", "a")
        assert await acted.do("unload_all") == "left memory"
        assert await acted.do("unload_all") == "nothing was in memory"
        assert "/unload" not in server.targets


ENGINES = ("ollama", "vllm", "llamacpp", "llama-swap", "lmstudio")


@pytest.mark.parametrize("engine", ENGINES)
async def test_an_actor_opens_nothing_until_it_is_asked(engine: str) -> None:
    actor = actor_for(EndpointSpec("e", f"http://127.0.0.1:{free_port()}/v1"), engine)
    await actor.close()


@pytest.mark.parametrize("engine", ["openai", "tgi", ""])
def test_engines_that_nothing_can_be_done_to(engine: str) -> None:
    with pytest.raises(Failure, match="nothing can be done to"):
        actor_for(EndpointSpec("e", "http://127.0.0.1:1"), engine)


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_an_engine_has_not_is_said(engine: str) -> None:
    async with acting(EndpointSpec("e", f"http://127.0.0.1:{free_port()}"), engine) as acted:
        with pytest.raises(Failure, match="has no way to start"):
            await acted.do("start")
