"""What an order would take, asked of servers: a simulated Ollama, pages, and what answers badly or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from acting_demo import demo_ollama
from fake_servers import Asked, Pages, pages_server, raw_server
from fakes import GIB, endpoint_view, gpu, host_view, model, snapshot
from quarterdeck.config.fleet import EndpointSpec, FleetConfig, HostSpec
from quarterdeck.engine.preflight import Check, bounds, preflight, pulling
from quarterdeck.engine.preflight.pulling import Download, disk, manifest
from quarterdeck.model.actions import ACTIONS
from quarterdeck.model.fleet import EndpointView, FleetSnapshot
from quarterdeck.model.host import HostView
from quarterdeck.model.job import Option, Order
from quarterdeck.model.models import ModelReading, ModelState

SHOW = json.loads((Path(__file__).parent.parent / "data" / "model_configs" / "ollama_show_tiny.json").read_text())
LAYERS = {
    "schemaVersion": 2,
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 500},
    "layers": [
        {"mediaType": "application/vnd.ollama.image.model", "size": 5 * GIB},
        {"mediaType": "application/vnd.ollama.image.template", "size": 1000},
    ],
}


@pytest.fixture(autouse=True)
def _no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "REGISTRY", "http://127.0.0.1:9")


def box(free: float = 20.0, **known: Any) -> HostView:
    disk_of = {"disk_used_bytes": 90 * GIB, "disk_total_bytes": 100 * GIB}
    return host_view("box", gpu(0, used=24 - free, total=24.0), source="http://box:9400", **(disk_of | known))


def fleet_of(url: str, engine: str = "ollama") -> FleetConfig:
    return FleetConfig((EndpointSpec("e", url, engine, host="box"),), (HostSpec("box", "none"),))


def seen_of(*models: ModelReading, host: HostView | None = None, **known: Any) -> FleetSnapshot:
    view = endpoint_view("e", **({"engine": "ollama", "models": models, "host": "box"} | known))
    return snapshot(view, hosts=() if host is None else (host,))


async def asked(url: str, action: str, name: str | None, seen: FleetSnapshot, **options: Option) -> list[Check]:
    return await preflight(fleet_of(url, seen.endpoints[0].engine or ""), seen, Order(action, "e", name, options))


# ---- load


async def test_a_load_asks_the_server_and_disturbs_nothing() -> None:
    async with demo_ollama() as demo:
        installed = model("llama3.2:3b", ModelState.INSTALLED, size_bytes=2_019_393_189)
        before = list(demo.ollama.disturbed)
        seen = seen_of(installed, host=box())
        [found] = await asked(demo.http.url, "load", "llama3.2:3b", seen, context=8192)
        assert found.level == "ok"
        # 1.88 GiB of file, 28 × 8 × 256 × 2 × 8192 bytes of cache, 660 MiB beside them
        assert "needs ~3.4 GiB (" in found.text
        assert "file size + KV cache in f16, 1 × 8192 tokens" in found.text
        [own] = await asked(demo.http.url, "load", "llama3.2:3b", seen)
        assert "with 32768 tokens of context (by its own settings)" in own.text
        [typed] = await asked(demo.http.url, "load", "llama3.2:3b", seen, context=" 4096 ")
        assert "with 4096 tokens of context" in typed.text
        assert list(demo.ollama.disturbed) == before


async def test_a_model_that_is_not_there_is_unknown() -> None:
    async with demo_ollama() as demo:
        [found] = await asked(demo.http.url, "load", "nobody/knows", seen_of(host=box()))
        assert found.level == "unknown"
        assert "not found" in found.text


async def test_lists_that_are_left_out_are_asked_for() -> None:
    short = {**SHOW, "model_info": {**SHOW["model_info"], "llama.attention.head_count_kv": None}}
    told: list[Any] = []

    def pages(one: Asked) -> object:
        if one.path != "/api/show":
            return {"models": [{"model": "tiny:latest", "size": 4 * GIB}]}
        told.append(json.loads(one.body))
        return SHOW if told[-1].get("verbose") else short

    async with pages_server(pages) as server:
        [found] = await asked(server.url, "load", "tiny", seen_of(host=box()))
    assert [each.get("verbose") for each in told] == [None, True]
    assert found.level == "ok"
    assert "with 1024 tokens of context (by its own settings)" in found.text


@pytest.mark.parametrize(
    "body",
    [b"", b"{", "[]", "null", '{"model_info": 7}', '{"model_info": {"general.architecture": "\x1b]0;x\x07"}}',
     {"model_info": {"general.architecture": "llama", "llama.block_count": 10**30}}, {"parameters": "num_ctx 0" * 9999},
     {"details": [], "model_info": {"general.architecture": "a" * 10_000}, "remote_host": {}}],
)  # fmt: skip
async def test_bad_answers_are_unknown(body: object) -> None:
    async with pages_server({"*": body}) as server:
        found = await asked(server.url, "load", "m", seen_of(host=box()))
    assert found
    assert {each.level for each in found} == {"unknown"}
    assert all(each.text.isprintable() and len(each.text) <= 400 for each in found)


async def test_servers_that_hang_are_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "EACH_S", 0.2)
    monkeypatch.setattr(pulling, "_ASK_S", 0.1)
    async with raw_server(hang=True) as server:
        seen = seen_of(model("m"), host=box())
        [loaded] = await asked(server.url, "load", "m", seen, context=4096)
        assert loaded.level == "unknown"
        assert "no answer in 0.2 s" in loaded.text
        deleted = await asked(server.url, "delete", "m", seen)
        assert "how much disk it frees" in deleted[0].text
        monkeypatch.setattr(pulling, "REGISTRY", server.url)
        assert "no answer in 0.1 s" in (await asked(server.url, "pull", "other", seen))[0].text


async def test_hosts_that_nobody_knows_are_named() -> None:
    async with demo_ollama() as demo:
        [missing, _] = await asked(demo.http.url, "load", "llama3.2:3b", seen_of(), context=4096)
        assert missing == Check("unknown", "not known: the memory of box: nothing of it is read")
        nowhere = FleetConfig((EndpointSpec("e", "http://10.255.0.1:1", "lmstudio"),))
        found = await preflight(nowhere, seen_of(model("m"), engine="lmstudio", host=None), Order("load", "e", "m"))
        assert any("which machine e runs on" in each.text for each in found)


async def test_a_host_that_was_not_read_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (
        'DCGM_FI_DEV_FB_FREE{gpu="0",UUID="GPU-1",modelName="X"} 20480\n'
        'DCGM_FI_DEV_FB_USED{gpu="0",UUID="GPU-1",modelName="X"} 4096\n'
    )
    async with demo_ollama() as demo, pages_server({"/metrics": page}) as exporter:
        fleet = FleetConfig(
            (EndpointSpec("e", demo.http.url, "ollama", host="box"),), (HostSpec("box", f"{exporter.url}/metrics"),)
        )
        [found] = await preflight(fleet, seen_of(), Order("load", "e", "llama3.2:3b"))
    assert "20.0 GiB are free on box's GPU" in found.text


async def test_other_engines_compare_the_size_they_tell() -> None:
    small = model("m", ModelState.INSTALLED, size_bytes=4 * GIB)
    [found] = await asked("http://127.0.0.1:9", "load", "m", seen_of(small, engine="lmstudio", host=box()))
    assert found.level == "unknown"
    assert "its weights need ~4.0 GiB" in found.text
    assert "LM Studio doesn't tell" in found.text


async def test_a_router_tells_what_it_will_start(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.touch()
    os.truncate(file, 3 * GIB)
    status = {"value": "unloaded", "args": ["llama-server", "--ctx-size", "2048", "--model", str(file), 7]}
    async with pages_server(
        {"/models": {"data": [7, {"id": "m", "status": status}, {"id": "n", "status": []}]}}
    ) as one:
        fleet = FleetConfig((EndpointSpec("e", one.url, "llamacpp"),))
        here = host_view("here", gpu(0, used=4, total=24), source="nvml")
        view = endpoint_view("e", engine="llamacpp", models=(model("m", ModelState.INSTALLED),))
        [found] = await preflight(fleet, snapshot(view, hosts=(here,)), Order("load", "e", "m"))
        assert "its weights need ~3.0 GiB" in found.text
        assert "20.0 GiB are free on here's GPU" in found.text
        [untold] = await preflight(fleet, snapshot(view, hosts=(here,)), Order("load", "e", "n"))
        assert untold.level == "unknown"
        assert "the size of the weights' files" in untold.text
    assert set(one.targets) == {"/models"}


# ---- pull


async def test_what_is_there_is_only_brought_up_to_date() -> None:
    installed = model("qwen3:latest", ModelState.INSTALLED, size_bytes=5 * GIB)
    assert await asked("http://127.0.0.1:9", "pull", "qwen3", seen_of(installed, host=box())) == [
        Check("ok", "qwen3:latest is there already (5.0 GiB): only what is newer is downloaded")
    ]


@asynccontextmanager
async def registry(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    async with pages_server(pages) as server:
        monkeypatch.setattr(pulling, "REGISTRY", server.url)
        yield


async def test_the_registry_tells_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    async with registry({"/v2/library/qwen3/manifests/8b": LAYERS}, monkeypatch):
        found = await asked("http://127.0.0.1:9", "pull", "qwen3:8b", seen_of(host=box()))
        assert Check("ok", "needs 5.0 GiB of disk (by its registry), 10.0 GiB are free on box") in found
        assert any(each.text.startswith("when it is loaded: its weights need ~5.0 GiB") for each in found)
        full = box(disk_used_bytes=98 * GIB)
        worst = (await asked("http://127.0.0.1:9", "pull", "qwen3:8b", seen_of(host=full)))[0]
        assert worst.level == "bad"
        assert "5.0 GiB are needed, 2.0 GiB are free: 3.0 GiB too few" in worst.text
        small = await asked("http://127.0.0.1:9", "pull", "qwen3:8b", seen_of(host=box(2)))
        assert small[0].level == "warn"  # it can be downloaded all the same
        nothing = await asked("http://127.0.0.1:9", "pull", "qwen3:9b", seen_of(host=box()))
        assert "not known: how large it is: the registry has no such model" in [each.text for each in nothing]


async def test_another_endpoint_of_the_fleet_tells_size_and_shape() -> None:
    async with demo_ollama() as demo:
        other = endpoint_view(
            "other", engine="ollama", models=(model("gpt-oss:20b", ModelState.INSTALLED, size_bytes=13_793_441_244),)
        )
        view = endpoint_view("e", engine="ollama", host="box")
        fleet = FleetConfig(
            (EndpointSpec("e", "http://127.0.0.1:9", host="box"), EndpointSpec("other", demo.http.url)),
            (HostSpec("box", "none"),),
        )
        seen = snapshot(view, other, hosts=(box(disk_used_bytes=10 * GIB),))
        found = await preflight(fleet, seen, Order("pull", "e", "gpt-oss:20b"))
    assert any("needs 12.8 GiB of disk (as other has it), 90.0 GiB are free on box" in each.text for each in found)
    assert any(each.text.startswith("when it is loaded: needs ~") for each in found)


@pytest.mark.parametrize(
    ("engine", "words"),
    [("ollama", "can't be reached"), ("lmstudio", "lmstudio tells it only when the download runs")],
)
async def test_a_size_that_nobody_tells_is_unknown(engine: str, words: str) -> None:
    found = await asked("http://127.0.0.1:9", "pull", "x", seen_of(engine=engine, host=box(disk_total_bytes=None)))
    assert {each.level for each in found} == {"unknown"}
    assert words in found[0].text
    assert found[1].text == "not known: how much disk is free on box"


@pytest.mark.parametrize("name", ["../../etc", "a b", "x" * 5000, "\x00", "http://[", "::::"])
async def test_odd_names_are_no_trouble(name: str) -> None:
    for action in ("pull", "load", "delete", "unload"):
        found = await asked("http://127.0.0.1:9", action, name, seen_of(host=box()))
        assert all(each.level in ("unknown", "ok") for each in found)


async def test_a_disk_of_this_machine_is_looked_at() -> None:
    fleet = FleetConfig((EndpointSpec("e", "http://127.0.0.1:9", "lmstudio"),))
    seen = snapshot(endpoint_view("e", engine="lmstudio"), hosts=(host_view("here", gpu(0), source="nvml"),))
    found = await preflight(fleet, seen, Order("pull", "e", "m"))
    assert any("of disk are free on here; not known whether that is enough" in each.text for each in found)


def test_manifests_and_disks() -> None:
    found = manifest(json.dumps(LAYERS).encode(), "x")
    assert found == Download(5 * GIB + 1500, 5 * GIB, "x")
    for body in (b"", b"{}", b'{"layers": [{"size": -5}]}', b'{"layers": [7, {"size": "9"}]}', b'{"layers": {}}'):
        assert manifest(body, "x") is None
    assert disk(Download(99, None, "x"), 100, "h").level == "warn"
    assert disk(None, 100, "h").level == "unknown"


# ---- the others


async def test_what_an_order_gives_back() -> None:
    async with demo_ollama() as demo:
        loaded = model("gemma3:12b", vram_bytes=10 * GIB, size_bytes=10 * GIB)
        seen = seen_of(loaded, model("x", ModelState.INSTALLED), host=box())
        [unloaded] = await asked(demo.http.url, "unload", "gemma3:12b", seen)
        assert unloaded.text == "frees 10.0 GiB of GPU memory"
        assert await asked(demo.http.url, "unload_all", None, seen) == [unloaded]
        deleted = await asked(demo.http.url, "delete", "gemma3:12b", seen)
        assert deleted[0].text == "frees up to 7.6 GiB on disk; what other models share stays"
        assert unloaded in deleted


async def test_nothing_is_said_of_the_rest() -> None:
    for action in ("pin", "unpin", "copy", "rename", "wake", "lora_load", "reset_prefix_cache", "no such"):
        assert await asked("http://127.0.0.1:9", action, "m", seen_of(model("m"), host=box())) == []
    assert await preflight(FleetConfig(), snapshot(), Order("load", "nobody", "m")) == []


async def test_nothing_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> EndpointView:
        raise RuntimeError("surprise")

    monkeypatch.setattr("quarterdeck.engine.preflight.run.endpoint_of", lambda *_: broken(None))
    for action in ACTIONS:
        found = await asked("http://127.0.0.1:9", action.id, "m", seen_of(model("m")))
        assert found in ([Check("unknown", "not known: what it would take (it can't be looked up (RuntimeError))")], [])
