"""Acting on real servers: a llama.cpp router that loads, evicts and fails; a vLLM that sleeps and takes adapters, and one that can't."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from quarterdeck.config.fleet import Auth, EndpointSpec
from quarterdeck.endpoints.acting.base import Actor, Deed
from quarterdeck.endpoints.acting.open import actor_for
from quarterdeck.endpoints.endpoint import Endpoint
from quarterdeck.endpoints.llamacpp import NO_ROUTER
from quarterdeck.endpoints.vllm_abilities import NEEDS_DEV, NEEDS_LORA, NEEDS_SLEEP
from quarterdeck.model.job import Option, Order, Progress
from quarterdeck.model.reading import Outcome
from quarterdeck.wire.failure import Failure

from .install import MODELS, python_of
from .servers import Reaper, Server, llama, vllm

KEY, KEY_IN = "sk-real-acting", "QUARTERDECK_TEST_ACTING_KEY"
NEED = Callable[[str], None]


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("acting")


@pytest.fixture(scope="module")
def small_router(need: NEED, place: Path, reaper: Reaper) -> Iterator[Server]:
    """A router that holds one model at a time; a fourth file beside the tiny models is no model."""
    need("llama")
    server = llama("router", "", place, reaper, ("--models-max", "1"))
    (place / "tiny" / "tiny-broken.gguf").write_bytes(b"GGUF, but not really")
    yield from _running(server)


@pytest.fixture(scope="module")
def able_vllm(need: NEED, place: Path, reaper: Reaper) -> Iterator[Server]:
    """A vLLM in development mode that takes adapters, and wants a key. The CPU build refuses --enable-sleep-mode."""
    need("vllm")
    options = ("--enable-lora", "--max-loras", "2", "--max-lora-rank", "8")
    server = vllm("vllm-able", "tiny-llama", place, reaper, context=1024, key=KEY, options=options)
    server.environment["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
    yield from _running(server)


@pytest.fixture(scope="module")
def plain_vllm(need: NEED, place: Path, reaper: Reaper) -> Iterator[Server]:
    """A vLLM as most are started."""
    need("vllm")
    yield from _running(vllm("vllm-plain", "tiny-llama", place, reaper, context=1024))


def spec_of(server: Server) -> EndpointSpec:
    return EndpointSpec(server.name, server.url, auth=Auth(env=KEY_IN) if server.key else None)


@asynccontextmanager
async def acting(server: Server, engine: str) -> AsyncIterator[Actor]:
    actor = actor_for(spec_of(server), engine)
    try:
        yield actor
    finally:
        await actor.close()


async def do(actor: Actor, action: str, model: str | None = None, **options: Option) -> tuple[str, list[Progress]]:
    said: list[Progress] = []
    return await actor.act(Deed(Order(action, "server", model, options)), said.append), said


def states(server: Server) -> dict[str, str]:
    with server.client() as client:
        return {entry["id"]: entry["status"]["value"] for entry in client.get("/models").json()["data"]}


async def test_a_router_loads_evicts_and_unloads(small_router: Server) -> None:
    async with acting(small_router, "llamacpp") as actor:
        words, said = await do(actor, "load", "tiny-a")
        assert words.startswith("loaded in ")
        assert said[0].phase == "loading tiny-a"
        assert states(small_router)["tiny-a"] == "loaded"
        assert (await do(actor, "load", "tiny-a"))[0] == "was in memory already"
        words, _ = await do(actor, "load", "tiny-b", context=4096)
        assert "; evicted tiny-a" in words
        assert words.endswith("; the llama.cpp router takes no context here: left as it is set there")
        assert {name for name, value in states(small_router).items() if value == "loaded"} == {"tiny-b"}
        assert (await do(actor, "unload", "tiny-b"))[0] == "left memory"
        assert set(states(small_router).values()) == {"unloaded"}
        assert (await do(actor, "unload", "tiny-b"))[0] == "was not in memory"
        await do(actor, "load", "tiny-c")
        assert (await do(actor, "unload_all"))[0] == "left memory"
        assert (await do(actor, "unload_all"))[0] == "nothing was in memory"
        assert set(states(small_router).values()) == {"unloaded"}


async def test_a_router_says_why_a_model_did_not_load(small_router: Server) -> None:
    async with acting(small_router, "llamacpp") as actor:
        with pytest.raises(Failure, match=r"ended with exit code \d+ while it loaded"):
            await do(actor, "load", "tiny-broken")
        with pytest.raises(Failure, match="the router knows no model 'zzz'"):
            await do(actor, "load", "zzz")


async def test_a_server_of_one_model_is_no_router(llama_server: Server) -> None:
    async with acting(llama_server, "llamacpp") as actor:
        for action, model in (
            ("load", "slow-e"),
            ("unload", "slow-e"),
            ("unload_all", None),
            ("pull", "a/b"),
            ("delete", "slow-e"),
        ):
            with pytest.raises(Failure) as refused:
                await do(actor, action, model)
            assert refused.value.reason == NO_ROUTER
    endpoint = Endpoint(spec_of(llama_server))
    reading = await endpoint.poll()
    await endpoint.close()
    assert reading.facts is not None
    assert reading.facts.cannot == dict.fromkeys(("pull", "load", "unload", "unload_all", "delete"), NO_ROUTER)


async def test_a_vllm_sleeps_and_wakes(able_vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_IN, KEY)
    async with acting(able_vllm, "vllm") as actor:
        words, said = await do(actor, "sleep", level=1)
        assert words == "asleep, level 1: weights in system memory"
        assert said[0].phase == "waiting for running requests, then falling asleep"
        with able_vllm.client() as client:
            assert client.get("/is_sleeping").json() == {"is_sleeping": True}
            assert (await do(actor, "sleep"))[0] == "was asleep already"
            assert (await do(actor, "wake"))[0] == "awake"
            assert client.get("/is_sleeping").json() == {"is_sleeping": False}
        assert (await do(actor, "wake"))[0] == "was awake already"
        assert (await do(actor, "reset_prefix_cache"))[0] == "prefix cache reset"


async def test_sleep_lets_running_requests_end(able_vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_IN, KEY)

    def ask() -> int:
        with able_vllm.client() as client:
            body = {"model": able_vllm.model, "prompt": "the", "max_tokens": 400, "ignore_eos": True}
            answer = client.post("/v1/completions", json=body, timeout=60.0).raise_for_status().json()
            return int(answer["usage"]["completion_tokens"])

    async with acting(able_vllm, "vllm") as actor:
        asking = asyncio.create_task(asyncio.to_thread(ask))
        with able_vllm.client() as client:
            for _ in range(100):
                if "vllm:num_requests_running{" in (page := client.get("/metrics").text) and any(
                    line.startswith("vllm:num_requests_running") and line.endswith(" 1.0") for line in page.splitlines()
                ):
                    break
                await asyncio.sleep(0.02)
        assert (await do(actor, "sleep"))[0].startswith("asleep")
        assert await asking == 400
        await do(actor, "wake")


async def test_a_vllm_takes_adapters(able_vllm: Server, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_IN, KEY)
    adapter = place / "adapter"
    maker = Path(__file__).parent / "models" / "lora_llama.py"
    subprocess.run([python_of("vllm"), maker, adapter, MODELS / "tiny-llama", "4", "5"], check=True)
    async with acting(able_vllm, "vllm") as actor:
        assert (await do(actor, "lora_load", name="sql", path=str(adapter)))[0].startswith("loaded as sql")
        with able_vllm.client() as client:
            assert "sql" in {model["id"] for model in client.get("/v1/models").json()["data"]}
            body = {"model": "sql", "prompt": "the", "max_tokens": 4}
            assert client.post("/v1/completions", json=body).status_code == 200
            with pytest.raises(Failure, match="already been loaded"):
                await do(actor, "lora_load", name="sql", path=str(adapter))
            with pytest.raises(Failure, match="No adapter found for /nowhere"):
                await do(actor, "lora_load", name="bad", path="/nowhere")
            assert (await do(actor, "lora_unload", name="sql"))[0] == "unloaded sql"
            assert "sql" not in {model["id"] for model in client.get("/v1/models").json()["data"]}
        with pytest.raises(Failure, match="'sql' cannot be found"):
            await do(actor, "lora_unload", name="sql")


async def test_the_key_is_needed_and_never_told(able_vllm: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_IN, "sk-wrong-one")
    async with acting(able_vllm, "vllm") as actor:
        with pytest.raises(Failure) as refused:
            await do(actor, "lora_unload", name="sql")
    assert (refused.value.outcome, refused.value.reason) == (Outcome.AUTH, "401: key missing or wrong")


async def _known_after_15_s(server: Server) -> dict[str, str]:
    """What polling learnt; its second look at who the server is comes after 15 s."""
    now = [1000.0]
    endpoint = Endpoint(spec_of(server), monotonic=lambda: now[0])
    await endpoint.poll()
    now[0] += 16
    reading = await endpoint.poll()
    await endpoint.close()
    assert reading.outcome is Outcome.ANSWERED
    assert reading.facts is not None
    return dict(reading.facts.cannot)


async def test_polling_learns_what_a_vllm_can(
    able_vllm: Server, plain_vllm: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_IN, KEY)
    assert await _known_after_15_s(able_vllm) == {}
    assert await _known_after_15_s(plain_vllm) == {
        "sleep": NEEDS_SLEEP,
        "wake": NEEDS_SLEEP,
        "reset_prefix_cache": NEEDS_DEV,
        "lora_load": NEEDS_LORA,
        "lora_unload": NEEDS_LORA,
    }


async def test_a_plain_vllm_explains(plain_vllm: Server) -> None:
    async with acting(plain_vllm, "vllm") as actor:
        for action, options, reason in (
            ("sleep", {}, NEEDS_SLEEP),
            ("wake", {}, NEEDS_SLEEP),
            ("reset_prefix_cache", {}, NEEDS_DEV),
            ("lora_load", {"name": "sql", "path": "/x"}, NEEDS_LORA),
            ("lora_unload", {"name": "sql"}, NEEDS_LORA),
        ):
            with pytest.raises(Failure) as refused:
                await do(actor, action, **options)
            assert refused.value.reason == reason
