"""Acting on the simulated Ollama: what is in memory, names, what is told of a model."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acting_demo import Demo, acting, demo_ollama
from fake_servers import Reply, pages_server
from quarterdeck.config.fleet import EndpointSpec
from quarterdeck.demo.ollama import FAVOURITE
from quarterdeck.endpoints.acting.base import Deed
from quarterdeck.endpoints.acting.names import FOREVER, keep_alive, name_of, same
from quarterdeck.endpoints.acting.ollama_show import shown
from quarterdeck.format import printable
from quarterdeck.model.job import Order
from quarterdeck.wire.failure import Failure

SMALL = "llama3.2:3b"


async def refusal(demo: Demo, action: str, name: str | None = None, **options: str) -> str:
    with pytest.raises(Failure) as refused:
        await demo.actor.act(Deed(Order(action, "e", name, options)), demo.said.append)
    return refused.value.reason


async def test_load_with_context_and_keep_alive_then_unload() -> None:
    async with demo_ollama() as demo:
        words = await demo.do("load", SMALL, context="8192", keep_alive="24h")
        assert words.startswith("loaded in ")
        assert words.endswith("s: 6.0 GiB, all on the GPU, 8192 tokens of context")
        assert demo.in_memory()[SMALL] == 8192
        assert demo.said[0].phase == f"loading {SMALL}"
        assert await demo.do("unload", SMALL) == "left memory"
        assert SMALL not in demo.in_memory()
        assert await demo.do("unload", SMALL) == "was not in memory"


async def test_a_load_tells_whom_it_evicted() -> None:
    async with demo_ollama() as demo:
        await demo.do("pull", model="mistral-small3.2:24b")
        demo.ollama.unload(FAVOURITE, demo.ollama.clock())
        for name in ("gpt-oss:20b", "qwen3:14b"):
            await demo.do("load", name, keep_alive="2h")
        before = demo.in_memory().keys()
        words = await demo.do("load", "mistral-small3.2:24b")
        (gone,) = before - demo.in_memory().keys()
        assert words.endswith(f"; evicted {gone}")


@pytest.mark.parametrize("action", ["load", "pin", "unpin"])
async def test_what_is_in_memory_is_not_loaded_again(action: str) -> None:
    async with demo_ollama() as demo:
        await demo.do("load", SMALL, context=4096)
        demo.ollama.disturbed.clear()
        await demo.do(action, SMALL)
        assert list(demo.ollama.disturbed) == [f"keep {SMALL}"]
        assert demo.in_memory()[SMALL] == 4096


async def test_another_context_loads_again() -> None:
    async with demo_ollama() as demo:
        await demo.do("load", SMALL, context=4096)
        demo.ollama.disturbed.clear()
        assert (await demo.do("load", SMALL, context=8192)).startswith("loaded in")
        assert list(demo.ollama.disturbed) == [f"load {SMALL}"]


async def test_pin_keeps_for_ever_and_unpin_does_not_load() -> None:
    async with demo_ollama() as demo:
        assert (await demo.do("pin", SMALL)).startswith("stays in memory until it is unpinned")
        pinned = next(entry for entry in demo.ollama.residency.resident if entry.model.name == SMALL)
        assert pinned.keep_s == float("inf")
        assert await demo.do("unpin", SMALL) == "unpinned: goes when it wasn't used for the server's usual time"
        assert pinned.keep_s == 300.0
        assert await demo.do("unpin", SMALL, keep_alive="2h") == "unpinned: goes when it wasn't used for 2h"
        await demo.do("unload", SMALL)
        assert await demo.do("unpin", SMALL) == "is not in memory: nothing to unpin"
        assert SMALL not in demo.in_memory()


async def test_an_embedding_model_is_loaded_too() -> None:
    async with demo_ollama() as demo:
        assert "loaded" in await demo.do("load", "nomic-embed-text")
        assert demo.in_memory()["nomic-embed-text:latest"] == 2048


async def test_a_busy_model_leaves_when_its_request_ends() -> None:
    async with demo_ollama() as demo:
        entry = demo.ollama.hold(demo.ollama.models[SMALL], 60, demo.ollama.clock())
        entry.ready_at = 0
        words = await demo.do("unload", SMALL)
        assert words == "a request still runs: it leaves memory when that ends"
        assert "waiting for running requests to end" in [progress.phase for progress in demo.said]
        demo.ollama.residency.end(entry, demo.ollama.clock())
        assert SMALL not in demo.in_memory()


async def test_unload_all() -> None:
    async with demo_ollama() as demo:
        await demo.do("load", SMALL)
        many = len(demo.in_memory())
        assert await demo.do("unload_all") == f"{many} left memory"
        assert await demo.do("unload_all") == "nothing was in memory"


async def test_delete_copy_and_rename() -> None:
    async with demo_ollama() as demo:
        models = demo.ollama.models
        assert await demo.do("copy", SMALL, destination="mine") == "copied to mine"
        assert models["mine:latest"].digest == models[SMALL].digest
        assert await demo.do("copy", SMALL, destination="mine") == "mine was a name of it already"
        assert (await refusal(demo, "copy", SMALL, destination="gemma3:12b")).startswith(
            "gemma3:12b is the name of another"
        )
        assert await demo.do("rename", "mine", destination="yours:1") == "is called yours:1 now"
        assert {"yours:1"} == {"yours:1", "mine:latest"} & models.keys()
        assert await demo.do("delete", "yours:1") == f"deleted; its bytes stay for {SMALL}"
        assert await refusal(demo, "delete", "yours:1") == "model 'yours:1' not found"
        assert await refusal(demo, "copy", "nope", destination="x") == "model 'nope' not found"
        assert (
            await refusal(demo, "copy", SMALL, destination="a b") == "the new name is no model name: as in qwen3:mine"
        )
        assert await refusal(demo, "copy", SMALL) == "destination is missing"


@pytest.mark.parametrize("destination", ["llama3.2:3b", "LLAMA3.2:3B", "library/llama3.2:3b"])
async def test_a_rename_to_itself_deletes_nothing(destination: str) -> None:
    async with demo_ollama() as demo:
        assert await refusal(demo, "rename", SMALL, destination=destination) == f"{destination} is its name already"
        assert SMALL in demo.ollama.models


async def test_a_rename_whose_delete_fails_says_that_both_exist() -> None:
    tags = {"models": [{"model": name, "name": name, "digest": "d"} for name in ("a:1", "b:1")]}
    pages = {"/api/tags": tags, "/api/delete": Reply({"error": "locked"}, 500)}
    async with pages_server(pages) as server, acting(EndpointSpec("e", server.url), "ollama") as acted:
        with pytest.raises(Failure) as refused:
            await acted.do("rename", "a:1", destination="b:1")
    assert refused.value.reason == "copied to b:1, but a:1 couldn't be deleted (locked): both exist"


async def test_what_can_not_be_asked_for() -> None:
    async with demo_ollama() as demo:
        assert (
            await refusal(demo, "load", SMALL, keep_alive="soon") == "keep_alive is a time like 30m or 24h, or forever"
        )
        assert await refusal(demo, "load", SMALL, keep_alive="0") == "keep_alive 0 would unload it at once"
        assert await refusal(demo, "load", SMALL, context="many") == "context must be a whole number above 0"
        assert await refusal(demo, "load") == "the model's name is missing"
        assert await refusal(demo, "load", "nope") == "model 'nope' not found"
        assert await refusal(demo, "sleep") == "Ollama has no way to sleep"
        assert await refusal(demo, "pull", model="a b") == "that is no model name: as in qwen3:8b"
        assert list(demo.ollama.disturbed) == []


async def test_show_tells_what_is_known() -> None:
    async with demo_ollama() as demo:
        told = await demo.actor.show("gemma3:12b")
        assert (told["family"], told["quantization"], told["context_length"]) == ("gemma3", "Q4_K_M", 131_072)
        assert told["capabilities"] == ["completion", "vision"]
        assert told["size_bytes"] == 8_149_190_253
        assert str(told["license"]).startswith("Demo licence")
        assert "temperature" in str(told["parameters"])
        json.dumps(told)
        with pytest.raises(Failure, match="model 'nope:latest' not found"):
            await demo.actor.show("nope")


HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\x1b[2J\nx\u202e"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["details", "model_info", "license", "template", "system", "parameters", "capabilities", "modified_at", "requires"]
)


@given(st.dictionaries(KEYS, HOSTILE, max_size=9), HOSTILE)
def test_whatever_a_server_tells_is_safe_to_show(told: dict[str, object], listing: object) -> None:
    try:
        found = shown("m", told, listing)
    except Failure:
        return
    for text in _texts(found):
        assert all(line.strip() == printable(line.strip(), 4096) for line in text.split("\n"))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (*_texts(key), *_texts(each))]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []


def test_names() -> None:
    assert name_of("qwen3") == ("registry.ollama.ai", "library", "qwen3", "latest")
    assert name_of("me/x:1") == ("registry.ollama.ai", "me", "x", "1")
    assert name_of("hf.co/a/b:Q4_K_M") == ("hf.co", "a", "b", "Q4_K_M")
    assert name_of("localhost:5000/a/b") == ("localhost:5000", "a", "b", "latest")
    for bad in ("", ":", "a b", "a/b/c/d", "../x", "x:", "a//b", "x:y/z:1:2", "-x"):
        assert name_of(bad) is None, bad
    assert same("Qwen3", "registry.ollama.ai/library/qwen3:latest")
    assert not same("qwen3:8b", "qwen3")


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        (None, None),
        ("", None),
        ("forever", FOREVER),
        (-1, FOREVER),
        ("-1m", FOREVER),
        ("300", 300.0),
        (90, 90.0),
        ("1h30m", "1h30m"),
        ("0.5h", "0.5h"),
    ],
)
def test_keep_alive(given_: str | int | None, sent: object) -> None:
    assert keep_alive(given_) == sent


@pytest.mark.parametrize("wrong", ["0", 0, "0s", "0h0m", "soon", "5 m", "1d", "-0", True, "1h;x"])
def test_a_keep_alive_that_is_none(wrong: str | int) -> None:
    with pytest.raises(ValueError, match="keep_alive"):
        keep_alive(wrong)
